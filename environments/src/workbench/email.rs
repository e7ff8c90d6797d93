//! The mailbox: looked at by id or by words, and changed by sending and deleting.

use std::cmp::Ordering;

use framework::environment::python::text::is_space;
use framework::environment::python::{Json, text_of};
use memchr::memmem::Finder;

use super::call::{Answer, Arguments, Exception, contains, is_truthy, lower, type_name};
use super::moment::Moment;
use super::numpy;
use super::page::{Page, Titles};
use super::table::{Cell, Columns, Entry, Record, Row};
use super::world::{NOW, World};

/// The columns of the table.
pub(super) const COLUMNS: Columns =
    &["email_id", "inbox/outbox", "sender/recipient", "subject", "sent_datetime", "body"];
/// Where they stand.
pub(super) const ID: usize = 0;
const CORRESPONDENT: usize = 2;
const SUBJECT: usize = 3;
/// When a mail was sent.
pub(super) const SENT: usize = 4;
const BODY: usize = 5;

const TITLES: Titles = Titles { rows: "emails", total: "total_emails" };
const NOT_FOUND: &str = "Email not found.";
const NO_ID: &str = "Email ID not provided.";
const BAD_RECIPIENT: &str = "Invalid recipient email address.";

/// Tells one field of a mail.
pub(super) fn get_email_information_by_id(
    world: &World,
    call: &Arguments,
) -> Result<Answer, Exception> {
    let Some(id) = call.truthy("email_id") else { return Ok(NO_ID.into()) };
    let Some(field) = call.truthy("field") else { return Ok("Field not provided.".into()) };
    let Some(row) = world.emails.first(ID, id)? else { return Ok(NOT_FOUND.into()) };
    let Some(column) = column(field)? else {
        let columns = COLUMNS.join(", ");
        let field = text_of(field);
        return Ok(format!("Field '{field}' not found. Available fields: {columns}").into());
    };
    Ok(Answer::Field(COLUMNS[column].into(), row[column].clone()))
}

fn column(field: &Json) -> Result<Option<usize>, Exception> {
    match field {
        Json::String(field) => Ok(COLUMNS.iter().position(|column| **column == **field)),
        Json::Array(_) | Json::Object(_) => {
            Err(Exception(format!("unhashable type: '{}'", type_name(field))))
        }
        _ => Ok(None),
    }
}

/// Finds mails in which all of some words occur, the newest first.
pub(super) fn search_emails(world: &World, call: &Arguments) -> Result<Answer, Exception> {
    let searched = search(world, call);
    Ok(searched.unwrap_or_else(|error| format!("Error searching emails: {}", error.0).into()))
}

fn search(world: &World, call: &Arguments) -> Result<Answer, Exception> {
    let query = call.given("query").map_or_else(|| Ok(String::new()), lower)?;
    let mut found = matching(world, &query);
    let bounds = [("date_min", Ordering::Less), ("date_max", Ordering::Greater)];
    for (name, outside) in bounds {
        let Some(bound) = call.truthy(name) else { continue };
        if found.is_empty() {
            break;
        }
        let bound = Moment::of_json(bound).map_err(|error| error.exception)?.date()?;
        found.retain(|mail| sent_on(world, mail).cmp(&bound) != outside);
    }
    if found.is_empty() {
        return Ok("No emails found.".into());
    }
    let record = |index: usize| Record { columns: COLUMNS, row: found[index].row.clone() };
    Page::of(TITLES, found.len(), call, record).map(Answer::Page)
}

/// The mails in which all words of a query occur, the newest first.
fn matching<'a>(world: &'a World, query: &str) -> Vec<Entry<'a>> {
    let words: Vec<_> = query.split(is_space).filter(|word| !word.is_empty()).collect();
    let finders: Vec<_> = words.iter().map(|word| Finder::new(word.as_bytes())).collect();
    let has_all = |text: &str| finders.iter().all(|word| word.find(text.as_bytes()).is_some());
    let is_found = |mail: &Entry<'_>| match mail.is_loaded {
        true => has_all(&world.office.mail_texts[mail.slot]),
        false => has_all(&text_of_mail(mail.row)),
    };
    let mut found: Vec<_> = world.emails.rows().filter(is_found).collect();
    let sent = |mail: &Entry<'a>| mail.row[SENT].as_text().unwrap_or_default();
    numpy::sort_descending(&mut found, |a, b| sent(a).cmp(sent(b)));
    found
}

