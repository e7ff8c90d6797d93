//! Reads files into the archive, on all cores, and goes on reading as they grow.
//!
//! A file is cut into spans; the lines that start in a span are its portion. Portions are made in any
//! order and appended in that of the file, so that line numbers are right.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rehearsal::framework::lines::{LINE_MAX, LineError, Lines};

use super::archive::{Archive, MALFORMED_MAX, Malformed, Portion, Source};
use super::entry::Entry;

const SPAN: u64 = 8 << 20;
/// How often files are looked at again.
const INTERVAL: Duration = Duration::from_millis(500);
/// Bytes by which a file is known again.
const HEAD: u64 = 256;
/// Characters that are shown of a malformed line.
const START: usize = 200;

/// A part of a file.
struct Span {
    file: usize,
    path: PathBuf,
    start: u64,
    end: u64,
    /// Whether a line starts where it starts.
    is_first: bool,
}

/// Reads what is there, and then what is added, until the process ends.
pub(super) fn follow(archive: &Archive) {
    loop {
        catch_up(archive);
        std::thread::park_timeout(INTERVAL);
    }
}

/// Reads all that has been added since the last time.
pub(super) fn catch_up(archive: &Archive) {
    let mut spans = Vec::new();
    {
        let mut state = archive.write();
        for file in 0..state.sources.len() {
            let source = &mut state.sources[file];
            let before = (source.entries.len(), source.error.clone());
            if look_at(source) {
                let (path, length) = (source.path.clone(), source.length);
                let starts = (source.indexed..length).step_by(SPAN as usize);
                spans.extend(starts.enumerate().map(|(index, start)| Span {
                    file,
                    path: path.clone(),
                    start,
                    end: (start + SPAN).min(length),
                    is_first: index == 0,
                }));
            }
            let is_changed = before != (source.entries.len(), source.error.clone());
            state.version += u64::from(is_changed);
        }
        state.is_settled &= spans.is_empty();
    }
    read_spans(archive, &spans);
    let mut state = archive.write();
    state.version += u64::from(!state.is_settled);
    state.is_settled = true;
}

/// Looks at a file; whether there is something to read.
fn look_at(source: &mut Source) -> bool {
    let metadata = match std::fs::metadata(&source.path) {
        Ok(metadata) => metadata,
        Err(error) => {
            let may_be_absent = error.kind() == io::ErrorKind::NotFound && !source.is_named;
            if !may_be_absent {
                source.error = Some(error.to_string());
            } else if source.file.is_some() {
                source.reset();
            }
            return false;
        }
    };
    if !metadata.is_file() {
        source.error = Some("not a regular file".into());
        return false;
    }
    match look_into(source, &metadata) {
        Ok(is_longer) => is_longer,
        Err(error) => {
            source.error = Some(error.to_string());
            false
        }
    }
}

fn look_into(source: &mut Source, metadata: &Metadata) -> io::Result<bool> {
    let identity = (metadata.dev(), metadata.ino());
    let written = (metadata.mtime(), metadata.mtime_nsec());
    let is_same =
        (source.identity, source.length, source.written) == (identity, metadata.len(), written);
    if is_same && source.file.is_some() && source.error.is_none() {
        return Ok(false);
    }
    let file = File::open(&source.path)?;
    let head = head(&file, metadata.len())?;
    let is_continued = source.identity == identity
        && metadata.len() >= source.indexed
        && head.starts_with(&source.head)
        && !is_continued_on_its_last_line(source, &file)?;
    if source.file.is_some() && !is_continued {
        source.reset();
    }
    source.error = compression(&head).map(str::to_owned);
    source.file = Some(Arc::new(file));
    source.written = written;
    (source.identity, source.head, source.length) = (identity, head, metadata.len());
    Ok(source.error.is_none() && source.length > source.indexed)
}

/// Whether what was taken for the last line goes on; passes over its line break if not.
fn is_continued_on_its_last_line(source: &mut Source, file: &File) -> io::Result<bool> {
    let mut next = [0];
    if !source.is_open || file.read_at(&mut next, source.indexed)? == 0 {
        return Ok(false);
    }
    source.is_open = false;
    source.indexed += 1;
    Ok(next != *b"\n")
}

fn head(file: &File, length: u64) -> io::Result<Vec<u8>> {
    let mut head = vec![0; length.min(HEAD) as usize];
    let read = file.read_at(&mut head, 0)?;
    head.truncate(read);
    Ok(head)
}

