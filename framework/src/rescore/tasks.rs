//! The tasks that rollouts belong to, read as they are needed: from one file, or from the datasets that
//! the configuration names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::RescoreError;
use crate::config::Config;

/// Lines of a tasks file whose places are remembered, at most.
const PLACES_MAX: usize = 1 << 16;

/// Where the task of a rollout stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The dataset in the rollout's own key, `agent/dataset`.
    pub(super) dataset: Option<&'a str>,
    /// The agent that the rollout names.
    pub(super) agent: Option<&'a str>,
    /// The line, from 1.
    pub(super) line: u64,
}

/// The tasks of all rollouts.
pub(super) struct TaskFiles {
    /// The file with the tasks of all rollouts.
    given: Option<Given>,
    /// The configuration's datasets, by `agent/dataset`.
    datasets: BTreeMap<String, Dataset>,
}

struct Given {
    path: PathBuf,
    tasks: Mutex<Tasks>,
    /// Which of the configuration's datasets it is, as far as that is known: its file.
    is: Option<PathBuf>,
}

struct Dataset {
    agent: String,
    path: PathBuf,
    tasks: OnceLock<Result<Mutex<Tasks>, String>>,
}

impl TaskFiles {
    /// The tasks in a file, or in the configuration's datasets. `first` is the dataset in the key of
    /// the first rollout.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or there is neither.
    pub(super) fn new(
        config: &Config,
        given: Option<&Path>,
        first: Option<&str>,
    ) -> Result<Self, RescoreError> {
        let mut datasets = BTreeMap::new();
        for (agent, spec) in &config.agents {
            for data in &spec.datasets {
                let path = config.resolve(&data.path);
                let dataset = Dataset { agent: agent.clone(), path, tasks: OnceLock::new() };
                datasets.insert(format!("{agent}/{}", data.name), dataset);
            }
        }
        let Some(path) = given else {
            let given = None;
            return if datasets.is_empty() {
                Err(RescoreError::NoTasks)
            } else {
                Ok(Self { given, datasets })
            };
        };
        let read_error = |source| RescoreError::Read { path: path.to_owned(), source };
        let tasks = Mutex::new(Tasks::open(path).map_err(read_error)?);
        let real = std::fs::canonicalize(path).ok();
        let is_given = |dataset: &&Dataset| std::fs::canonicalize(&dataset.path).ok() == real;
        let dataset = datasets.values().find(is_given);
        let dataset = dataset.or_else(|| datasets.get(first?));
        let is = dataset.map(|dataset| dataset.path.clone());
        Ok(Self { given: Some(Given { path: path.to_owned(), tasks, is }), datasets })
    }

    /// The files that may be read.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let given = self.given.iter().map(|given| given.path.as_path());
        let datasets = self.datasets.values().map(|dataset| dataset.path.as_path());
        given.chain(datasets.filter(|_| self.given.is_none()))
    }

    /// The row of a task.
    ///
    /// # Errors
    /// Says why there is none.
    pub(super) fn row(&self, place: Place<'_>) -> Result<String, String> {
        let (path, tasks) = match &self.given {
            Some(given) => {
                self.check(given, place)?;
                (&given.path, &given.tasks)
            }
            None => {
                let dataset = self.dataset(place)?;
                (&dataset.path, dataset.tasks()?)
            }
        };
        let row = tasks.lock().unwrap_or_else(PoisonError::into_inner).read(place.line);
        let row = row.map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        row.ok_or_else(|| format!("`{}` has no line {}", path.display(), place.line))
    }

    /// Refuses a rollout whose task is known to stand in another file than the one that was given: a
    /// line of that would be the target of another task.
    fn check(&self, given: &Given, place: Place<'_>) -> Result<(), String> {
        let own = place.dataset.and_then(|name| self.datasets.get(name));
        match (own, &given.is) {
            (Some(own), Some(is)) if own.path != *is => Err(format!(
                "its task is in `{}`, not in `--tasks`; without `--tasks` each rollout has its own",
                own.path.display()
            )),
            _ => Ok(()),
        }
    }

    fn dataset(&self, place: Place<'_>) -> Result<&Dataset, String> {
        if let Some(name) = place.dataset {
            let unknown = || {
                format!("the configuration has no dataset `{name}`; name its file with `--tasks`")
            };
            return self.datasets.get(name).ok_or_else(unknown);
        }
        let is_its = |dataset: &&Dataset| place.agent.is_none_or(|agent| dataset.agent == agent);
        let mut own = self.datasets.values().filter(is_its);
        match (own.next(), own.next()) {
            (Some(dataset), None) => Ok(dataset),
            _ => {
                Err("it does not say which dataset its task is of; name that with `--tasks`".into())
            }
        }
    }
}

