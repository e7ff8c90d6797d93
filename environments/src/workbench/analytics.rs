//! Web analytics: visits to the company's site, counted by date. The table never changes; what a
//! session makes here are plots.

use std::collections::BTreeMap;

use framework::environment::python::{Json, text_of};

use super::call::{Answer, Arguments, Exception, is_one_of, type_name};
use super::table::{Cell, Columns, Record, Row};
use super::world::{Visit, World, comparable, is_value};

/// The columns of the table.
pub(super) const COLUMNS: Columns = &[
    "date_of_visit",
    "visitor_id",
    "page_views",
    "session_duration_seconds",
    "traffic_source",
    "user_engaged",
];
/// Where they stand.
pub(super) const DATE: usize = 0;
const VISITOR: usize = 1;
/// How long a visit took.
pub(super) const DURATION: usize = 3;
/// Where a visitor came from.
pub(super) const SOURCE: usize = 4;
/// Whether the visitor did something.
pub(super) const ENGAGED: usize = 5;

/// Tells all visits of a visitor.
pub(super) fn get_visitor_information_by_id(
    world: &World,
    call: &Arguments,
) -> Result<Answer, Exception> {
    let Some(id) = call.truthy("visitor_id") else { return Ok("Visitor ID not provided.".into()) };
    let visits = &world.office.visits;
    comparable(id, visits.len())?;
    let of_visitor = visits.iter().filter(|visit| is_value(&visit.row[VISITOR], id));
    let found: Vec<_> = of_visitor.map(|visit| record(world, visit)).collect();
    match found.is_empty() {
        true => Ok("Visitor not found.".into()),
        false => Ok(Answer::Records(found)),
    }
}

fn record(world: &World, visit: &Visit) -> Record {
    if !world.durations_are_numbers {
        return Record { columns: COLUMNS, row: visit.row.clone() };
    }
    let mut cells = visit.row.to_vec();
    cells[DURATION] =
        visit.duration.map_or(Cell::Missing, |seconds| (&Json::Float(seconds)).into());
    Record { columns: COLUMNS, row: Row::from(cells) }
}

/// Takes note of a plot; nothing is drawn.
pub(super) fn create_plot(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    const VALUES: [&str; 7] = [
        "total_visits",
        "session_duration_seconds",
        "user_engaged",
        "visits_direct",
        "visits_referral",
        "visits_search_engine",
        "visits_social_media",
    ];
    const TYPES: [&str; 4] = ["bar", "line", "scatter", "histogram"];
    let Some(min) = call.truthy("time_min") else { return Ok("Start date not provided.".into()) };
    let Some(max) = call.truthy("time_max") else { return Ok("End date not provided.".into()) };
    let value = call.get("value_to_plot");
    if !is_one_of(value, &VALUES) {
        let values = VALUES.join("', '");
        return Ok(format!("Value to plot must be one of '{values}'").into());
    }
    let kind = call.get("plot_type");
    if !is_one_of(kind, &TYPES) {
        let text = "Plot type must be one of 'bar', 'line', 'scatter', or 'histogram'";
        return Ok(text.into());
    }
    let [min, max, value, kind] = [min, max, value, kind].map(text_of);
    let path = format!("plots/{min}_{max}_{value}_{kind}.png");
    world.plots.push(path.as_str().into());
    Ok(path.into())
}

/// The visits between two dates, compared as text.
fn visits<'a>(world: &'a World, call: &Arguments) -> Result<Vec<&'a Visit>, Exception> {
    let mut found: Vec<_> = world.office.visits.iter().collect();
    for (name, operator) in [("time_min", ">="), ("time_max", "<=")] {
        let Some(bound) = call.truthy(name) else { continue };
        let Json::String(bound) = bound else {
            comparable(bound, found.len())?;
            if found.is_empty() {
                continue;
            }
            let name = type_name(bound);
            let what = "not supported between instances of 'str' and";
            return Err(Exception(format!("'{operator}' {what} '{name}'")));
        };
        found.retain(|visit| match operator {
            ">=" => *visit.date >= **bound,
            _ => *visit.date <= **bound,
        });
    }
    Ok(found)
}

/// Counts visits by date, of those that a condition counts; dates without any are kept.
fn count(visits: &[&Visit], counts: impl Fn(&Visit) -> bool) -> Answer {
    let mut by_date = BTreeMap::<&str, usize>::new();
    for visit in visits {
        *by_date.entry(&visit.date).or_default() += usize::from(counts(visit));
    }
    Answer::Counts(by_date.into_iter().map(|(date, count)| (date.into(), count)).collect())
}

/// Counts the visits of each date.
pub(super) fn total_visits_count(world: &World, call: &Arguments) -> Result<Answer, Exception> {
    Ok(count(&visits(world, call)?, |_| true))
}

/// Counts the visitors of each date who did something.
pub(super) fn engaged_users_count(world: &World, call: &Arguments) -> Result<Answer, Exception> {
    Ok(count(&visits(world, call)?, |visit| visit.engaged))
}

/// Counts the visits of each date that came from one source.
pub(super) fn traffic_source_count(world: &World, call: &Arguments) -> Result<Answer, Exception> {
    let visits = visits(world, call)?;
    let Some(source) = call.truthy("traffic_source") else { return Ok(count(&visits, |_| true)) };
    comparable(source, visits.len())?;
    Ok(count(&visits, |visit| is_value(&visit.row[SOURCE], source)))
}

/// Tells how long the visits of each date took on average.
pub(super) fn get_average_session_duration(
    world: &mut World,
    call: &Arguments,
) -> Result<Answer, Exception> {
    let is_bounded = ["time_min", "time_max"].iter().any(|name| call.truthy(name).is_some());
    let mut by_date = BTreeMap::<&str, Sum>::new();
    for visit in visits(world, call)? {
        let sum = by_date.entry(&visit.date).or_default();
        if let Some(seconds) = visit.duration {
            sum.add(seconds);
        }
    }
    let means = by_date.into_iter().map(|(date, sum)| (date.into(), sum.mean())).collect();
    // Without bounds, NeMo Gym turns the durations of its own table into numbers, for good.
    world.durations_are_numbers |= !is_bounded;
    Ok(Answer::Means(means))
}

/// A sum as pandas makes it for means: by Kahan's algorithm.
#[derive(Default)]
struct Sum {
    sum: f64,
    compensation: f64,
    count: usize,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let value = value - self.compensation;
        let sum = self.sum + value;
        self.compensation = sum - self.sum - value;
        self.sum = sum;
        self.count += 1;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }
}
