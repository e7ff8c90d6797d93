//! Units, which the answer is compared without.
//!
//! Which words count was found by asking Math-Verify 0.8.0 about every word of up to three letters and many
//! longer ones: its list is a mixture of units, of abbreviations and of words of school problems. Single
//! letters are among them, so that `2t` says 2.

use framework::environment::python::text::{is_space, strip};

use super::Options;

/// Words that are dropped behind a number, by what they say. Each may end in `s` or `es`.
const WORDS: [(Sense, &[&str]); 9] = [
    // Length and area.
    (
        Sense::Unit,
        &[
            "mm", "cm", "dm", "m", "km", "meter", "metre", "mtr", "mt", "inch", "ft", "feet",
            "yard", "mile", "acre", "hectare",
        ],
    ),
    (
        Sense::Unit,
        &[
            "sq", "square", "sq m", "m square", "sq inch", "pi sq m", "cube", "cubic", "cu cm",
            "cm 2", "cc",
        ],
    ),
    // Volume and mass.
    (Sense::Unit, &["l", "liter", "litre", "lt", "gal", "gallon", "g", "gm", "kg", "lb", "pound"]),
    // Time and speed.
    (
        Sense::Unit,
        &[
            "s", "sec", "second", "min", "minw", "minute", "h", "hr", "hour", "day", "month", "yr",
            "year", "am", "pm", "noon", "kmh", "kmph", "mph", "mp",
        ],
    ),
    // Angle, temperature, resistance.
    (Sense::Unit, &["deg", "degree", "° f", "o", "ohm"]),
    // Money.
    (Sense::Unit, &["cent", "rs", "rupee", "profit of rs", "profit", "loss", "gain", "sue"]),
    // Counted things.
    (
        Sense::Unit,
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
    ),
    (
        Sense::Quality,
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
    ),
    (Sense::Label, &["ab", "bc", "c", "d", "t", "rd", "st", "th", "π r 2"]),
];

/// What a word says of the number before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    /// What is measured or counted.
    Unit,
    /// How it is meant.
    Quality,
    /// Nothing: it may as well be a variable.
    Label,
}

/// Abbreviations of several letters: the asterisk is any character.
const ABBREVIATED: [&str; 15] = [
    "a *", "b *", "c *", "d *", "e *", "f *", "g *", "h *", "q *", "s *", "rs *", "a * m", "p * m",
    "sq * m", "cu * m",
];
/// The longest of them with its ending, in bytes.
const LENGTH_MAX: usize = 24;

/// The text without the unit behind it.
///
/// Strictly, only units of two letters or more count, and of several `\text{…}` only the last.
pub(super) fn without(text: String, options: Options) -> String {
    let text = without_words(text, options);
    let text = without_unit(text, options);
    without_unit(text, options)
}

/// Drops all from the first `\text{…}` on, if the text ends with a brace and perhaps an exponent.
fn without_words(text: String, options: Options) -> String {
    let kept = worded(&text, options).map_or(&*text, |start| &text[..start]);
    let kept = strip(kept);
    if kept.is_empty() || kept.len() == text.len() { text } else { kept.to_owned() }
}

fn worded(text: &str, options: Options) -> Option<usize> {
    let commands = ["\\text{", "\\mbox{"];
    let start = if options.strict {
        commands.iter().filter_map(|command| text.rfind(command)).max()?
    } else {
        commands.iter().filter_map(|command| text.find(command)).min()?
    };
    let before_digit = text.strip_suffix(|c: char| c.is_ascii_digit());
    let bare = before_digit.and_then(|text| text.strip_suffix('^'));
    let before_digit =
        text.strip_suffix('}').and_then(|text| text.strip_suffix(|c: char| c.is_ascii_digit()));
    let braced = before_digit.and_then(|text| text.strip_suffix("{^"));
    let closed = |text: &str| text.ends_with('}') && text.len() > start + "\\text{".len();
    let ends = [Some(text), bare, braced];
    ends.into_iter().flatten().any(closed).then_some(start)
}

fn without_unit(text: String, options: Options) -> String {
    match unit_start(&text, options) {
        Some(kept) => text[..kept].to_owned(),
        None => text,
    }
}

/// Where the longest unit behind a number begins, with the spaces before it.
fn unit_start(text: &str, options: Options) -> Option<usize> {
    let end = text.trim_end_matches(is_space).len();
    let mut last = text[..end].chars().rev();
    let (last, before) = (last.next()?, last.next());
    // All end in a letter, or in a space and any character; few answers do.
    if !last.is_alphabetic() && !before.is_some_and(is_space) {
        return None;
    }
    let tail_start =
        (end.saturating_sub(LENGTH_MAX)..=end).find(|at| text.is_char_boundary(*at))?;
    let tail = &text[tail_start..end];
    let bare = [tail.strip_suffix("es"), tail.strip_suffix('s'), Some(tail)];
    let starts = bare.into_iter().flatten().flat_map(|bare| {
        words(options).filter_map(move |word| Some(tail_start + suffix_start(bare, word)?))
    });
    starts.filter_map(|start| number_end(text, start)).min()
}

/// The words that count.
fn words(options: Options) -> impl Iterator<Item = &'static str> {
    let is_counted = move |sense: Sense, word: &str| match sense {
        Sense::Unit => !options.strict || word.len() > 1,
        Sense::Quality | Sense::Label => !options.strict,
    };
    let words = WORDS.iter().flat_map(|(sense, words)| words.iter().map(|word| (*sense, *word)));
    let words = words.filter(move |(sense, word)| is_counted(*sense, word)).map(|(_, word)| word);
    words.chain(ABBREVIATED.iter().copied().filter(move |_| !options.strict))
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
