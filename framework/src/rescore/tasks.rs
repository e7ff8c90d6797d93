//! Recorded rollouts in portions, and the tasks that they belong to, read as they are needed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use super::{Provenance, RescoreError};
use crate::lines::{LINE_MAX, LineError, Lines};

/// Rows of a portion, at most.
const ROWS_MAX: usize = 16;
/// A portion that has so many bytes is full; a longer row is a portion of its own.
const BYTES_ENOUGH: usize = 256 << 10;
/// Lines of a tasks file whose places are remembered, at most.
const PLACES_MAX: usize = 1 << 16;

/// A rollout as it stands in its file.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) text: Result<String, String>,
}

/// Some rows, in their order.
pub(super) struct Portion {
    pub(super) rows: Vec<Row>,
    /// Where the last of them ends in the file, in bytes.
    pub(super) end: u64,
}

/// The rollouts file.
pub(super) struct Rollouts(Lines);

impl Rollouts {
    pub(super) fn open(path: &Path) -> Result<Self, RescoreError> {
        let read_error = |source| RescoreError::Read { path: path.to_owned(), source };
        Lines::open(path).map(Self).map_err(read_error)
    }

    /// The next rows; `None` at the end.
    pub(super) fn next_portion(&mut self) -> Option<Portion> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while rows.len() < ROWS_MAX && bytes < BYTES_ENOUGH {
            let text = match self.0.advance() {
                Ok(false) => break,
                Ok(true) => {
                    let text = self.0.text();
                    bytes += text.len();
                    String::from_utf8(text.to_vec()).map_err(|error| error.to_string())
                }
                Err(LineError::TooLong) => Err(format!("longer than {LINE_MAX} bytes")),
                Err(LineError::Read(error)) => {
                    let line = self.0.number();
                    tracing::error!("line {line}: cannot read any further: {error}");
                    break;
                }
            };
            rows.push(Row { line: self.0.number(), text });
        }
        (!rows.is_empty()).then(|| Portion { rows, end: self.0.offset() })
    }
}

/// The dataset line in a record's own key.
pub(super) fn key_line(provenance: &Provenance) -> Option<u64> {
    provenance.task.as_str().rsplit_once('/')?.1.parse().ok()
}

/// The tasks file, whose lines are read in any order and in constant memory: the places of every so
/// many lines are kept, fewer the longer the file is.
pub(super) struct Tasks {
    file: BufReader<File>,
    /// Where the lines 0, `stride`, 2 · `stride` … begin.
    places: Vec<u64>,
    stride: u64,
    lines: u64,
    /// The line that the file is at, counted from 0.
    at: u64,
}

impl Tasks {
    pub(super) fn open(path: &Path) -> Result<Self, RescoreError> {
        let read_error = |source| RescoreError::Read { path: path.to_owned(), source };
        Self::indexed(path, PLACES_MAX).map_err(read_error)
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
    pub(super) fn read(&mut self, line: u64) -> io::Result<Option<String>> {
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
