//! Rows of a file, whatever its format: JSONL, JSONL compressed by Zstandard, Parquet.
//!
//! A row is a JSON object in one line; the file's ending says how rows are kept in it. Files are
//! streamed both ways, so their size does not matter, and what is written appears under its name when it
//! is whole.
//!
//! In Parquet each key is a column. A column is boolean, a 64-bit integer, a double or a string if all
//! its values are; anything else (lists, objects, mixtures) is a string that holds JSON, marked as such.
//! Marked columns come back as they were; a key that is `null` comes back as absent. Files of others may
//! have nested columns: lists and structs are read as JSON, without the fields of a struct that are null,
//! since writers of Parquet give every row the fields of all others.

#[cfg(feature = "parquet")]
mod columns;
#[cfg(feature = "parquet")]
mod parquet;
mod writer;

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::lines::{LINE_MAX, LineError, Lines};

pub use writer::{RowWriter, Sealed};

/// How rows are kept in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Jsonl,
    /// The same, compressed by Zstandard.
    JsonlZst,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The format of a file, by the ending of its name: `.zst`, `.parquet`, or else JSONL.
    pub fn of(path: &Path) -> Self {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        match ending.to_str() {
            Some("zst" | "zstd") => Self::JsonlZst,
            Some("parquet") => Self::Parquet,
            Some(_) | None => Self::Jsonl,
        }
    }

    /// What a file's name ends in: `jsonl`, `jsonl.zst` or `parquet`.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::JsonlZst => "jsonl.zst",
            Self::Parquet => "parquet",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.ending())
    }
}

/// A file's name without what tells its format: `data/train` of `data/train.jsonl.zst`.
pub fn stem(path: &Path) -> PathBuf {
    let stem = path.with_extension("");
    match Format::of(path) {
        Format::JsonlZst => stem.with_extension(""),
        Format::Jsonl | Format::Parquet => stem,
    }
}

/// Why a file of rows cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// It cannot be opened or read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be created or written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("`{}` is being written by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
}

impl RowsError {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("check the path; it is relative to the working directory")
            }
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => None,
            Self::Read { .. } => Some(
                "it may be damaged, or not what its ending says (`.zst`, `.parquet`, else JSONL)",
            ),
            Self::Write { .. } => {
                Some("check the folder, its permissions, and the room on its disk")
            }
            Self::InUse { .. } => Some("wait for it to end, or name another output"),
        }
    }
}

/// Why a row cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowFault {
    /// The file cannot be read any further.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The row is longer than any should be; the next one can be read.
    #[error("longer than {LINE_MAX} bytes")]
    TooLong,
}

impl From<LineError> for RowFault {
    fn from(error: LineError) -> Self {
        match error {
            LineError::Read(error) => Self::File(error),
            LineError::TooLong => Self::TooLong,
        }
    }
}

/// A file of rows being read.
pub struct RowReader {
    source: Source,
    bytes: Arc<AtomicU64>,
    bytes_total: u64,
}

enum Source {
    Plain(Lines<Counted>),
    Zst(Lines<zstd::Decoder<'static, BufReader<Counted>>>),
    #[cfg(feature = "parquet")]
    Parquet(parquet::Rows),
}

impl RowReader {
    /// Opens a file.
    ///
    /// # Errors
    /// Fails if it cannot be opened, or is not of the format that its ending tells.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let bytes_total = file.metadata()?.len();
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = |file| Counted { file, bytes: bytes.clone() };
        let source = match Format::of(path) {
            Format::Jsonl => Source::Plain(Lines::of(counted(file))),
            Format::JsonlZst => Source::Zst(Lines::of(zstd::Decoder::new(counted(file))?)),
            #[cfg(feature = "parquet")]
            Format::Parquet => Source::Parquet(parquet::Rows::new(file)?),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => return Err(without_parquet()),
        };
        Ok(Self { source, bytes, bytes_total })
    }

    /// Goes to the next row; whether there is one. Blank lines are passed over.
    ///
    /// # Errors
    /// See [`RowFault`].
    pub fn advance(&mut self) -> Result<bool, RowFault> {
        match &mut self.source {
            Source::Plain(lines) => Ok(lines.advance()?),
            Source::Zst(lines) => Ok(lines.advance()?),
            #[cfg(feature = "parquet")]
            Source::Parquet(rows) => {
                let more = rows.advance()?;
                let share = if more { rows.number() as f64 / rows.total() as f64 } else { 1.0 };
                self.bytes.store((share * self.bytes_total as f64) as u64, Ordering::Relaxed);
                Ok(more)
            }
        }
    }