/// What a search looks at: subject, body and correspondent in lower case.
pub(super) fn text_of_mail(row: &Row) -> String {
    let text = |column: usize| text_of(&row[column].to_json());
    let (subject, body, correspondent) = (text(SUBJECT), text(BODY), text(CORRESPONDENT));
    format!("{subject} {body} {correspondent}").to_lowercase()
}

/// The day on which a mail was sent.
fn sent_on(world: &World, mail: &Entry<'_>) -> i64 {
    // What a session sends is sent now, so it stands behind what was loaded.
    world.office.sent_on.get(mail.slot).copied().unwrap_or(world.office.today)
}

/// Sends a mail.
pub(super) fn send_email(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    send(world, call.get("recipient"), call.get("subject"), call.get("body")).map(Answer::from)
}

fn send(
    world: &mut World,
    recipient: &Json,
    subject: &Json,
    body: &Json,
) -> Result<&'static str, Exception> {
    if ![recipient, subject, body].into_iter().all(is_truthy) {
        return Ok("Recipient, subject, or body not provided.");
    }
    if !is_address(recipient)? {
        return Ok(BAD_RECIPIENT);
    }
    let recipient = Cell::text(&lower(recipient)?);
    let id = world.emails.next_id(ID)?;
    let row = [
        Cell::text(&id.to_string()),
        Cell::text("outbox"),
        recipient,
        Cell::from(subject),
        Cell::text(NOW),
        Cell::from(body),
    ];
    world.emails.push(Row::from(row));
    Ok("Email sent successfully.")
}

/// All that is asked of an address: an `@` and a dot, anywhere.
fn is_address(recipient: &Json) -> Result<bool, Exception> {
    Ok(contains(recipient, "@")? && contains(recipient, ".")?)
}

/// Deletes a mail.
pub(super) fn delete_email(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    let Some(id) = call.truthy("email_id") else { return Ok(NO_ID.into()) };
    let slots = world.emails.find(ID, id)?;
    if slots.is_empty() {
        return Ok(NOT_FOUND.into());
    }
    world.emails.remove(&slots);
    Ok("Email deleted successfully.".into())
}

/// Sends a mail on to somebody else.
pub(super) fn forward_email(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    let (id, recipient) = (call.truthy("email_id"), call.truthy("recipient"));
    let (Some(id), Some(recipient)) = (id, recipient) else {
        return Ok("Email ID or recipient not provided.".into());
    };
    if !is_address(recipient)? {
        return Ok(BAD_RECIPIENT.into());
    }
    let Some(row) = world.emails.first(ID, id)? else { return Ok(NOT_FOUND.into()) };
    let subject = prefixed("FW: ", &row[SUBJECT]);
    let answer = send(world, recipient, &subject, &row[BODY].to_json())?;
    Ok(passed_on(answer, "Email forwarded successfully."))
}

/// Answers a mail.
pub(super) fn reply_email(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    let (Some(id), Some(body)) = (call.truthy("email_id"), call.truthy("body")) else {
        return Ok("Email ID or body not provided.".into());
    };
    let Some(row) = world.emails.first(ID, id)? else { return Ok(NOT_FOUND.into()) };
    let subject = prefixed("RE: ", &row[SUBJECT]);
    let answer = send(world, &row[CORRESPONDENT].to_json(), &subject, body)?;
    Ok(passed_on(answer, "Email replied successfully."))
}

fn prefixed(prefix: &str, subject: &Cell) -> Json {
    Json::String((prefix.to_owned() + &text_of(&subject.to_json())).into())
}

/// What is said about a mail that was sent in the course of something else.
fn passed_on(answer: &'static str, done: &'static str) -> Answer {
    let has_failed = answer.contains("Error") || answer.contains("Invalid");
    if has_failed { answer.into() } else { done.into() }
}
