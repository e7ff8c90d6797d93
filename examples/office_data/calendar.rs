//! Things to do with the calendar.

use serde_json::json;

use super::chance::Chance;
use super::clause::{Call, Clause, call};
use super::office::{Day, Event, Office, SLOTS, address, clock, first_name};
use super::words;

fn find_person(person: usize) -> Call {
    call("company_directory_find_email_address", json!({ "name": first_name(person) }))
}

/// A look at the days from one to another.
fn search(query: &str, from: Day, until: Day) -> Call {
    let arguments = json!({
        "query": query,
        "time_min": format!("{} 00:00:00", from.iso()),
        "time_max": format!("{} 23:59:59", until.iso()),
        "page_size": 50,
    });
    call("calendar_search_events", arguments)
}

fn coming(office: &Office) -> impl Iterator<Item = &Event> {
    office.events.iter().filter(|event| event.day > Day::TODAY)
}

fn update(event: &Event, field: &str, value: &str) -> Call {
    let arguments = json!({ "event_id": event.id, "field": field, "new_value": value });
    call("calendar_update_event", arguments)
}

/// Something to do.
pub(crate) fn clause(office: &Office, chance: &mut Chance) -> Clause {
    match chance.below(5) {
        0 => create(office, chance),
        1 => cancel_next(office, chance),
        2 => cancel_all(office, chance),
        3 => rename(office, chance),
        _ => change(office, chance),
    }
}

pub(crate) fn create(office: &Office, chance: &mut Chance) -> Clause {
    let (day, slot) = loop {
        let (day, slot) = (Day(Day::TODAY.0 + 1 + chance.below(21)), chance.below(SLOTS));
        let is_taken = office.events.iter().any(|event| event.day == day && event.slot == slot);
        if day.is_working_day() && !is_taken {
            break (day, slot);
        }
    };
    let (person, minutes) = (chance.below(words::STAFF.len()), 30 * (1 + chance.below(4)));
    let (name, with, time) = (chance.pick(&words::EVENTS), first_name(person), clock(slot));
    let text = match chance.below(2) {
        0 => format!(
            "schedule a '{name}' with {with} on {} at {time} for {minutes} minutes",
            day.name()
        ),
        _ => format!(
            "put '{name}' into the calendar: with {with}, on {} at {time}, {minutes} minutes",
            day.name()
        ),
    };
    let arguments = json!({
        "event_name": name,
        "participant_email": address(person),
        "event_start": format!("{} {time}:00", day.iso()),
        "duration": minutes.to_string(),
    });
    Clause::new(text, vec![find_person(person)], vec![call("calendar_create_event", arguments)])
}

/// All coming events with somebody.
fn with_somebody<'a>(
    office: &'a Office,
    chance: &mut Chance,
    counts: std::ops::RangeInclusive<usize>,
) -> (usize, Vec<&'a Event>) {
    loop {
        let person = chance.below(words::STAFF.len());
        let events: Vec<_> = coming(office).filter(|event| event.participant == person).collect();
        if counts.contains(&events.len()) {
            return (person, events);
        }
    }
}

fn look_up(person: usize) -> Vec<Call> {
    let (from, until) = (Day(Day::TODAY.0 + 1), Day(152));
    vec![find_person(person), search(&address(person), from, until)]
}

fn delete(event: &&Event) -> Call {
    call("calendar_delete_event", json!({ "event_id": event.id }))
}

fn cancel_next(office: &Office, chance: &mut Chance) -> Clause {
    let (person, events) = with_somebody(office, chance, 1..=9);
    let name = first_name(person);
    let text = match chance.below(2) {
        0 => format!("cancel my next meeting with {name}"),
        _ => format!("delete the first event with {name} that is still to come"),
    };
    Clause::new(text, look_up(person), vec![delete(&events[0])])
}

fn cancel_all(office: &Office, chance: &mut Chance) -> Clause {
    let (person, events) = with_somebody(office, chance, 2..=4);
    let text = format!("cancel all coming meetings with {}", first_name(person));
    Clause::new(text, look_up(person), events.iter().map(delete).collect())
}

/// The first or the last event of a day.
fn of_a_day<'a>(office: &'a Office, chance: &mut Chance) -> (&'static str, &'a Event) {
    let event = &office.events[chance.below(office.events.len())];
    let mut of_day = office.events.iter().filter(|other| other.day == event.day);
    match chance.below(2) {
        0 => ("first", of_day.next().expect("the day has an event")),
        _ => ("last", of_day.next_back().expect("the day has an event")),
    }
}

fn rename(office: &Office, chance: &mut Chance) -> Clause {
    let (which, event) = of_a_day(office, chance);
    let name = loop {
        let name = chance.pick(&words::EVENTS);
        if name != event.name {
            break name;
        }
    };
    let text = match chance.below(2) {
        0 => format!("rename the {which} event on {} to '{name}'", event.day.name()),
        _ => format!("call the {which} event on {} '{name}' from now on", event.day.name()),
    };
    let lookup = search("", event.day, event.day);
    Clause::new(text, vec![lookup], vec![update(event, "event_name", name)])
}

/// Another time, participant or duration.
fn change(office: &Office, chance: &mut Chance) -> Clause {
    let (which, event) = of_a_day(office, chance);
    let (day, lookup) = (event.day.name(), search("", event.day, event.day));
    match chance.below(3) {
        0 => {
            let minutes = event.minutes % 120 + 30;
            let text = format!("make the {which} event on {day} {minutes} minutes long");
            let action = update(event, "duration", &minutes.to_string());
            Clause::new(text, vec![lookup], vec![action])
        }
        1 => {
            let person =
                (event.participant + 1 + chance.below(words::STAFF.len() - 1)) % words::STAFF.len();
            let text = format!(
                "make {} the participant of the {which} event on {day}",
                first_name(person)
            );
            let action = update(event, "participant_email", &address(person));
            Clause::new(text, vec![lookup, find_person(person)], vec![action])
        }
        _ => {
            let slot = (event.slot + 1 + chance.below(SLOTS - 1)) % SLOTS;
            let time = clock(slot);
            let text = format!("move the {which} event on {day} to {time} of the same day");
            let action = update(event, "event_start", &format!("{} {time}:00", event.day.iso()));
            Clause::new(text, vec![lookup], vec![action])
        }
    }
}
