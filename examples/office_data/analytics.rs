//! Things to do with web analytics, and conditions that it decides.

use serde_json::json;

use super::chance::Chance;
use super::clause::{Call, Clause, Condition, call};
use super::office::{Day, Office, Visit};

const VALUES: [(&str, &str); 7] = [
    ("total_visits", "the total visits"),
    ("session_duration_seconds", "the session durations"),
    ("user_engaged", "the engaged users"),
    ("visits_direct", "the direct visits"),
    ("visits_referral", "the visits by referral"),
    ("visits_search_engine", "the visits from search engines"),
    ("visits_social_media", "the visits from social media"),
];
const TYPES: [(&str, &str); 4] = [
    ("bar", "a bar chart"),
    ("line", "a line chart"),
    ("scatter", "a scatter plot"),
    ("histogram", "a histogram"),
];

/// Two days, the earlier one first.
fn span(chance: &mut Chance) -> [Day; 2] {
    let first = Day::SEPTEMBER.0 + chance.below(84);
    [Day(first), Day(first + 1 + chance.below(Day::TODAY.0 - first))]
}

fn plot(days: [Day; 2], value: &str, kind: &str) -> Call {
    let [min, max] = days.map(Day::iso);
    let arguments =
        json!({ "time_min": min, "time_max": max, "value_to_plot": value, "plot_type": kind });
    call("analytics_create_plot", arguments)
}

/// Something to do.
pub(crate) fn clause(office: &Office, chance: &mut Chance) -> Clause {
    match chance.below(3) {
        0 => one(chance),
        1 => two(chance),
        _ => choice(office, chance),
    }
}

pub(crate) fn one(chance: &mut Chance) -> Clause {
    let days = span(chance);
    let (value, what) = VALUES[chance.below(VALUES.len())];
    let (kind, how) = TYPES[chance.below(TYPES.len())];
    let [from, until] = days.map(Day::name);
    let text = match chance.below(2) {
        0 => format!("plot {what} from {from} to {until} as {how}"),
        _ => format!("make {how} of {what} between {from} and {until}"),
    };
    Clause::new(text, vec![], vec![plot(days, value, kind)])
}

fn two(chance: &mut Chance) -> Clause {
    let days = span(chance);
    let first = chance.below(VALUES.len());
    let second = (first + 1 + chance.below(VALUES.len() - 1)) % VALUES.len();
    let (kind, how) = TYPES[chance.below(TYPES.len())];
    let values = [VALUES[first], VALUES[second]];
    let [from, until] = days.map(Day::name);
    let text = format!(
        "make {how} of {} and then one of {}, each from {from} to {until}",
        values[0].1, values[1].1
    );
    Clause::new(text, vec![], values.map(|(value, _)| plot(days, value, kind)).into())
}

fn choice(office: &Office, chance: &mut Chance) -> Clause {
    let (condition, days) = condition(office, chance);
    let (value, what) = VALUES[chance.below(VALUES.len())];
    let [from, until] = days.map(Day::name);
    let clause = |kind: (&str, &str)| {
        let text = format!("plot {what} from {from} to {until} as {}", kind.1);
        Clause::new(text, vec![], vec![plot(days, value, kind.0)])
    };
    Clause::choice(condition, clause(TYPES[0]), clause(TYPES[1]))
}

/// Something that the visits of two days decide.
pub(crate) fn condition(office: &Office, chance: &mut Chance) -> (Condition, [Day; 2]) {
    loop {
        let days = span(chance);
        let [from, until] = days.map(Day::name);
        let of_day = |day: Day| office.visits.iter().filter(move |visit| visit.day == day);
        let count =
            |counts: fn(&Visit) -> bool| days.map(|day| of_day(day).filter(|v| counts(v)).count());
        let (text, tool, [first, last]) = match chance.below(3) {
            0 => (
                format!("more people visited the site on {until} than on {from}"),
                "analytics_total_visits_count",
                count(|_| true),
            ),
            1 => (
                format!("there were more engaged users on {until} than on {from}"),
                "analytics_engaged_users_count",
                count(|visit| visit.engaged),
            ),
            _ => {
                let seconds = |day| of_day(day).map(|visit| visit.seconds).sum::<usize>();
                let visits = days.map(|day| of_day(day).count().max(1));
                // Means, compared as fractions.
                let [first, last] = days.map(seconds);
                (
                    format!("sessions were longer on average on {until} than on {from}"),
                    "analytics_get_average_session_duration",
                    [first * visits[1], last * visits[0]],
                )
            }
        };
        if first == last {
            continue;
        }
        let look = |day: Day| call(tool, json!({ "time_min": day.iso(), "time_max": day.iso() }));
        return (Condition { text, lookups: days.map(look).into(), holds: last > first }, days);
    }
}

/// A condition that another clause depends on.
pub(crate) fn any_condition(office: &Office, chance: &mut Chance) -> Condition {
    condition(office, chance).0
}
