//! The calendar: events with one participant each.

use std::cmp::Ordering;

use framework::environment::python::{Json, text};

use super::call::{Answer, Arguments, Exception, is_one_of, lower_cell, lowered, type_name};
use super::filter::Filter;
use super::moment::{Moment, NotAMoment};
use super::page::{Page, Titles};
use super::table::{Columns, Entry, Record, Row};
use super::world::World;

/// The columns of the table.
pub(super) const COLUMNS: Columns =
    &["event_id", "event_name", "participant_email", "event_start", "duration"];
/// Where they stand.
pub(super) const ID: usize = 0;
const NAME: usize = 1;
const PARTICIPANT: usize = 2;
/// When an event starts.
pub(super) const START: usize = 3;

const TITLES: Titles = Titles { rows: "events", total: "total_events" };
const NOT_FOUND: &str = "Event not found.";
const NO_ID: &str = "Event ID not provided.";
const BAD_ID: &str = "Invalid event ID format. Expected 8-digit ID.";
const BAD_DURATION: &str = "Invalid duration format. Expected a number of minutes.";

/// Whether an id is text of eight digits.
fn is_id(id: &Json) -> bool {
    let is_digit = |character: char| {
        let mut buffer = [0; 4];
        let is_ascii = character.is_ascii_digit();
        is_ascii || text::parse_int(character.encode_utf8(&mut buffer)).is_some()
    };
    matches!(id, Json::String(id) if id.chars().count() == 8 && id.chars().all(is_digit))
}

/// Tells one field of an event.
pub(super) fn get_event_information_by_id(
    world: &World,
    call: &Arguments,
) -> Result<Answer, Exception> {
    let Some(id) = call.truthy("event_id") else { return Ok(NO_ID.into()) };
    let Some(field) = call.truthy("field") else { return Ok("Field not provided.".into()) };
    if !is_id(id) {
        return Ok(BAD_ID.into());
    }
    if !is_one_of(field, COLUMNS) {
        return Ok(invalid_field(COLUMNS));
    }
    let Some(row) = world.calendar.first(ID, id)? else { return Ok(NOT_FOUND.into()) };
    let column = COLUMNS.iter().position(|column| is_one_of(field, &[column]));
    let column = column.expect("the field is a column");
    Ok(Answer::Field(COLUMNS[column].into(), row[column].clone()))
}

fn invalid_field(columns: &[&str]) -> Answer {
    format!("Invalid field. Available fields are: {}", columns.join(", ")).into()
}

/// A start or a bound that a call names; what it says if that is no time.
fn moment(value: &Json, name: &str) -> Result<Result<Moment, Answer>, Exception> {
    match Moment::of_json(value) {
        Ok(moment) => Ok(Ok(moment)),
        Err(NotAMoment { is_value_error: false, exception }) => Err(exception),
        Err(_) => {
            let answer = format!("Invalid {name} format. Expected YYYY-MM-DD HH:MM:SS.");
            Ok(Err(answer.into()))
        }
    }
}

/// Finds events, the latest first.
pub(super) fn search_events(world: &World, call: &Arguments) -> Result<Answer, Exception> {
    let mut bounds = Vec::new();
    for (name, outside) in [("time_min", Ordering::Less), ("time_max", Ordering::Greater)] {
        let Some(bound) = call.truthy(name) else { continue };
        match moment(bound, name)? {
            Ok(bound) => bounds.push((bound, outside)),
            Err(answer) => return Ok(answer),
        }
    }
    let query = call.given("query").cloned().unwrap_or_else(|| Json::String("".into()));
    let filter = Filter::new(&query)?;
    let mut found = Vec::new();
    for event in world.calendar.rows() {
        if is_found(&filter, event.row)? {
            found.push((start(world, &event)?, event));
        }
    }
    for (bound, outside) in bounds {
        found = within(found, &bound, outside)?;
    }
    if found.is_empty() {
        return Ok("No events found.".into());
    }
    sort(&mut found)?;
    let record = |index: usize| Record { columns: COLUMNS, row: found[index].1.row.clone() };
    Page::of(TITLES, found.len(), call, record).map(Answer::Page)
}

/// Whether the name or the participant matches. As in pandas, a name that is no text hides the
/// participant.
fn is_found(filter: &Filter<'_>, row: &Row) -> Result<bool, Exception> {
    let Some(name_matches) = filter.finds(&row[NAME])? else { return Ok(false) };
    Ok(name_matches || filter.finds(&row[PARTICIPANT])? == Some(true))
}

type Found<'a> = Vec<(Moment, Entry<'a>)>;

/// When an event starts.
fn start(world: &World, event: &Entry<'_>) -> Result<Moment, Exception> {
    if event.is_loaded {
        return Ok(world.office.starts[event.slot]);
    }
    Moment::of_json(&event.row[START].to_json()).map_err(|error| error.exception)
}