    /// The row, without the space around it.
    pub fn text(&self) -> &[u8] {
        match &self.source {
            Source::Plain(lines) => lines.text(),
            Source::Zst(lines) => lines.text(),
            #[cfg(feature = "parquet")]
            Source::Parquet(rows) => rows.text().as_bytes(),
        }
    }

    /// The line, or in Parquet the row, that was read last, from 1.
    pub fn number(&self) -> u64 {
        match &self.source {
            Source::Plain(lines) => lines.number(),
            Source::Zst(lines) => lines.number(),
            #[cfg(feature = "parquet")]
            Source::Parquet(rows) => rows.number(),
        }
    }

    /// Where the last row ends in the text, in bytes: of a plain file, its place there.
    pub fn offset(&self) -> Option<u64> {
        match &self.source {
            Source::Plain(lines) => Some(lines.offset()),
            Source::Zst(_) => None,
            #[cfg(feature = "parquet")]
            Source::Parquet(_) => None,
        }
    }

    /// Bytes of the file that have been read.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes that the file had when it was opened.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }
}

/// Counts the rows of a file.
pub(crate) fn count_rows(path: &Path) -> io::Result<u64> {
    match Format::of(path) {
        Format::Jsonl => count_lines(File::open(path)?),
        Format::JsonlZst => count_lines(zstd::Decoder::new(File::open(path)?)?),
        #[cfg(feature = "parquet")]
        Format::Parquet => Ok(parquet::Rows::new(File::open(path)?)?.total()),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => Err(without_parquet()),
    }
}

/// Counts the lines that are not blank.
fn count_lines(source: impl Read) -> io::Result<u64> {
    use std::io::BufRead;
    let mut lines = BufReader::with_capacity(1 << 20, source);
    let (mut rows, mut blank) = (0, true);
    loop {
        let chunk = lines.fill_buf()?;
        if chunk.is_empty() {
            return Ok(rows + u64::from(!blank));
        }
        for byte in chunk {
            match byte {
                b'\n' => {
                    rows += u64::from(!blank);
                    blank = true;
                }
                b' ' | b'\t' | b'\r' => {}
                _ => blank = false,
            }
        }
        let read = chunk.len();
        lines.consume(read);
    }
}

/// A file that says how much of it has been read.
struct Counted {
    file: File,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(not(feature = "parquet"))]
fn without_parquet() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "built without the feature `parquet`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_format_is_told_by_the_files_ending() {
        for (name, format, without) in [
            ("a/train.jsonl", Format::Jsonl, "a/train"),
            ("train.JSON", Format::Jsonl, "train"),
            ("train.jsonl.zst", Format::JsonlZst, "train"),
            ("v1.2/train.parquet", Format::Parquet, "v1.2/train"),
            ("train", Format::Jsonl, "train"),
        ] {
            let path = Path::new(name);
            assert_eq!((Format::of(path), stem(path).as_path()), (format, Path::new(without)));
        }
    }

    #[test]
    fn compressed_lines_are_lines_and_a_torn_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl.zst");
        // Two frames, as `cat` makes them of two files.
        let mut bytes = zstd::encode_all(&b"{\"a\":1}\n\n"[..], 3).unwrap();
        bytes.extend(zstd::encode_all(&b"{\"a\":2}"[..], 3).unwrap());
        std::fs::write(&path, &bytes).unwrap();
        let mut rows = RowReader::open(&path).unwrap();
        let mut found = Vec::new();
        while rows.advance().unwrap() {
            found.push((rows.number(), String::from_utf8(rows.text().to_vec()).unwrap()));
        }
        assert_eq!(found, [(1, "{\"a\":1}".to_owned()), (3, "{\"a\":2}".to_owned())]);
        assert_eq!(rows.bytes(), rows.bytes_total());
        assert_eq!(count_rows(&path).unwrap(), 2);
        std::fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
        let mut rows = RowReader::open(&path).unwrap();
        let ended =
            std::iter::from_fn(|| Some(rows.advance())).find(|more| !matches!(more, Ok(true)));
        assert!(matches!(ended, Some(Err(RowFault::File(_)))));
    }

    #[test]
    fn lines_are_counted_unless_they_are_blank() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"{}\n\n  \r\noops\n{}\n{}").unwrap();
        assert_eq!(count_rows(file.path()).unwrap(), 4);
    }
}
