//! Choices in `\boxed{…}`.

use std::sync::LazyLock;

use framework::environment::python::text::{is_space, strip};
use regex::Regex;

use super::Boxes;
use super::question::{Options, normalise};

const OPEN: &str = "\\boxed{";

/// The letter in the box that counts, if it is an option's.
pub(super) fn letter(text: &str, options: Options<'_>, boxes: Boxes) -> Option<String> {
    let letter = match boxes {
        Boxes::Last => lone_letter(unwrapped(last_box(text)?))?,
        Boxes::LastLabelled => {
            let inside = unwrapped(last_box(text)?);
            lone_letter(inside).or_else(|| labelled(inside))?
        }
        Boxes::First => first_letter(text)?,
    };
    options.has(&letter).then_some(letter)
}

/// The letter of the one option whose text is in the box that counts.
pub(super) fn by_text(text: &str, options: Options<'_>, boxes: Boxes) -> Option<String> {
    let inside = match boxes {
        Boxes::Last | Boxes::LastLabelled => strip(last_box(text)?),
        Boxes::First => first_box(text)?,
    };
    let (whole, bare) = (normalise(inside), normalise(unwrap_text(inside)));
    let is_in_box =
        |option: &str| !option.is_empty() && (whole.contains(option) || bare.contains(option));
    let mut hits = options.by_part().filter(|option| is_in_box(&option.text));
    let first = hits.next()?;
    hits.all(|hit| hit.letter == first.letter).then(|| first.letter.to_string())
}

/// What is inside `\text{…}`, however often it is wrapped.
pub(super) fn unwrap_text(mut text: &str) -> &str {
    while let Some(inside) = text.strip_prefix("\\text{").and_then(|text| text.strip_suffix('}')) {
        text = strip(inside);
    }
    text
}

/// What is inside the last box, up to the brace that closes it.
fn last_box(text: &str) -> Option<&str> {
    let inside = &text[text.rfind(OPEN)? + OPEN.len()..];
    let mut depth = 1_usize;
    for (index, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&inside[..index]);
        }
    }
    None
}

fn unwrapped(inside: &str) -> &str {
    unwrap_text(strip(inside))
}

/// The capital letter that is the only letter.
fn lone_letter(inside: &str) -> Option<String> {
    let mut letters = inside.chars().filter(char::is_ascii_alphabetic);
    let first = letters.next().filter(char::is_ascii_uppercase)?;
    letters.next().is_none().then(|| first.into())
}

/// The capital letter before its label's colon, bracket, point or dash.
fn labelled(inside: &str) -> Option<String> {
    let first = inside.chars().next().filter(char::is_ascii_uppercase)?;
    let rest = inside[1..].trim_start_matches(is_space);
    rest.starts_with([':', ')', '.', '-']).then(|| first.into())
}

/// The first capital letter in a box with no other letter before the next closing brace, which may be
/// beyond the box.
fn first_letter(text: &str) -> Option<String> {
    static STRICT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\\boxed\{[^A-Za-z]*([A-Z])[^A-Za-z]*\}").expect("the pattern is well-formed")
    });
    Some(STRICT.captures(text)?[1].to_owned())
}

/// What is inside the first box, up to the first closing brace.
fn first_box(text: &str) -> Option<&str> {
    let inside = text.split_once(OPEN)?.1;
    inside.split_once('}').map(|(inside, _)| strip(inside))
}
