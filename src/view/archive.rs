//! The files that are looked at: what is known of each line, and the lines themselves.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::Serialize;

use super::entry::{Entry, Names};

/// Malformed lines that are remembered of a file; the others are only counted.
pub(super) const MALFORMED_MAX: usize = 1_000;

/// Everything that is known, shared by who reads the files and who answers requests.
#[derive(Debug)]
pub(super) struct Archive(RwLock<State>);

/// What is known now.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) sources: Vec<Source>,
    pub(super) names: Names,
    /// Goes up with every change.
    pub(super) version: u64,
    /// Whether all that was there at the last look has been read.
    pub(super) is_settled: bool,
}

/// A file.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// Whether the user named it; failures beside rollouts may be absent.
    pub(super) is_named: bool,
    pub(super) file: Option<Arc<File>>,
    /// Device and inode: another file may take its place.
    pub(super) identity: (u64, u64),
    /// When it was last written: seconds and nanoseconds.
    pub(super) written: (i64, i64),
    /// Its first bytes as they were: it may be written anew.
    pub(super) head: Vec<u8>,
    /// Its length when it was last looked at.
    pub(super) length: u64,
    /// Up to where it has been read.
    pub(super) indexed: u64,
    /// Lines up to there, blank ones included.
    pub(super) lines: u32,
    /// Whether the last of them had no line break yet.
    pub(super) is_open: bool,
    pub(super) entries: Vec<Entry>,
    pub(super) malformed: Vec<Malformed>,
    pub(super) malformed_total: u64,
    pub(super) error: Option<String>,
}

/// A line that is left out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Malformed {
    pub(super) line: u32,
    pub(super) reason: String,
    /// How it begins.
    pub(super) start: String,
}

/// Entries of consecutive lines, to be put behind those that are there. Lines count from 1.
#[derive(Debug, Default)]
pub(super) struct Portion {
    pub(super) entries: Vec<Entry>,
    pub(super) names: Names,
    pub(super) malformed: Vec<Malformed>,
    pub(super) malformed_total: u64,
    pub(super) lines: u32,
    /// Where the last of its lines ends; nothing if it has none.
    pub(super) end: Option<u64>,
    pub(super) is_open: bool,
}

/// A row: a file by its place on the command line, and a line. It survives a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowId {
    pub(super) file: usize,
    pub(super) line: u32,
}

impl RowId {
    /// Reads `<file>-<line>`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (file, line) = text.split_once('-')?;
        Some(Self { file: file.parse().ok()?, line: line.parse().ok()? })
    }
}

/// A row by its place in memory: quick, and valid for one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: u16,
    pub(super) index: u32,
}

impl Archive {
    /// Files that were named, each with its failures beside it.
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        let mut sources: Vec<Source> = Vec::new();
        for path in paths {
            sources.push(Source { path: path.clone(), is_named: true, ..Source::default() });
        }
        for path in paths {
            let path = rehearsal::framework::recorder::failures_path(path);
            if !sources.iter().any(|source| source.path == path) {
                sources.push(Source { path, ..Source::default() });
            }
        }
        Self(RwLock::new(State { sources, ..State::default() }))
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn entry(&self, place: Place) -> Option<&Entry> {
        self.sources.get(usize::from(place.file))?.entries.get(place.index as usize)
    }

    pub(super) fn find(&self, id: RowId) -> Option<Place> {
        let entries = &self.sources.get(id.file)?.entries;
        let index = entries.binary_search_by_key(&id.line, |entry| entry.line).ok()?;
        Some(Place { file: u16::try_from(id.file).ok()?, index: u32::try_from(index).ok()? })
    }

    pub(super) fn rows(&self) -> usize {
        self.sources.iter().map(|source| source.entries.len()).sum()
    }

    /// Puts a portion behind what is there of a file.
    pub(super) fn append(&mut self, file: usize, mut portion: Portion) {
        let source = &mut self.sources[file];
        let Some(end) = portion.end else { return };
        self.names.adopt(&portion.names, &mut portion.entries);
        for entry in &mut portion.entries {
            entry.line += source.lines;
        }
        for malformed in &mut portion.malformed {
            malformed.line += source.lines;
        }
        let room = MALFORMED_MAX.saturating_sub(source.malformed.len());
        source.malformed.extend(portion.malformed.into_iter().take(room));
        source.malformed_total += portion.malformed_total;
        source.entries.extend(portion.entries);
        source.lines += portion.lines;
        source.indexed = end;
        source.is_open = portion.is_open;
        self.version += 1;
    }
}

impl Source {
    /// Forgets what was read, since the file is another now.
    pub(super) fn reset(&mut self) {
        let (path, is_named) = (std::mem::take(&mut self.path), self.is_named);
        *self = Self { path, is_named, ..Self::default() };
    }
}

/// The bytes of a line.
pub(super) fn read_line(file: &File, entry: &Entry) -> io::Result<Vec<u8>> {
    let mut text = vec![0; entry.length as usize];
    file.read_exact_at(&mut text, entry.offset)?;
    Ok(text)
}
