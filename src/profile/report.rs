//! The report: one HTML file with the tables and plots of a run, which needs no network to be read.
//!
//! Plots are SVG by the plotters crate; the page recolours their text and axes, so they follow the
//! reader's light or dark theme.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use minijinja::Environment;
use minijinja::value::Serde;
use plotters::prelude::*;
use rehearsal::framework::profile::spread::Moments;
use rehearsal::framework::profile::{AgentProfile, Comparison, Point, RunProfile};
use serde::Serialize;

use super::table::{self, Table};

const SIZE: (u32, u32) = (640, 320);
const BINS: usize = 20;
/// More points are thinned out, evenly.
const POINTS_MAX: usize = 2_000;
/// A shorter run has no rate over time to speak of.
const RATE_SECONDS_MIN: f64 = 10.0;
/// The colour of bars, dots and lines; readable on white and on near-black.
const INK: RGBColor = RGBColor(0x3b, 0x82, 0xf6);

#[derive(Serialize)]
struct Page {
    files: Vec<String>,
    left_out: u64,
    compared: Vec<HtmlTable>,
    agents: Vec<AgentPage>,
}

#[derive(Serialize)]
struct AgentPage {
    name: String,
    tables: Vec<HtmlTable>,
    plots: Vec<Plot>,
}

