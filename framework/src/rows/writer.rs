//! Writes rows into a file that appears when it is whole.
//!
//! What is written stands in `.<name>.partial` beside the file until it is published, and is locked
//! meanwhile: a process that is killed leaves the old file as it was, and the next one starts over.

use std::fs::{File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

#[cfg(feature = "parquet")]
use super::parquet::Table;
use super::{Format, RowsError};

/// How much is written to a file at a time.
const BUFFER: usize = 256 << 10;
/// Zstandard's own default: three to four times as small as JSONL, at hundreds of MB/s.
const ZST_LEVEL: i32 = 3;

/// A file of rows being written.
pub struct RowWriter {
    place: Place,
    sink: Sink,
}

/// A file of rows that is whole, but not yet to be seen.
#[must_use = "it is removed unless it is published"]
pub struct Sealed(Place);

/// Where a file will be, and where it is until then.
struct Place {
    path: PathBuf,
    partial: PathBuf,
    /// Held open for its lock.
    lock: File,
    is_published: bool,
}

enum Sink {
    Plain(BufWriter<File>),
    Zst(Box<zstd::Encoder<'static, File>>),
    #[cfg(feature = "parquet")]
    Parquet(Table),
}

impl RowWriter {
    /// Begins a file, in the format that its ending tells. Its folder is made, if need be.
    ///
    /// # Errors
    /// Fails if it cannot be created, or another process is at it.
    pub fn create(path: &Path) -> Result<Self, RowsError> {
        let place = Place::take(path)?;
        let sink = place.lock.try_clone().and_then(|file| Sink::new(path, file));
        let sink = sink.map_err(|source| place.error(source))?;
        Ok(Self { place, sink })
    }

    /// Writes a row: a JSON object in one line, without the line's end.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn write(&mut self, row: &str) -> Result<(), RowsError> {
        let written = match &mut self.sink {
            Sink::Plain(file) => write_line(file, row),
            Sink::Zst(encoder) => write_line(encoder, row),
            #[cfg(feature = "parquet")]
            Sink::Parquet(table) => table.add(row),
        };
        written.map_err(|source| self.place.error(source))
    }

    /// Completes the file and has it on the disk.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn seal(self) -> Result<Sealed, RowsError> {
        let Self { place, sink } = self;
        let sealed = sink.finish().and_then(|()| place.lock.sync_all());
        match sealed {
            Ok(()) => Ok(Sealed(place)),
            Err(source) => Err(place.error(source)),
        }
    }
}

impl Sealed {
    /// Gives the file its name, in place of what had it before.
    ///
    /// # Errors
    /// Fails if the file system refuses.
    pub fn publish(mut self) -> Result<(), RowsError> {
        let Place { path, partial, is_published, .. } = &mut self.0;
        *is_published = true;
        std::fs::rename(&*partial, &*path).map_err(|source| self.0.error(source))
    }
}

fn write_line(out: &mut impl Write, row: &str) -> io::Result<()> {
    out.write_all(row.as_bytes())?;
    out.write_all(b"\n")
}

impl Sink {
    fn new(path: &Path, file: File) -> io::Result<Self> {
        match Format::of(path) {
            Format::Jsonl => Ok(Self::Plain(BufWriter::with_capacity(BUFFER, file))),
            Format::JsonlZst => {
                let mut encoder = zstd::Encoder::new(file, ZST_LEVEL)?;
                encoder.include_checksum(true)?;
                Ok(Self::Zst(Box::new(encoder)))
            }
            #[cfg(feature = "parquet")]
            Format::Parquet => {
                let folder = path.parent().unwrap_or(Path::new(""));
                Table::new(file, folder).map(Self::Parquet)
            }
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => {
                drop(file);
                Err(super::without_parquet())
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            Self::Zst(encoder) => encoder.finish().map(|_| ()),
            #[cfg(feature = "parquet")]
            Self::Parquet(table) => table.finish(),
        }
    }
}

impl Place {
    fn take(path: &Path) -> Result<Self, RowsError> {
        let error = |source| RowsError::Write { path: path.to_owned(), source };
        let name = path.file_name().ok_or_else(|| error(io::ErrorKind::InvalidFilename.into()))?;
        if path.is_dir() {
            return Err(error(io::ErrorKind::IsADirectory.into()));
        }
        let mut partial = std::ffi::OsString::from(".");
        partial.push(name);
        partial.push(".partial");
        let partial = path.with_file_name(partial);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(error)?;
        }
        let lock =
            File::options().create(true).truncate(false).read(true).write(true).open(&partial);
        let lock = lock.map_err(error)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(RowsError::InUse { path: path.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(error(source)),
        }
        lock.set_len(0).map_err(error)?;
        Ok(Self { path: path.to_owned(), partial, lock, is_published: false })
    }

    fn error(&self, source: io::Error) -> RowsError {
        RowsError::Write { path: self.path.clone(), source }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_published {
            // Left behind it would do no harm: the next writer starts it over.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_appears_when_it_is_published_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/rows.jsonl");
        let mut writer = RowWriter::create(&path).unwrap();
        writer.write("{\"a\":1}").unwrap();
        let sealed = writer.seal().unwrap();
        assert!(!path.exists());
        sealed.publish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n");
        let mut given_up = RowWriter::create(&path).unwrap();
        given_up.write("{}").unwrap();
        drop(given_up);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n");
        assert_eq!(names(path.parent().unwrap()), ["rows.jsonl"]);
    }

    #[test]
    fn two_writers_do_not_write_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl.zst");
        let first = RowWriter::create(&path).unwrap();
        assert!(matches!(RowWriter::create(&path), Err(RowsError::InUse { .. })));
        drop(first);
        RowWriter::create(&path).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_is_started_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        std::fs::write(folder.path().join(".rows.jsonl.partial"), "much that was never sealed")
            .unwrap();
        let mut writer = RowWriter::create(&path).unwrap();
        writer.write("{}").unwrap();
        writer.seal().unwrap().publish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n");
    }
}
