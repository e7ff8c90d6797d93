//! Pairs of rollouts of one task, one better than the other.
//!
//! The rollouts of a task may stand anywhere, so a first pass keeps what is needed to choose (48 bytes a
//! rollout), and a second one reads those that were chosen.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;

use framework::responses::Fields;
use framework::rows::{Format, RowWriter};
use serde_json::value::RawValue;

use super::chat::{Chat, Chats};
use super::record::{Head, Record};
use super::sft::add;
use super::{
    Export, ExportError, ExportProgress, ExportSummary, Skip, each_line, open, unreadable,
};

/// Which pairs are made.
#[derive(Clone, Debug)]
pub struct Dpo {
    /// What to read and write.
    pub export: Export,
    /// The better reward is at least so much above the worse.
    pub gap: f64,
    /// Pairs of one task, at most.
    pub pairs_per_task: NonZeroUsize,
}

/// Rollouts of a task that are looked at, the best and the worst of them: pairs grow with the square.
const LOOKED_AT_MAX: usize = 64;

/// Where a rollout is, and what it earned.
#[derive(Clone, Copy, Debug)]
struct Place {
    task: u32,
    file: u32,
    reward: f64,
    start: u64,
    end: u64,
}

/// A rollout as half of a pair.
struct Half {
    prompt: Chat,
    completion: Box<RawValue>,
    head: Head,
    extras: Fields,
}

impl Dpo {
    /// Writes pairs, by tasks in the order of their first rollout. Which ones is determined by the
    /// rollouts alone: the largest gap first, each rollout as seldom as can be.
    ///
    /// # Errors
    /// See [`ExportError`]. Malformed lines are reported and left out.
    pub fn run(
        &self,
        mut watch: impl FnMut(ExportProgress) -> ControlFlow<()>,
    ) -> Result<ExportSummary, ExportError> {
        if !self.gap.is_finite() || self.gap <= 0.0 {
            return Err(ExportError::Number("`--gap` must be above 0"));
        }
        let is_plain = |path: &&PathBuf| Format::of(path) == Format::Jsonl;
        if let Some(path) = self.export.rollouts.iter().find(|path| !is_plain(path)) {
            return Err(ExportError::NoPlaces { path: path.clone() });
        }
        let chats = self.export.chats()?;
        let mut output = self.export.create()?;
        let mut summary = ExportSummary::default();
        let mut places = self.places(&mut summary, &mut watch)?;
        places.sort_by(|a, b| a.task.cmp(&b.task).then(b.reward.total_cmp(&a.reward)));
        let mut files = Vec::new();
        for path in &self.export.rollouts {
            files.push(open(path)?);
        }
        let bytes: u64 = places.iter().map(|it| it.end - it.start).sum();
        let mut progress = ExportProgress {
            rollouts: summary.rollouts,
            bytes_total: bytes,
            ..ExportProgress::default()
        };
        for places in places.chunk_by(|a, b| a.task == b.task) {
            summary.tasks += 1;
            summary.examples += self.pair(places, &mut files, &chats, &mut output)?;
            progress.examples = summary.examples;
            progress.bytes += places.iter().map(|it| it.end - it.start).sum::<u64>();
            if watch(progress).is_break() {
                return Err(ExportError::Cancelled);
            }
        }
        output.seal()?.publish()?;
        Ok(summary)
    }

    /// Where the rollouts are.
    fn places(
        &self,
        summary: &mut ExportSummary,
        watch: &mut dyn FnMut(ExportProgress) -> ControlFlow<()>,
    ) -> Result<Vec<Place>, ExportError> {
        let mut places = Vec::new();
        let mut tasks: HashMap<u128, u32> = HashMap::new();
        each_line(&self.export, summary, watch, |line, _| {
            let head = match Head::parse(line.text) {
                Ok(head) if head.is_truncated && !self.export.truncated => {
                    return Ok(Err(Skip::PassedOver));
                }
                Ok(head) => head,
                Err(skip) => return Ok(Err(skip)),
            };
            let (start, end) = line.place.expect("the files are plain");
            let next = u32::try_from(tasks.len()).expect("fewer tasks than fit into memory");
            let task = *tasks.entry(fingerprint(&head)).or_insert(next);
            let file = u32::try_from(line.file).expect("fewer files than a command line holds");
            places.push(Place { task, file, reward: head.reward, start, end });
            Ok(Ok(()))
        })?;
        Ok(places)
    }

    /// Writes the pairs of a task, whose rollouts are sorted by falling reward; how many there are.
    fn pair(
        &self,
        places: &[Place],
        files: &mut [File],
        chats: &Chats,
        output: &mut RowWriter,
    ) -> Result<u64, ExportError> {
        let looked_at = best_and_worst(places);
        let rewards: Vec<f64> = looked_at.iter().map(|place| place.reward).collect();
        let mut written = 0;
        for (better, worse) in Pairs::new(&rewards, self.gap) {
            let chosen = self.half(looked_at[better], files, chats)?;
            let rejected = self.half(looked_at[worse], files, chats)?;
            let (Some(chosen), Some(rejected)) = (chosen, rejected) else { continue };
            let is_same_prompt = chosen.prompt.messages.get() == rejected.prompt.messages.get();
            let is_same_answer = chosen.completion.get() == rejected.completion.get();
            if !is_same_prompt || is_same_answer {
                continue;
            }
            output.write(&self.example(chosen, rejected))?;
            written += 1;
            if written == self.pairs_per_task.get() {
                break;
            }
        }
        Ok(written as u64)
    }

