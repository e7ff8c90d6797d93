//! Search for a text in the lines themselves, on all cores, a stretch at a time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use regex::bytes::{Regex, RegexBuilder};

use super::archive::{Archive, Place};

/// Characters that can be searched for.
pub(super) const TEXT_MAX: usize = 1_000;
/// Bytes that a thread searches before it looks at the time.
const STRETCH: u64 = 4 << 20;
const STRETCH_ROWS: usize = 8_192;
/// Bytes between two lines that are read over rather than skipped.
const GAP: u64 = 64 << 10;

/// What is searched for.
#[derive(Debug)]
pub(super) struct Pattern(Regex);

/// What was found.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) places: Vec<Place>,
    /// How many of the rows were searched.
    pub(super) searched: usize,
}

/// A line to search in.
struct Line {
    place: Place,
    file: Arc<File>,
    offset: u64,
    length: u32,
}

impl Pattern {
    /// Finds a text as people see it, in any case, in JSON that may write it with escapes: `é` also as
    /// `\u00e9`, a quote as `\"`, and both once more in arguments, which are JSON within JSON.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if text.chars().count() > TEXT_MAX {
            return Err(format!("`q` is longer than {TEXT_MAX} characters"));
        }
        let pattern: String = text.chars().map(as_written).collect();
        let regex = RegexBuilder::new(&pattern).case_insensitive(true).build();
        regex.map(Self).map_err(|error| format!("`q` cannot be searched for: {error}"))
    }

    fn is_in(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }
}

/// The ways in which JSON may write a character.
fn as_written(character: char) -> String {
    let literal = regex::escape(character.encode_utf8(&mut [0; 4]));
    let short = match character {
        ' '..='~' if !['"', '\\', '/'].contains(&character) => return literal,
        '"' | '/' => return format!(r"\\*{literal}"),
        '\\' => return r"\\+".into(),
        '\n' => "n",
        '\t' => "t",
        '\r' => "r",
        _ => "",
    };
    // The expression ignores the case of letters, but not that of escaped ones.
    let cases = character.to_lowercase().chain([character]).chain(character.to_uppercase());
    let escaped = |character: char| {
        let mut units = [0; 2];
        let units = character.encode_utf16(&mut units).iter();
        units.map(|unit| format!(r"\\+u{unit:04x}")).collect::<String>()
    };
    let units = cases.map(escaped).collect::<Vec<_>>().join("|");
    if short.is_empty() {
        format!("(?:{literal}|{units})")
    } else {
        format!(r"(?:\\+{short}|{units})")
    }
}

/// Searches rows in order until enough are found, the time is over, or nobody waits any longer.
pub(super) fn search(
    archive: &Archive,
    rows: &[Place],
    pattern: &Pattern,
    enough: usize,
    time: Duration,
    is_cancelled: &AtomicBool,
) -> Found {
    let deadline = Instant::now() + time;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut found = Found { places: Vec::new(), searched: 0 };
    while found.searched < rows.len() && found.places.len() < enough {
        if is_cancelled.load(Ordering::Relaxed) || Instant::now() > deadline {
            break;
        }
        let mut stretches: Vec<Vec<Line>> = Vec::new();
        let mut searched = found.searched;
        while stretches.len() < threads && searched < rows.len() {
            let rows = &rows[searched..];
            let (lines, count) = stretch(archive, rows);
            searched += count;
            stretches.push(lines);
        }
        let hits: Vec<Vec<Place>> = std::thread::scope(|scope| {
            let search = |lines| scope.spawn(move || search_stretch(lines, pattern));
            let workers: Vec<_> = stretches.iter().map(|lines| search(lines)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap_or_default()).collect()
        });
        found.places.extend(hits.into_iter().flatten());
        found.searched = searched;
    }
    if found.places.len() > enough {
        found.places.truncate(enough);
        let last = found.places[enough - 1];
        let at = rows.iter().position(|place| *place == last);
        found.searched = at.expect("what is found is one of the rows") + 1;
    }
    found
}

