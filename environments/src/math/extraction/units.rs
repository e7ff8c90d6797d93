//! Units, which the answer is compared without.
//!
//! Which words count was found by asking Math-Verify 0.8.0 about every word of up to three letters and many
//! longer ones: its list is a mixture of units, of abbreviations and of words of school problems. Single
//! letters are among them, so that `2t` says 2.

use framework::environment::python::text::{is_space, strip};

/// Words that are dropped behind a number, by what they measure. Each may end in `s` or `es`.
const WORDS: [&[&str]; 9] = [
    // Length and area.
    &[
        "mm", "cm", "dm", "m", "km", "meter", "metre", "mtr", "mt", "inch", "ft", "feet", "yard",
        "mile", "acre", "hectare",
    ],
    &[
        "sq", "square", "sq m", "m square", "sq inch", "pi sq m", "cube", "cubic", "cu cm", "cm 2",
        "cc",
    ],
    // Volume and mass.
    &["l", "liter", "litre", "lt", "gal", "gallon", "g", "gm", "kg", "lb", "pound"],
    // Time and speed.
    &[
        "s", "sec", "second", "min", "minw", "minute", "h", "hr", "hour", "day", "month", "yr",
        "year", "am", "pm", "noon", "kmh", "kmph", "mph", "mp",
    ],
    // Angle, temperature, resistance.
    &["deg", "degree", "° f", "o", "ohm"],
    // Money.
    &["cent", "rs", "rupee", "profit of rs", "profit", "loss", "gain", "sue"],
    // Counted things.
    &[
        "apple",
        "children ticket",
        "coin",
        "digit",
        "edge",
        "integerpoint",
        "man",
        "men",
        "mark",
        "meal",
        "monkey",
        "multiple",
        "number",
        "pie",
        "prime",
        "rounds",
        "soldier",
        "student",
        "tile",
        "toy",
        "unit",
        "way",
        "woman",
        "women",
    ],
    // Qualities.
    &[
        "are",
        "by",
        "decrease",
        "excess",
        "increase",
        "less",
        "more",
        "no change",
        "per",
        "pure",
        "ratio",
        "rise",
        "Surface",
        "east",
        " m east",
        "west",
    ],
    // Labels and ordinals.
    &["ab", "bc", "c", "d", "t", "rd", "st", "th", "π r 2"],
];
/// Abbreviations of several letters: the asterisk is any character.
const ABBREVIATED: [&str; 15] = [
    "a *", "b *", "c *", "d *", "e *", "f *", "g *", "h *", "q *", "s *", "rs *", "a * m", "p * m",
    "sq * m", "cu * m",
];
/// The longest of them with its ending, in bytes.
const LENGTH_MAX: usize = 24;

/// The text without the unit behind it.
pub(super) fn without(text: String) -> String {
    let text = without_words(text);
    let text = without_unit(text);
    without_unit(text)
}

/// Drops all from the first `\text{…}` on, if the text ends with a brace and perhaps an exponent.
fn without_words(text: String) -> String {
    let kept = worded(&text).map_or(&*text, |start| &text[..start]);
    let kept = strip(kept);
    if kept.is_empty() || kept.len() == text.len() { text } else { kept.to_owned() }
}

fn worded(text: &str) -> Option<usize> {
    let start = ["\\text{", "\\mbox{"].iter().filter_map(|command| text.find(command)).min()?;
    let before_digit = text.strip_suffix(|c: char| c.is_ascii_digit());
    let bare = before_digit.and_then(|text| text.strip_suffix('^'));
    let before_digit =
        text.strip_suffix('}').and_then(|text| text.strip_suffix(|c: char| c.is_ascii_digit()));
    let braced = before_digit.and_then(|text| text.strip_suffix("{^"));
    let closed = |text: &str| text.ends_with('}') && text.len() > start + "\\text{".len();
    let ends = [Some(text), bare, braced];
    ends.into_iter().flatten().any(closed).then_some(start)
}

fn without_unit(text: String) -> String {
    let kept = unit_start(&text).map_or(0, |start| start);
    if kept == 0 { text } else { text[..kept].to_owned() }
}

/// Where the longest unit behind a number begins, with the spaces before it.
fn unit_start(text: &str) -> Option<usize> {
    let end = text.trim_end_matches(is_space).len();
    let tail_start =
        (end.saturating_sub(LENGTH_MAX)..=end).find(|at| text.is_char_boundary(*at))?;
    // The words hardly ever begin there, so that the last letter tells most texts apart.
    let tail = &text[tail_start..end];
    let bare = [tail.strip_suffix("es"), tail.strip_suffix('s'), Some(tail)];
    let starts = bare.into_iter().flatten().flat_map(|bare| {
        let words = WORDS.iter().copied().flatten().chain(&ABBREVIATED);
        words.filter_map(move |word| Some(tail_start + suffix_start(bare, word)?))
    });
    starts.filter_map(|start| number_end(text, start)).min()
}

/// Where a word begins that a text ends with.
fn suffix_start(text: &str, word: &str) -> Option<usize> {
    let Some((before, behind)) = word.split_once('*') else {
        return text.strip_suffix(word).map(str::len);
    };
    let rest = text.strip_suffix(behind)?;
    let any = rest.chars().next_back().filter(|character| *character != '\n')?;
    rest[..rest.len() - any.len_utf8()].strip_suffix(before).map(str::len)
}

/// What stays before a unit: it has to follow a digit, a brace or a space.
fn number_end(text: &str, unit: usize) -> Option<usize> {
    let number = text[..unit].trim_end_matches(is_space);
    if number.ends_with(|c: char| c == '}' || c.is_ascii_digit()) {
        return Some(number.len());
    }
    let space = text[number.len()..unit].chars().next()?;
    Some(number.len() + space.len_utf8())
}