    /// Reads a rollout; `None` if no chat can be made of it, which has been reported.
    fn half(
        &self,
        place: Place,
        files: &mut [File],
        chats: &Chats,
    ) -> Result<Option<Half>, ExportError> {
        let path = &self.export.rollouts[place.file as usize];
        let file = &mut files[place.file as usize];
        let mut line = vec![0; (place.end - place.start) as usize];
        let read = file.seek(SeekFrom::Start(place.start)).and_then(|_| file.read_exact(&mut line));
        read.map_err(|error| unreadable(path, error))?;
        let text = line.trim_ascii();
        let Ok(head) = Head::parse(text) else {
            return Err(ExportError::Changed { path: path.clone() });
        };
        let half = Record::parse(text, head).and_then(|record| {
            let Record { params, response, head, extras } = record;
            let prompt = chats.prompt(&params)?;
            let completion = chats.completion(response.output)?;
            Ok(Half { prompt, completion, head, extras })
        });
        match half {
            Ok(half) => Ok(Some(half)),
            Err(Skip::PassedOver) => Ok(None),
            Err(Skip::Malformed(reason)) => {
                let at = place.start;
                tracing::warn!("`{}` byte {at}: {reason}; it is left out", path.display());
                Ok(None)
            }
        }
    }

    fn example(&self, chosen: Half, rejected: Half) -> String {
        let mut example = Fields::default();
        example.set_raw("prompt", chosen.prompt.messages);
        example.set_raw("chosen", chosen.completion);
        example.set_raw("rejected", rejected.completion);
        if let Some(tools) = chosen.prompt.tools {
            example.set_raw("tools", tools);
        }
        example.set("chosen_reward", &chosen.head.reward);
        example.set("rejected_reward", &rejected.head.reward);
        chosen.head.write(&mut example);
        if self.export.with_task {
            add(&mut example, &chosen.extras);
        }
        serde_json::to_string(&example).expect("fields serialise to JSON")
    }
}

/// Stands for a task; two that share one are as unlikely as a broken disk.
fn fingerprint(head: &Head) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, &head.agent, &head.task).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// The first and the last rollouts of many.
fn best_and_worst(places: &[Place]) -> Vec<Place> {
    if places.len() <= LOOKED_AT_MAX {
        return places.to_vec();
    }
    let half = LOOKED_AT_MAX / 2;
    [&places[..half], &places[places.len() - half..]].concat()
}

/// Pairs of a better and a worse one, in the order in which they are taken: rounds in which each rollout
/// occurs once more, the largest gap first in each.
struct Pairs {
    /// Those that have not been taken.
    left: Vec<(usize, usize)>,
    uses: Vec<u32>,
    round: u32,
    at: usize,
}

impl Pairs {
    /// The pairs of rollouts whose rewards fall.
    fn new(rewards: &[f64], gap_min: f64) -> Self {
        let gap = |(better, worse): &(usize, usize)| rewards[*better] - rewards[*worse];
        let all = (0..rewards.len())
            .flat_map(|better| (better + 1..rewards.len()).rev().map(move |worse| (better, worse)));
        let mut left: Vec<_> = all.filter(|pair| gap(pair) >= gap_min).collect();
        left.sort_by(|a, b| gap(b).total_cmp(&gap(a)));
        Self { left, uses: vec![0; rewards.len()], round: 1, at: 0 }
    }
}

impl Iterator for Pairs {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        while !self.left.is_empty() {
            let (uses, round) = (&self.uses, self.round);
            let is_free =
                |(better, worse): &(usize, usize)| uses[*better] < round && uses[*worse] < round;
            match self.left[self.at..].iter().position(is_free) {
                Some(index) => {
                    self.at += index;
                    let (better, worse) = self.left.remove(self.at);
                    self.uses[better] += 1;
                    self.uses[worse] += 1;
                    return Some((better, worse));
                }
                None => (self.round, self.at) = (self.round + 1, 0),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_begin_with_the_largest_gap_and_use_each_rollout_as_seldom_as_can_be() {
        let pairs: Vec<_> = Pairs::new(&[1.0, 1.0, 0.5, 0.0], 0.5).collect();
        assert_eq!(pairs, [(0, 3), (1, 2), (1, 3), (0, 2), (2, 3)]);
        assert_eq!(Pairs::new(&[1.0, 1.0], 0.1).count(), 0);
        assert_eq!(Pairs::new(&[1.0, 0.6, 0.5], 0.5).collect::<Vec<_>>(), [(0, 2)]);
        assert_eq!(Pairs::new(&[], 0.1).count(), 0);
    }

    #[test]
    fn of_many_rollouts_the_best_and_the_worst_are_looked_at() {
        let place = |reward| Place { task: 0, file: 0, reward, start: 0, end: 0 };
        let places: Vec<_> = (0..1000).rev().map(|reward| place(f64::from(reward))).collect();
        let looked_at = best_and_worst(&places);
        assert_eq!((looked_at.len(), looked_at[0].reward, looked_at[63].reward), (64, 999.0, 0.0));
    }
}