#[derive(Serialize)]
struct HtmlTable {
    title: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A plot, and what it shows in words.
#[derive(Serialize)]
struct Plot {
    title: &'static str,
    summary: String,
    svg: String,
}

impl From<Table> for HtmlTable {
    fn from(Table { title, header, rows }: Table) -> Self {
        Self { title, header, rows }
    }
}

/// The whole page.
pub(super) fn page(files: &[PathBuf], run: &RunProfile, comparison: Option<&Comparison>) -> String {
    let mut environment = Environment::new();
    let template = include_str!("report.html");
    environment.add_template("report.html", template).expect("the template is well-formed");
    let agents: Vec<_> = run.agents.iter().map(|(name, agent)| agent_page(name, agent)).collect();
    let compared: Vec<HtmlTable> = comparison
        .into_iter()
        .flat_map(|comparison| &comparison.agents)
        .flat_map(|(name, agent)| [table::compared(name, agent), table::changes(agent, 200)])
        .filter(|table| !table.rows.is_empty())
        .map(HtmlTable::from)
        .collect();
    let files: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    let page = environment.get_template("report.html").expect("it was added above");
    let values = Page { files, agents, compared, left_out: run.left_out };
    page.render(Serde(values)).expect("the template has these values only")
}

fn agent_page(name: &str, agent: &AgentProfile) -> AgentPage {
    let mut tables =
        vec![table::fields(name, agent), table::repeats("pass@k, in percent", &agent.repeats)];
    tables.extend(agent.subsets.iter().map(|(subset, repeats)| {
        table::repeats(&format!("{subset}: pass@k, in percent"), repeats)
    }));
    if !agent.failed.is_empty() {
        tables.push(table::failures(agent));
    }
    let points: Vec<Point> = agent.points().collect();
    let rewards: Vec<f64> = points.iter().map(|point| point.reward).collect();
    let means: Vec<f64> = agent.task_means().map(|(_, mean, _)| mean).collect();
    let mut plots = vec![
        histogram("Rewards", "reward", "rollouts", &rewards),
        histogram("Pass rates", "mean reward of a task", "tasks", &means),
        lengths(&points),
    ];
    plots.extend(rate(&points));
    AgentPage {
        name: name.to_owned(),
        tables: tables.into_iter().map(HtmlTable::from).collect(),
        plots,
    }
}

/// A range that is not empty, with a little room at its ends.
fn padded(values: impl Iterator<Item = f64> + Clone) -> Range<f64> {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    let room = if high > low { (high - low) * 0.05 } else { 0.5 };
    low - room..high + room
}

fn histogram(title: &'static str, x: &str, y: &str, values: &[f64]) -> Plot {
    let low = values.iter().copied().fold(0.0, f64::min);
    let high = values.iter().copied().fold(1.0, f64::max);
    let width = (high - low) / BINS as f64;
    let mut counts = [0_u64; BINS];
    for value in values {
        let bin = ((value - low) / width) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let svg = draw(low..high, 0.0..most as f64 * 1.05, x, y, |chart| {
        let bars = counts.iter().enumerate().map(|(bin, count)| {
            let left = low + bin as f64 * width;
            Rectangle::new([(left, 0.0), (left + width, *count as f64)], INK.filled())
        });
        chart.draw_series(bars).map(drop)
    });
    let moments = Moments::of(values);
    let summary = format!(
        "{} {y}, mean {:.3}, from {:.3} to {:.3}",
        values.len(),
        moments.mean().unwrap_or(0.0),
        values.iter().copied().fold(f64::INFINITY, f64::min),
        values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    );
    Plot { title, summary, svg }
}

fn lengths(points: &[Point]) -> Plot {
    let step = points.len().div_ceil(POINTS_MAX).max(1);
    let shown: Vec<_> = points.iter().step_by(step).map(|p| (p.length as f64, p.reward)).collect();
    let (x, y) = (padded(shown.iter().map(|p| p.0)), padded(shown.iter().map(|p| p.1)));
    let svg = draw(
        x.start.max(0.0)..x.end,
        y,
        "output, in tokens (bytes where nobody counted)",
        "reward",
        |chart| {
            chart
                .draw_series(shown.iter().map(|p| Circle::new(*p, 3, INK.mix(0.5).filled())))
                .map(drop)
        },
    );
    let mut by_length: Vec<_> = points.iter().map(|point| (point.length, point.reward)).collect();
    by_length.sort_by_key(|(length, _)| *length);
    let (shorter, longer) = by_length.split_at(by_length.len() / 2);
    let mean = |half: &[(u64, f64)]| Moments::over(half.iter().map(|p| p.1)).mean().unwrap_or(0.0);
    let summary = format!(
        "mean reward {:.3} of the shorter half, {:.3} of the longer; {} of {} rollouts are drawn",
        mean(shorter),
        mean(longer),
        shown.len(),
        points.len()
    );
    Plot { title: "Length against reward", summary, svg }
}

/// Rollouts per second over the time of the run, where responses say when they were made.
fn rate(points: &[Point]) -> Option<Plot> {
    let times: Vec<f64> = points.iter().filter_map(|point| point.created_at).collect();
    let start = times.iter().copied().fold(f64::INFINITY, f64::min);
    let end = times.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Times are whole seconds.
    if end - start < RATE_SECONDS_MIN {
        return None;
    }
    let width = ((end - start) / (BINS * 3) as f64).ceil().max(1.0);
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for time in &times {
        *counts.entry(((time - start) / width) as u64).or_default() += 1;
    }
    let last = counts.keys().next_back().copied().unwrap_or(0);
    let rates = (0..=last).map(|bin| {
        let count = counts.get(&bin).copied().unwrap_or(0);
        (bin as f64 * width, count as f64 / width)
    });
    let rates: Vec<_> = rates.collect();
    let most = rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let seconds = (last + 1) as f64 * width;
    let svg = draw(0.0..seconds, 0.0..most * 1.05, "seconds", "rollouts/s", |chart| {
        chart.draw_series(LineSeries::new(rates, INK.stroke_width(2))).map(drop)
    });
    let summary = format!(
        "{} rollouts in {:.0} s, {:.1}/s",
        times.len(),
        end - start,
        times.len() as f64 / (end - start)
    );
    Some(Plot { title: "Rate over time", summary, svg })
}

type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// A chart with axes and what `series` draws into it, as SVG.
fn draw(
    x: Range<f64>,
    y: Range<f64>,
    x_label: &str,
    y_label: &str,
    series: impl FnOnce(&mut Chart<'_, '_>) -> Drawn,
) -> String {
    let mut svg = String::new();
    let drawn = || -> Drawn {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc(x_label)
            .y_desc(y_label)
            .label_style(("sans-serif", 13))
            .draw()?;
        series(&mut chart)?;
        area.present()
    };
    drawn().expect("writing into memory does not fail");
    svg
}
