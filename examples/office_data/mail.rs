//! Things to do with e-mail.

use serde_json::json;

use super::chance::Chance;
use super::clause::{Call, Clause, call};
use super::office::{Day, Email, Office, address, first_name};
use super::words;

fn find_person(person: usize) -> Call {
    call("company_directory_find_email_address", json!({ "name": first_name(person) }))
}

fn search(person: usize, words: &str) -> Call {
    let query = format!("{} {words}", address(person));
    call("email_search_emails", json!({ "query": query.trim_end(), "page_size": 20 }))
}

/// The last mail of its sender with its subject.
fn last_alike<'a>(office: &'a Office, chance: &mut Chance) -> &'a Email {
    let email = &office.emails[chance.below(office.emails.len())];
    let is_alike = |other: &&Email| other.sender == email.sender && other.subject == email.subject;
    office.emails.iter().rev().find(is_alike).expect("the mail is like itself")
}

fn somebody_else(person: usize, chance: &mut Chance) -> usize {
    (person + 1 + chance.below(words::STAFF.len() - 1)) % words::STAFF.len()
}

/// Something to do. In a task with other mails in it, only sending will do.
pub(crate) fn clause(office: &Office, chance: &mut Chance) -> Clause {
    match chance.below(5) {
        0 => send(chance),
        1 => reply(office, chance),
        2 => forward(office, chance),
        3 => delete_last(office, chance),
        _ => delete_all(office, chance),
    }
}

pub(crate) fn send(chance: &mut Chance) -> Clause {
    let person = chance.below(words::STAFF.len());
    let (subject, body) = words::LETTERS[chance.below(words::LETTERS.len())];
    let name = first_name(person);
    let text = match chance.below(3) {
        0 => format!("send {name} an e-mail with the subject '{subject}' that says '{body}'"),
        1 => format!("write to {name}: subject '{subject}', text '{body}'"),
        _ => format!("mail {name} '{body}' under the subject '{subject}'"),
    };
    let arguments = json!({ "recipient": address(person), "subject": subject, "body": body });
    Clause::new(text, vec![find_person(person)], vec![call("email_send_email", arguments)])
}

fn reply(office: &Office, chance: &mut Chance) -> Clause {
    let email = last_alike(office, chance);
    let (name, subject) = (first_name(email.sender), &email.subject);
    let body = chance.pick(&words::REPLIES);
    let text = match chance.below(2) {
        0 => format!("reply to {name}'s last e-mail about '{subject}' with '{body}'"),
        _ => format!("answer the latest e-mail with the subject '{subject}' from {name}: '{body}'"),
    };
    let action = call("email_reply_email", json!({ "email_id": email.id, "body": body }));
    Clause::new(text, vec![find_person(email.sender), search(email.sender, subject)], vec![action])
}

fn forward(office: &Office, chance: &mut Chance) -> Clause {
    let email = last_alike(office, chance);
    let person = somebody_else(email.sender, chance);
    let (from, to, subject) = (first_name(email.sender), first_name(person), &email.subject);
    let text = match chance.below(2) {
        0 => format!("forward {from}'s last e-mail about '{subject}' to {to}"),
        _ => format!("pass the latest e-mail '{subject}' from {from} on to {to}"),
    };
    let lookups =
        vec![find_person(email.sender), search(email.sender, subject), find_person(person)];
    let arguments = json!({ "email_id": email.id, "recipient": address(person) });
    Clause::new(text, lookups, vec![call("email_forward_email", arguments)])
}

fn delete_last(office: &Office, chance: &mut Chance) -> Clause {
    let person = chance.below(words::STAFF.len());
    let last = office.emails.iter().rev().find(|email| email.sender == person);
    let last = last.expect("everybody writes mails");
    let name = first_name(person);
    let text = match chance.below(2) {
        0 => format!("delete the last e-mail from {name}"),
        _ => format!("remove the most recent e-mail that {name} sent me"),
    };
    let action = call("email_delete_email", json!({ "email_id": last.id }));
    Clause::new(text, vec![find_person(person), search(person, "")], vec![action])
}

fn delete_all(office: &Office, chance: &mut Chance) -> Clause {
    loop {
        let person = chance.below(words::STAFF.len());
        let since = Day(Day::TODAY.0 - 6 - chance.below(20));
        let is_meant = |email: &&Email| email.sender == person && email.day >= since;
        let found: Vec<_> = office.emails.iter().filter(is_meant).collect();
        if !(2..=4).contains(&found.len()) {
            continue;
        }
        let text = format!(
            "delete all e-mails that {} sent me since {} (that day included)",
            first_name(person),
            since.name()
        );
        let arguments =
            json!({ "query": address(person), "date_min": since.iso(), "page_size": 20 });
        let lookups = vec![find_person(person), call("email_search_emails", arguments)];
        let delete = |email: &&Email| call("email_delete_email", json!({ "email_id": email.id }));
        return Clause::new(text, lookups, found.iter().map(delete).collect());
    }
}