/// The first of the rows that fit in a stretch, at least one, and how many they are.
fn stretch(archive: &Archive, rows: &[Place]) -> (Vec<Line>, usize) {
    let state = archive.read();
    let (mut lines, mut bytes, mut count) = (Vec::new(), 0, 0);
    for place in rows.iter().take(STRETCH_ROWS) {
        if bytes > STRETCH {
            break;
        }
        count += 1;
        let Some(entry) = state.entry(*place) else { continue };
        let file = state.sources[usize::from(place.file)].file.clone();
        let Some(file) = file else { continue };
        bytes += u64::from(entry.length);
        lines.push(Line { place: *place, file, offset: entry.offset, length: entry.length });
    }
    (lines, count)
}

/// Searches lines; those that stand close together are read in one go. What cannot be read, since the
/// file is another by now, is not found.
fn search_stretch(lines: &[Line], pattern: &Pattern) -> Vec<Place> {
    let mut found = Vec::new();
    let mut buffer = Vec::new();
    let stands_close = |a: &Line, b: &Line| {
        let end = a.offset + u64::from(a.length);
        Arc::ptr_eq(&a.file, &b.file) && (end..=end + GAP).contains(&b.offset)
    };
    for run in lines.chunk_by(stands_close) {
        let (first, last) = (&run[0], &run[run.len() - 1]);
        let length = last.offset + u64::from(last.length) - first.offset;
        buffer.resize(length as usize, 0);
        if first.file.read_exact_at(&mut buffer, first.offset).is_err() {
            continue;
        }
        for line in run {
            let start = (line.offset - first.offset) as usize;
            if pattern.is_in(&buffer[start..start + line.length as usize]) {
                found.push(line.place);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_however_json_writes_it() {
        let cases = [
            ("paris", r#"{"a":"PARIS"}"#, true),
            ("é", r#"{"a":"caf\u00e9"}"#, true),
            ("É", r#"{"a":"café"}"#, true),
            ("É", r#"{"a":"caf\u00e9"}"#, true),
            ("é", r#"{"a":"{\"b\":\"\\u00E9\"}"}"#, true),
            ("\"city\": \"x", r#"{"a":"{\"city\": \"x\"}"}"#, true),
            ("🦀", r#"{"a":"\ud83e\udd80"}"#, true),
            ("a\nb", r#"{"a":"a\nb"}"#, true),
            ("a\\b", r#"{"a":"a\\b"}"#, true),
            ("a/b", r#"{"a":"a\/b"}"#, true),
            ("1+1", r#"{"a":"1+1"}"#, true),
            ("1+1", r#"{"a":"111"}"#, false),
            ("x", r#"{"a":"y"}"#, false),
        ];
        for (text, json, is_found) in cases {
            assert_eq!(
                Pattern::new(text).unwrap().is_in(json.as_bytes()),
                is_found,
                "{text} {json}"
            );
        }
        assert!(Pattern::new(&"x".repeat(TEXT_MAX + 1)).is_err());
    }

    #[test]
    fn a_search_stops_when_enough_is_found_and_when_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let line = |n: u32| {
            format!(
                r#"{{"response":{{}},"n":"{}"}}"#,
                if n.is_multiple_of(3) { "yes" } else { "no" }
            )
        };
        let text: String = (0..30).map(|n| line(n) + "\n").collect();
        std::fs::write(&path, text).unwrap();
        let archive = Archive::new(&[path]);
        super::super::reading::catch_up(&archive);
        let rows: Vec<_> = (0..30).map(|index| Place { file: 0, index }).collect();
        let pattern = Pattern::new("YES").unwrap();
        let cancelled = AtomicBool::new(false);
        let minute = Duration::from_secs(60);
        let all = search(&archive, &rows, &pattern, 100, minute, &cancelled);
        assert_eq!((all.places.len(), all.searched), (10, 30));
        let some = search(&archive, &rows, &pattern, 3, minute, &cancelled);
        assert_eq!((some.places, some.searched), (vec![rows[0], rows[3], rows[6]], 7));
        cancelled.store(true, Ordering::Relaxed);
        let none = search(&archive, &rows, &pattern, 3, minute, &cancelled);
        assert_eq!(none, Found { places: Vec::new(), searched: 0 });
    }
}
