//! Recorded rollouts in portions.

use std::io;
use std::path::Path;

use crate::lines::{LINE_MAX, LineError, Lines};

/// Rows of a portion, at most.
const ROWS_MAX: usize = 16;
/// A portion that has so many bytes is full; a longer row is a portion of its own.
const BYTES_ENOUGH: usize = 256 << 10;

/// A rollout as it stands in its file.
pub(super) struct Text {
    pub(super) line: u64,
    pub(super) text: Result<String, String>,
}

/// Some rows, in their order.
pub(super) struct Portion {
    pub(super) rows: Vec<Text>,
    /// Where the last of them ends in the file, in bytes.
    pub(super) end: u64,
}

/// The rollouts file.
pub(super) struct Rollouts(Lines);

impl Rollouts {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Lines::open(path).map(Self)
    }

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// Fails if the file cannot be read any further, at its first row.
    pub(super) fn next_portion(&mut self) -> io::Result<Option<Portion>> {
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
                // The rows before it are a portion; whoever asks for the next one meets it again.
                Err(LineError::Read(error)) if rows.is_empty() => return Err(error),
                Err(LineError::Read(_)) => break,
            };
            rows.push(Text { line: self.0.number(), text });
        }
        let end = self.0.offset();
        Ok(Some(Portion { rows, end }).filter(|portion| !portion.rows.is_empty()))
    }
}
