//! Files of rollouts, read line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::record::{Key, Record, RecordError, Wanted};
use super::table::{Place, Table};
use super::{Profile, ProfileError, ProfileProgress};
use crate::lines::{LINE_MAX, LineError, Lines};
use crate::recorder::failures_path;

/// What an agent gave up.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) by_culprit: BTreeMap<String, u64>,
    /// One more than the largest repeat.
    pub(super) repeats: u32,
}

/// What was given up, from the files beside the rollouts.
pub(super) fn read_failures(
    rollouts: &[PathBuf],
) -> Result<BTreeMap<String, Failures>, ProfileError> {
    let mut failures: BTreeMap<String, Failures> = BTreeMap::new();
    for path in rollouts {
        let path = failures_path(path);
        if !path.exists() {
            continue;
        }
        each_line(&path, |_, line, _| {
            let (key, culprit) = Key::of_failure(line)?;
            let failures = failures.entry(key.agent).or_default();
            failures.repeats = failures.repeats.max(key.repeat.map_or(0, |repeat| repeat + 1));
            *failures.by_culprit.entry(culprit).or_default() += 1;
            Ok(())
        })?;
    }
    Ok(failures)
}

/// The state of reading rollouts.
pub(super) struct Reading<'a> {
    profile: &'a Profile,
    wanted: Wanted<'a>,
    pub(super) tables: BTreeMap<String, Table>,
    pub(super) left_out: u64,
    progress: ProfileProgress,
}

/// Rollouts between two reports of progress.
const REPORT_EVERY: u64 = 4096;

impl<'a> Reading<'a> {
    pub(super) fn new(profile: &'a Profile) -> Result<Self, ProfileError> {
        let mut progress = ProfileProgress::default();
        for path in &profile.rollouts {
            let metadata = std::fs::metadata(path);
            let metadata =
                metadata.map_err(|source| ProfileError::Read { path: path.clone(), source })?;
            progress.bytes_total += metadata.len();
        }
        let wanted =
            Wanted { answer: profile.answer.as_deref(), subset: profile.subset.as_deref() };
        Ok(Self { profile, wanted, tables: BTreeMap::new(), left_out: 0, progress })
    }

    pub(super) fn read(
        &mut self,
        index: usize,
        report: &mut impl FnMut(ProfileProgress),
    ) -> Result<(), ProfileError> {
        let Self { profile, wanted, tables, progress, .. } = self;
        let path = &profile.rollouts[index];
        let file = u32::try_from(index).expect("fewer files than a command line holds");
        let before = progress.bytes;
        self.left_out += each_line(path, |end, line, length| {
            let record = Record::parse(line, wanted)?;
            let place = Place { file, offset: end - length, length: length as u32 };
            if !tables.contains_key(&record.agent) {
                tables.insert(record.agent.clone(), Table::default());
            }
            let table = tables.get_mut(&record.agent).expect("inserted above");
            table.add(record, place);
            progress.rollouts += 1;
            progress.bytes = before + end;
            if progress.rollouts.is_multiple_of(REPORT_EVERY) {
                report(*progress);
            }
            Ok(())
        })?;
        report(*progress);
        Ok(())
    }
}

/// Passes each line of a file on: where it ends, its text, its length to that end. Returns how many
/// were malformed, each of which has been reported.
fn each_line(
    path: &Path,
    mut read: impl FnMut(u64, &[u8], u64) -> Result<(), RecordError>,
) -> Result<u64, ProfileError> {
    let read_error = |source| ProfileError::Read { path: path.to_owned(), source };
    let mut lines = Lines::open(path).map_err(read_error)?;
    let mut left_out = 0;
    loop {
        let before = lines.offset();
        let reason = match lines.advance() {
            Ok(false) => return Ok(left_out),
            Ok(true) => {
                let end = lines.offset();
                match read(end, lines.text(), end - before) {
                    Ok(()) => continue,
                    Err(error) => error.to_string(),
                }
            }
            Err(LineError::TooLong) => format!("longer than {LINE_MAX} bytes"),
            Err(LineError::Read(source)) => return Err(read_error(source)),
        };
        left_out += 1;
        let number = lines.number();
        tracing::warn!("`{}` line {number}: {reason}; it is left out", path.display());
    }
}

/// The rollouts that were to be made, by agent.
pub(super) fn read_inputs(
    path: &Path,
) -> Result<BTreeMap<String, BTreeSet<(String, u32)>>, ProfileError> {
    let mut inputs: BTreeMap<String, BTreeSet<(String, u32)>> = BTreeMap::new();
    let mut twice = None;
    each_line(path, |_, line, _| {
        let Key { agent, task, repeat } = Key::parse(line)?;
        let of_agent = inputs.entry(agent).or_default();
        let repeat = repeat.unwrap_or_else(|| {
            let same = (task.clone(), 0)..=(task.clone(), u32::MAX);
            of_agent.range(same).next_back().map_or(0, |(_, last)| last + 1)
        });
        if !of_agent.insert((task.clone(), repeat)) {
            twice = Some((task, repeat));
        }
        Ok(())
    })?;
    match twice {
        Some((task, repeat)) => Err(ProfileError::Twice { task, repeat }),
        None => Ok(inputs),
    }
}