/// What is wrong with a file that begins like this.
fn compression(head: &[u8]) -> Option<&'static str> {
    let magic: [(&[u8], _); 3] = [
        (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first: zstd -d FILE"),
        (b"\x1f\x8b", "compressed by gzip; unpack it first: gzip -dk FILE"),
        (b"PAR1", "Parquet, which has no lines; rollouts are looked at as JSONL"),
    ];
    magic.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| name)
}

/// Portions that are done, until it is their turn.
#[derive(Default)]
struct Queue {
    next: usize,
    done: BTreeMap<usize, io::Result<Portion>>,
    /// Files that could not be read on: what comes after the hole is left for the next time.
    broken: BTreeSet<usize>,
}

fn read_spans(archive: &Archive, spans: &[Span]) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(spans.len());
    let (next, queue) = (AtomicUsize::new(0), Mutex::new(Queue::default()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(span) = spans.get(index) else { return };
                    let portion = read_span(span);
                    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    queue.done.insert(index, portion);
                    queue.append_in_order(archive, spans);
                }
            });
        }
    });
}

impl Queue {
    fn append_in_order(&mut self, archive: &Archive, spans: &[Span]) {
        while let Some(portion) = self.done.remove(&self.next) {
            let file = spans[self.next].file;
            self.next += 1;
            if self.broken.contains(&file) {
                continue;
            }
            let mut state = archive.write();
            match portion {
                Ok(portion) => state.append(file, portion),
                Err(error) => {
                    state.sources[file].error = Some(error.to_string());
                    self.broken.insert(file);
                }
            }
        }
    }
}

/// Reads the lines that start in a span.
fn read_span(span: &Span) -> io::Result<Portion> {
    let mut portion = Portion::default();
    let Some(mut lines) = open(&span.path, span)? else { return Ok(portion) };
    let before = lines.number();
    while lines.offset() < span.end {
        let number = (lines.number() + 1 - before) as u32;
        match lines.read() {
            Ok(false) => break,
            Ok(true) if lines.is_ended() => {}
            // The file's last line, which may be in the making.
            Ok(true) => match Entry::parse(lines.text(), &mut portion.names) {
                Ok(_) => portion.is_open = true,
                Err(_) => break,
            },
            Err(LineError::TooLong) => {
                portion.leave_out(number, format!("longer than {LINE_MAX} bytes"), b"");
            }
            Err(LineError::Read(error)) => return Err(error),
        }
        portion.end = Some(lines.offset());
        portion.lines = number;
        if !lines.text().is_empty() {
            portion.take(&lines, number);
        }
    }
    Ok(portion)
}

/// Goes to the first line that starts in a span.
fn open(path: &Path, span: &Span) -> io::Result<Option<Lines>> {
    if span.is_first {
        return Lines::open_at(path, span.start).map(Some);
    }
    let mut lines = Lines::open_at(path, span.start - 1)?;
    match lines.read() {
        Ok(_) => Ok(lines.is_ended().then_some(lines)),
        Err(LineError::TooLong) => Ok(Some(lines)),
        Err(LineError::Read(error)) => Err(error),
    }
}

impl Portion {
    fn take(&mut self, lines: &Lines, number: u32) {
        match Entry::parse(lines.text(), &mut self.names) {
            Ok(entry) => {
                let length = (lines.offset() - lines.start()) as u32;
                self.entries.push(entry.at(lines.start(), length, number));
            }
            Err(error) => {
                // Which line of the text it is, is of no interest: it is one.
                let reason = error.to_string().replace(" at line 1 column ", " at column ");
                self.leave_out(number, reason, lines.text());
            }
        }
    }