impl Dataset {
    fn tasks(&self) -> Result<&Mutex<Tasks>, String> {
        let open = || {
            let tasks = Tasks::open(&self.path);
            tasks.map(Mutex::new).map_err(|error| {
                format!("cannot read the tasks in `{}`: {error}", self.path.display())
            })
        };
        self.tasks.get_or_init(open).as_ref().map_err(Clone::clone)
    }
}

/// A tasks file, whose lines are read in any order and in constant memory: the places of every so
/// many lines are kept, fewer the longer the file is.
struct Tasks {
    file: BufReader<File>,
    /// Where the lines 0, `stride`, 2 · `stride` … begin.
    places: Vec<u64>,
    stride: u64,
    lines: u64,
    /// The line that the file is at, counted from 0.
    at: u64,
}

impl Tasks {
    fn open(path: &Path) -> io::Result<Self> {
        Self::indexed(path, PLACES_MAX)
    }

    fn indexed(path: &Path, places_max: usize) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(256 << 10, File::open(path)?);
        let (mut places, mut stride, mut lines, mut offset) = (Vec::new(), 1_u64, 0_u64, 0_u64);
        loop {
            let length = file.skip_until(b'\n')?;
            if length == 0 {
                file.rewind()?;
                return Ok(Self { file, places, stride, lines, at: 0 });
            }
            if lines.is_multiple_of(stride) {
                if places.len() == places_max {
                    let mut index = 0_usize;
                    places.retain(|_| {
                        index += 1;
                        !index.is_multiple_of(2)
                    });
                    stride *= 2;
                }
                if lines.is_multiple_of(stride) {
                    places.push(offset);
                }
            }
            lines += 1;
            offset += length as u64;
        }
    }

    /// The text of a line, counted from 1.
    fn read(&mut self, line: u64) -> io::Result<Option<String>> {
        let Some(index) = line.checked_sub(1).filter(|index| *index < self.lines) else {
            return Ok(None);
        };
        let is_near = (self.at..=self.at + self.stride).contains(&index);
        if !is_near {
            let place = index / self.stride;
            let offset = usize::try_from(place).ok().and_then(|place| self.places.get(place));
            let offset = offset.ok_or_else(|| io::Error::other("the tasks file has changed"))?;
            self.file.seek(SeekFrom::Start(*offset))?;
            self.at = place * self.stride;
        }
        while self.at < index {
            self.file.skip_until(b'\n')?;
            self.at += 1;
        }
        let mut text = String::new();
        // Should that fail, the file is somewhere in a line, and the next call has to seek.
        self.at = u64::MAX - self.stride;
        self.file.read_line(&mut text)?;
        self.at = index + 1;
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn tasks(text: &[u8], places_max: usize) -> Tasks {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        Tasks::indexed(file.path(), places_max).unwrap()
    }

    #[test]
    fn lines_are_read_in_any_order() {
        let mut lines = tasks(b"a\n\nb\nlast", PLACES_MAX);
        let read: Vec<_> =
            [3, 1, 4, 2, 0, 5].map(|line| lines.read(line).unwrap()).into_iter().collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(read, [text("b\n"), text("a\n"), text("last"), text("\n"), None, None]);
    }

    #[test]
    fn the_places_that_are_kept_are_bounded_however_long_the_file_is() {
        let text: String = (1..=100_000).map(|line| format!("{line}\n")).collect();
        let mut lines = tasks(text.as_bytes(), 64);
        assert!(lines.places.len() <= 64, "{}", lines.places.len());
        for line in [1, 100_000, 50_000, 50_001, 50_000, 3, 99_999] {
            assert_eq!(lines.read(line).unwrap(), Some(format!("{line}\n")));
        }
        assert_eq!(lines.read(100_001).unwrap(), None);
    }

    #[test]
    fn a_line_that_is_no_text_fails_alone() {
        let mut lines = tasks(b"a\n\xff\nb\n", 1);
        assert!(lines.read(2).is_err());
        assert_eq!(lines.read(3).unwrap().as_deref(), Some("b\n"));
        assert_eq!(lines.read(1).unwrap().as_deref(), Some("a\n"));
    }

    proptest! {
        #[test]
        fn any_index_finds_every_line(
            count in 0_u64..200,
            places_max in 1_usize..20,
            wanted in prop::collection::vec(0_u64..220, 1..40),
        ) {
            let text: String = (1..=count).map(|line| format!("line {line}\n")).collect();
            let mut lines = tasks(text.as_bytes(), places_max);
            for line in wanted {
                let expected = (1..=count).contains(&line).then(|| format!("line {line}\n"));
                prop_assert_eq!(lines.read(line).unwrap(), expected);
            }
        }
    }
}