/// Leaves out what lies outside of a bound.
fn within<'a>(
    events: Found<'a>,
    bound: &Moment,
    outside: Ordering,
) -> Result<Found<'a>, Exception> {
    let mut inside = Vec::with_capacity(events.len());
    for event in events {
        let order = event.0.compare(bound)?;
        if order.is_some_and(|order| order != outside) {
            inside.push(event);
        }
    }
    Ok(inside)
}

/// Sorts events by their starts, the latest first; those that start together stay in their order.
fn sort(events: &mut Found<'_>) -> Result<(), Exception> {
    let mut result = Ok(());
    events.sort_by(|(a, _), (b, _)| match b.compare(a) {
        Ok(order) => order.unwrap_or(Ordering::Equal),
        Err(error) => {
            result = Err(error);
            // Any order will do for what is answered with an error, as long as it is one.
            b.total(a)
        }
    });
    result
}

/// What is wrong with a duration, if anything.
fn duration_problem(duration: &Json) -> Result<Option<&'static str>, Exception> {
    let is_positive = match duration {
        Json::Bool(value) => *value,
        Json::Integer(minutes) => !minutes.as_str().starts_with('-') && minutes.as_str() != "0",
        Json::Float(minutes) if minutes.is_nan() => return Ok(Some(BAD_DURATION)),
        Json::Float(minutes) if minutes.is_infinite() => {
            return Err(Exception::new("cannot convert float infinity to integer"));
        }
        Json::Float(minutes) => *minutes >= 1.0,
        Json::String(minutes) => match text::parse_int(minutes) {
            None => return Ok(Some(BAD_DURATION)),
            Some(minutes) => !minutes.as_str().starts_with('-') && minutes.as_str() != "0",
        },
        Json::Null | Json::Array(_) | Json::Object(_) => {
            let name = type_name(duration);
            return Err(Exception(format!(
                "int() argument must be a string, a bytes-like object or a real number, not '{name}'"
            )));
        }
    };
    Ok((!is_positive).then_some("Duration must be a positive number of minutes."))
}

/// Creates an event.
pub(super) fn create_event(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    const REQUIRED: [(&str, &str); 4] = [
        ("event_name", "Event name not provided."),
        ("participant_email", "Participant email not provided."),
        ("event_start", "Event start not provided."),
        ("duration", "Event duration not provided."),
    ];
    let mut values = Vec::with_capacity(REQUIRED.len());
    for (name, answer) in REQUIRED {
        let Some(value) = call.truthy(name) else { return Ok(answer.into()) };
        values.push(value);
    }
    if let Err(answer) = moment(values[2], "event_start")? {
        return Ok(answer);
    }
    if let Some(answer) = duration_problem(values[3])? {
        return Ok(answer.into());
    }
    let participant = lower_cell(values[1])?;
    let id = format!("{:08}", world.calendar.next_id(ID)?);
    let cells =
        [id.as_str().into(), values[0].into(), participant, values[2].into(), values[3].into()];
    world.calendar.push(Row::from(cells));
    Ok(id.into())
}

/// Deletes an event.
pub(super) fn delete_event(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    let Some(id) = call.truthy("event_id") else { return Ok(NO_ID.into()) };
    if !is_id(id) {
        return Ok(BAD_ID.into());
    }
    let slots = world.calendar.find(ID, id)?;
    if slots.is_empty() {
        return Ok(NOT_FOUND.into());
    }
    world.calendar.remove(&slots);
    Ok("Event deleted successfully.".into())
}

/// Changes one field of an event.
pub(super) fn update_event(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    let given = ["event_id", "field", "new_value"].map(|name| call.truthy(name));
    let [Some(id), Some(field), Some(value)] = given else {
        return Ok("Event ID, field, or new value not provided.".into());
    };
    if !is_id(id) {
        return Ok(BAD_ID.into());
    }
    let Some(column) = (1..COLUMNS.len()).find(|column| is_one_of(field, &[COLUMNS[*column]]))
    else {
        return Ok(invalid_field(&COLUMNS[1..]));
    };
    if column == START
        && let Err(answer) = moment(value, "event_start")?
    {
        return Ok(answer);
    }
    if column == COLUMNS.len() - 1
        && let Some(answer) = duration_problem(value)?
    {
        return Ok(answer.into());
    }
    let slots = world.calendar.find(ID, id)?;
    if slots.is_empty() {
        return Ok(NOT_FOUND.into());
    }
    let value = if column == PARTICIPANT { &lowered(value)? } else { value };
    world.calendar.assign(&slots, column, value)?;
    Ok("Event updated successfully.".into())
}