    fn leave_out(&mut self, line: u32, reason: String, text: &[u8]) {
        self.malformed_total += 1;
        if self.malformed.len() < MALFORMED_MAX {
            let start = String::from_utf8_lossy(&text[..text.len().min(4 * START)]);
            let start = start.chars().take(START).collect();
            self.malformed.push(Malformed { line, reason, start });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn line(task: &str) -> String {
        format!(r#"{{"response":{{}},"reward":1,"rehearsal":{{"task":"{task}"}}}}"#)
    }

    struct Scene {
        _folder: tempfile::TempDir,
        path: PathBuf,
        archive: Archive,
    }

    fn scene(text: &str) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        std::fs::write(&path, text).unwrap();
        let archive = Archive::new(std::slice::from_ref(&path));
        catch_up(&archive);
        Scene { _folder: folder, path, archive }
    }

    impl Scene {
        fn add(&self, text: &str) {
            let mut file = File::options().append(true).open(&self.path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            catch_up(&self.archive);
        }

        /// Numbers and tasks of the lines.
        fn lines(&self) -> Vec<(u32, String)> {
            let state = self.archive.read();
            let name = |entry: &Entry| state.names.tasks[entry.task as usize].to_string();
            state.sources[0].entries.iter().map(|entry| (entry.line, name(entry))).collect()
        }
    }

    fn numbered(lines: &[(u32, &str)]) -> Vec<(u32, String)> {
        lines.iter().map(|(number, task)| (*number, (*task).to_owned())).collect()
    }

    #[test]
    fn blank_and_malformed_lines_count_and_are_left_out() {
        let scene = scene(&format!("{}\n\n{{oops\n{}\n", line("a"), line("b")));
        assert_eq!(scene.lines(), numbered(&[(1, "a"), (4, "b")]));
        let state = scene.archive.read();
        let malformed = &state.sources[0].malformed;
        assert_eq!((malformed.len(), malformed[0].line), (1, 3));
        assert_eq!(malformed[0].start, "{oops");
    }

    #[test]
    fn a_file_that_grows_is_followed_and_only_whole_lines_are_read() {
        let scene = scene(&format!("{}\n", line("a")));
        let (first, second) = (line("b"), line("c"));
        scene.add(&first[..20]);
        assert_eq!(scene.lines(), numbered(&[(1, "a")]));
        scene.add(&format!("{}\n", &first[20..]));
        assert_eq!(scene.lines(), numbered(&[(1, "a"), (2, "b")]));
        scene.add(&second);
        assert_eq!(scene.lines(), numbered(&[(1, "a"), (2, "b"), (3, "c")]));
        scene.add(&format!("\n{}\n", line("d")));
        assert_eq!(scene.lines(), numbered(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")]));
    }

    #[test]
    fn a_file_that_is_replaced_cut_or_written_anew_is_read_again() {
        let scene = scene(&format!("{}\n{}\n", line("a"), line("b")));
        std::fs::write(&scene.path, format!("{}\n", line("c"))).unwrap();
        catch_up(&scene.archive);
        assert_eq!(scene.lines(), numbered(&[(1, "c")]));
        std::fs::write(&scene.path, format!("{}\n{}\n", line("d"), line("e"))).unwrap();
        catch_up(&scene.archive);
        assert_eq!(scene.lines(), numbered(&[(1, "d"), (2, "e")]));
        let other = scene.path.with_extension("new");
        std::fs::write(&other, format!("{}\n{}\n", line("f"), line("g"))).unwrap();
        std::fs::rename(&other, &scene.path).unwrap();
        catch_up(&scene.archive);
        assert_eq!(scene.lines(), numbered(&[(1, "f"), (2, "g")]));
    }

    #[test]
    fn failures_are_read_when_they_come_to_be_and_forgotten_when_they_are_gone() {
        let scene = scene(&format!("{}\n", line("a")));
        let failures = scene.path.with_file_name("run_failures.jsonl");
        std::fs::write(&failures, format!("{}\n", line("b"))).unwrap();
        catch_up(&scene.archive);
        assert_eq!(scene.archive.read().rows(), 2);
        std::fs::remove_file(&failures).unwrap();
        catch_up(&scene.archive);
        assert_eq!(scene.archive.read().rows(), 1);
    }

    #[test]
    fn spans_cut_anywhere_give_every_line_once() {
        let texts: Vec<_> = (0..40).map(|n| line(&"x".repeat(n * 7 % 50))).collect();
        let text = texts.join("\n\n");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        std::fs::write(&path, &text).unwrap();
        for size in [1, 2, 3, 64, 100, 1_000] {
            let archive = Archive::new(std::slice::from_ref(&path));
            let length = text.len() as u64;
            let spans: Vec<_> = (0..length)
                .step_by(size)
                .map(|start| {
                    let end = (start + size as u64).min(length);
                    Span { file: 0, path: path.clone(), start, end, is_first: start == 0 }
                })
                .collect();
            read_spans(&archive, &spans);
            let state = archive.read();
            let numbers: Vec<_> = state.sources[0].entries.iter().map(|e| e.line).collect();
            assert_eq!(numbers, (0..40).map(|n| 2 * n + 1).collect::<Vec<_>>(), "spans of {size}");
            assert_eq!(state.sources[0].indexed, length);
        }
    }

    #[test]
    fn a_compressed_file_is_an_error_with_a_way_out() {
        let scene = scene("");
        std::fs::write(&scene.path, b"\x1f\x8b\x08rest").unwrap();
        catch_up(&scene.archive);
        let state = scene.archive.read();
        assert!(state.sources[0].error.as_deref().unwrap().contains("gzip -dk"));
    }
}
