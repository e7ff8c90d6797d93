//! What charts show: bins and points, counted over the rows of a filter. The page draws them.

use serde::Serialize;

use super::archive::{Place, State};
use super::entry::{Ending, Entry};
use super::selection::tasks;

const BINS: usize = 20;
/// Points over time.
const MOMENTS: u32 = 60;
/// More dots are thinned out, evenly.
const DOTS_MAX: usize = 1_500;

/// All charts.
#[derive(Debug, Serialize)]
pub(super) struct Charts {
    pub(super) rows: usize,
    pub(super) mean: Option<f64>,
    pub(super) outcomes: Vec<Count>,
    pub(super) reasons: Vec<Count>,
    pub(super) rewards: Histogram,
    /// Mean rewards of tasks.
    pub(super) tasks: Histogram,
    pub(super) lengths: Lengths,
    pub(super) rate: Option<Rate>,
}

#[derive(Debug, Serialize)]
pub(super) struct Count {
    pub(super) name: String,
    pub(super) count: usize,
}

/// Counts of values in bins of the same width.
#[derive(Debug, Serialize)]
pub(super) struct Histogram {
    pub(super) total: usize,
    pub(super) low: f32,
    pub(super) high: f32,
    pub(super) bins: Vec<usize>,
}

/// Lengths of outputs and their rewards.
#[derive(Debug, Serialize)]
pub(super) struct Lengths {
    /// Whether nobody counted tokens.
    pub(super) are_bytes: bool,
    pub(super) total: usize,
    pub(super) dots: Vec<(u32, f32)>,
    /// Mean reward of the shorter and of the longer half.
    pub(super) shorter: Option<f64>,
    pub(super) longer: Option<f64>,
}

/// Rollouts over time.
#[derive(Debug, Serialize)]
pub(super) struct Rate {
    /// Unix seconds.
    pub(super) start: u32,
    /// Seconds of a bin.
    pub(super) width: u32,
    pub(super) bins: Vec<usize>,
}

impl Charts {
    pub(super) fn of(state: &State, places: &[Place]) -> Self {
        let entries: Vec<_> = places.iter().filter_map(|place| state.entry(*place)).collect();
        let rewards: Vec<_> = entries.iter().filter_map(|entry| entry.reward()).collect();
        let means: Vec<_> = tasks(state, places).iter().filter_map(|task| task.mean).collect();
        Self {
            rows: entries.len(),
            mean: mean(rewards.iter().copied()),
            outcomes: outcomes(&entries),
            reasons: reasons(state, &entries),
            rewards: Histogram::of(&rewards),
            tasks: Histogram::of(&means),
            lengths: Lengths::of(&entries),
            rate: Rate::of(&entries),
        }
    }
}

fn outcomes(entries: &[&Entry]) -> Vec<Count> {
    let count = |ending: Ending| Count {
        name: serde_json::to_value(ending)
            .ok()
            .and_then(|name| Some(name.as_str()?.to_owned()))
            .unwrap_or_default(),
        count: entries.iter().filter(|entry| entry.ending == ending).count(),
    };
    Ending::ALL.into_iter().map(count).filter(|count| count.count > 0).collect()
}

fn reasons(state: &State, entries: &[&Entry]) -> Vec<Count> {
    let mut counts = vec![0; state.names.reasons.len()];
    for entry in entries {
        counts[usize::from(entry.reason)] += 1;
    }
    let named = state.names.reasons.iter().zip(counts).skip(1).filter(|(_, count)| *count > 0);
    let mut counts: Vec<_> =
        named.map(|(name, count)| Count { name: name.to_string(), count }).collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    counts
}

fn mean(values: impl ExactSizeIterator<Item = f32>) -> Option<f64> {
    let count = values.len();
    (count > 0).then(|| values.map(f64::from).sum::<f64>() / count as f64)
}

impl Histogram {
    /// Rewards are mostly between 0 and 1, which is always shown.
    fn of(values: &[f32]) -> Self {
        let low = values.iter().copied().fold(0.0, f32::min);
        let high = values.iter().copied().fold(1.0, f32::max);
        let width = (f64::from(high) - f64::from(low)) / BINS as f64;
        let mut bins = vec![0; BINS];
        for value in values {
            let bin = ((f64::from(*value) - f64::from(low)) / width) as usize;
            bins[bin.min(BINS - 1)] += 1;
        }
        Self { total: values.len(), low, high, bins }
    }
}

impl Lengths {
    fn of(entries: &[&Entry]) -> Self {
        let counts = |entry: &&&Entry| entry.tokens().is_some() && !entry.are_bytes;
        let are_bytes = !entries.iter().any(|entry| counts(&entry));
        let of_one_kind = entries.iter().filter(|entry| entry.are_bytes == are_bytes);
        let mut dots: Vec<_> =
            of_one_kind.filter_map(|entry| Some((entry.tokens()?, entry.reward()?))).collect();
        let step = dots.len().div_ceil(DOTS_MAX).max(1);
        let shown = dots.iter().copied().step_by(step).collect();
        dots.sort_unstable_by_key(|(length, _)| *length);
        let (shorter, longer) = dots.split_at(dots.len() / 2);
        let mean_of = |half: &[(u32, f32)]| mean(half.iter().map(|(_, reward)| *reward));
        let (shorter, longer) = (mean_of(shorter), mean_of(longer));
        Self { are_bytes, total: dots.len(), dots: shown, shorter, longer }
    }
}

impl Rate {
    /// Nothing, if responses do not say when they were made or all were made at once.
    fn of(entries: &[&Entry]) -> Option<Self> {
        let times = || entries.iter().filter_map(|entry| entry.created_at());
        let (start, end) = (times().min()?, times().max()?);
        let width = (end - start) / MOMENTS + 1;
        let mut bins = vec![0; ((end - start) / width + 1) as usize];
        for time in times() {
            bins[((time - start) / width) as usize] += 1;
        }
        (bins.len() > 1).then_some(Self { start, width, bins })
    }
}
