//! The supervision trees, through the public door. Time stands still, except in `threads` and
//! `chaos`.
//!
//! What supervisors owe their children, mostly by Erlang/OTP's example, is 82 numbered cases:
//! `starts` 1-11, `restarts` 12-21, `strategies` 22-31, `intensity` 32-39, `backoff` 40-44,
//! `shutdown` 45-54, `admin` 55-62, `significance` 63-65, `messages` 66-76, `failures` 77-82;
//! those that need a second thread (46, 52, 69, 70, 80, 81) are in `threads`. Each test that is a case
//! says its number, and a test below finds all of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "supervision/world.rs"]
mod world;

#[path = "supervision/admin.rs"]
mod admin;
#[path = "supervision/backoff.rs"]
mod backoff;
#[path = "supervision/chaos.rs"]
mod chaos;
#[path = "supervision/contexts.rs"]
mod contexts;
#[path = "supervision/failures.rs"]
mod failures;
#[path = "supervision/intensity.rs"]
mod intensity;
#[path = "supervision/messages.rs"]
mod messages;
#[path = "supervision/restarts.rs"]
mod restarts;
#[path = "supervision/shutdown.rs"]
mod shutdown;
#[path = "supervision/significance.rs"]
mod significance;
#[path = "supervision/starts.rs"]
mod starts;
#[path = "supervision/strategies.rs"]
mod strategies;
#[path = "supervision/threads.rs"]
mod threads;

/// The numbers in the rest of a line that begins with `/// Case`: `17.`, `69, 70 and 80.`, `12 to 14.`
fn numbers(text: &str) -> Vec<u32> {
    let (mut numbers, mut is_range) = (Vec::new(), false);
    for word in text.split(' ') {
        let Ok(number) = word.trim_end_matches(['.', ',', ':', ';']).parse() else {
            is_range = word == "to";
            if !matches!(word, "to" | "and") {
                break;
            }
            continue;
        };
        let first = numbers.last().copied().filter(|_| is_range).map_or(number, |last| last + 1);
        numbers.extend(first..=number);
        if word.ends_with(['.', ':', ';']) {
            break;
        }
    }
    numbers
}

#[test]
fn every_case_is_some_tests() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/supervision");
    let mut shown = std::collections::BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let mut lines = source.lines();
        while let Some(line) = lines.next() {
            let Some(text) = line.strip_prefix("/// Case") else { continue };
            let below = lines.find(|line| !line.starts_with("///"));
            assert_eq!(below, Some("#[test]"), "`{line}` does not say what a test shows");
            shown.extend(numbers(text.trim_start_matches('s').trim_start()));
        }
    }
    assert_eq!(shown, (1..=82).collect());
}
