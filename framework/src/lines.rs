//! Lines of a file, one in memory at a time and none longer than any task should be.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// How much is read from a file at a time.
const BUFFER: usize = 256 << 10;

/// The longest line that is read: 256 MiB, far above what a prompt with images takes.
pub const LINE_MAX: usize = 256 << 20;

/// A file being read.
pub struct Lines<R = File> {
    reader: BufReader<R>,
    number: u64,
    offset: u64,
    buffer: Vec<u8>,
}

/// Why there is no next line.
pub enum LineError {
    /// The file cannot be read any further.
    Read(io::Error),
    /// This line is longer than [`LINE_MAX`]; the next one can be read.
    TooLong,
}

impl From<io::Error> for LineError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl Lines {
    /// Opens a file at its start.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_at(path, 0)
    }

    /// Opens a file at an offset in bytes. Lines are numbered from there.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn open_at(path: &Path, offset: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self { offset, ..Self::of(file) })
    }
}

impl<R: Read> Lines<R> {
    pub(crate) fn of(source: R) -> Self {
        let reader = BufReader::with_capacity(BUFFER, source);
        Self { reader, number: 0, offset: 0, buffer: Vec::new() }
    }

    /// The number of the last line read, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where the last line read ends, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the last line read ends in a line break: the file's last one may yet be written on.
    pub fn is_ended(&self) -> bool {
        self.buffer.last() == Some(&b'\n')
    }

    /// Goes to the next line that is not blank; whether there is one.
    ///
    /// # Errors
    /// Fails if the file cannot be read, and for a line that is too long, after which reading goes on.
    pub fn advance(&mut self) -> Result<bool, LineError> {
        while self.read()? {
            if !self.text().is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where the last line read starts, in bytes.
    pub fn start(&self) -> u64 {
        self.offset - self.buffer.len() as u64
    }

    /// The line, without the space around it.
    pub fn text(&self) -> &[u8] {
        self.buffer.trim_ascii()
    }

    /// Goes to the next line, blank or not; whether there is one.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub fn read(&mut self) -> Result<bool, LineError> {
        self.buffer.clear();
        let mut limited = Read::take(&mut self.reader, LINE_MAX as u64);
        let read = limited.read_until(b'\n', &mut self.buffer)?;
        self.number += u64::from(read > 0);
        self.offset += read as u64;
        let is_cut_off = read == LINE_MAX && self.buffer.last() != Some(&b'\n');
        if is_cut_off {
            self.buffer = Vec::new();
            self.offset += self.reader.skip_until(b'\n')? as u64;
            return Err(LineError::TooLong);
        }
        Ok(read > 0)
    }
}
