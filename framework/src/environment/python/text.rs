//! Text as Python's `str` sees it: which characters are spaces and letters, `strip`, `split`, and what
//! `int()` and `float()` make of it.
//!
//! Rust and Python differ in four spaces, the separators U+001C to U+001F, and in letters: Python's
//! `isalpha` takes the general category `L` alone.

use std::sync::LazyLock;

use fancy_regex::Regex;

use super::integer::{DIGITS_MAX, Integer};

/// Whether `str.isspace` holds.
pub fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `" ".join(str.split())`: spaces of all kinds and lengths become one each.
pub fn join_words(text: &str) -> String {
    let words: Vec<_> = text.split(is_space).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// The most that an error shows of a text, in characters.
const SHOWN_MAX: usize = 60;

/// A text as an error shows it: its beginning, if it is long.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The only character of a text, if `str.isalpha` holds for it.
pub fn only_letter(text: &str) -> Option<char> {
    static LETTER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\A\p{L}\z").expect("the pattern is well-formed"));
    let mut characters = text.chars();
    let (first, rest) = (characters.next()?, characters.next());
    let is_letter = rest.is_none()
        && (first.is_ascii_alphabetic() || LETTER.is_match(text).unwrap_or_default());
    is_letter.then_some(first)
}

/// The number that `int()` reads: decimal digits of any script, single underscores between them, a
/// sign, spaces around (Rust's for once: the separators U+001C to U+001F are none to `int()`).
pub fn parse_int(text: &str) -> Option<Integer> {
    let (sign, digits) = signed(text.trim());
    let digits = without_underscores(digits)?;
    let digits: Option<String> = digits.chars().map(ascii_digit).collect();
    let digits = digits.filter(|digits| !digits.is_empty() && digits.len() <= DIGITS_MAX)?;
    Integer::parse(&format!("{sign}{digits}"))
}

/// The number that `float()` reads, `nan` and infinities included.
pub fn parse_float(text: &str) -> Option<f64> {
    let (sign, unsigned) = signed(text.trim());
    let word = unsigned.to_ascii_lowercase();
    if matches!(word.as_str(), "inf" | "infinity" | "nan") {
        return format!("{sign}{word}").parse().ok();
    }
    let plain = without_underscores(unsigned)?;
    let ascii = |c| {
        if c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-' {
            Some(c)
        } else {
            ascii_digit(c)
        }
    };
    let number: String = plain.chars().map(ascii).collect::<Option<_>>()?;
    let starts_well = number.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if starts_well { format!("{sign}{number}").parse().ok() } else { None }
}

fn signed(text: &str) -> (&'static str, &str) {
    match text.as_bytes().first() {
        Some(b'-') => ("-", &text[1..]),
        Some(b'+') => ("", &text[1..]),
        _ => ("", text),
    }
}

/// A number's text without its underscores; `None` unless each stands between two digits.
fn without_underscores(text: &str) -> Option<String> {
    let characters: Vec<char> = text.chars().collect();
    let is_digit = |index: Option<usize>| {
        index.and_then(|index| characters.get(index)).is_some_and(|c| ascii_digit(*c).is_some())
    };
    let stands_well = |(index, character): (usize, &char)| {
        *character != '_' || (is_digit(index.checked_sub(1)) && is_digit(Some(index + 1)))
    };
    characters.iter().enumerate().all(stands_well).then(|| text.replace('_', ""))
}

/// The ASCII digit of the same value as a decimal digit of whatever script.
fn ascii_digit(character: char) -> Option<char> {
    static DIGIT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\A\p{Nd}\z").expect("the pattern is well-formed"));
    if character.is_ascii() {
        return character.is_ascii_digit().then_some(character);
    }
    let is_digit = |code: u32| {
        let text = char::from_u32(code).map(String::from);
        text.is_some_and(|text| DIGIT.is_match(&text).unwrap_or_default())
    };
    let code = u32::from(character);
    if !is_digit(code) {
        return None;
    }
    // Each script's digits stand in a row of ten; the mathematical ones in five rows without a gap.
    const MATHEMATICAL: std::ops::RangeInclusive<u32> = 0x1d7ce..=0x1d7ff;
    let value = if MATHEMATICAL.contains(&code) {
        (code - MATHEMATICAL.start()) % 10
    } else {
        (1..10).take_while(|back| is_digit(code - back)).count() as u32
    };
    char::from_digit(value, 10)
}

#[cfg(test)]
mod tests {
    use super::super::reference;
    use super::*;

    #[test]
    fn spaces_and_letters_are_pythons() {
        assert_eq!(strip("\u{1c}\u{a0} a b\u{3000}\n"), "a b");
        assert_eq!(join_words(" a\u{1f}\n b\tc "), "a b c");
        for (text, letter) in [("a", true), ("é", true), ("ب", true), ("1", false), ("", false)] {
            assert_eq!(only_letter(text).is_some(), letter, "{text}");
        }
        for text in ["ab", "\u{2160}", "\u{24b6}", "\u{301}", "_"] {
            assert_eq!(only_letter(text), None, "{text}");
        }
    }

    #[test]
    fn pythons_own_int_and_float_agree() {
        const SCRIPT: &str = r#"
import json, sys
def read(kind, text):
    try: return repr(kind(text))
    except ValueError: return None
print(json.dumps([[read(int, text), read(float, text)] for text in json.load(sys.stdin)]))
"#;
        let texts = [
            "",
            " ",
            "1",
            " 12\n",
            "-3",
            "+4",
            "+-5",
            "--6",
            "1_000",
            "_1",
            "1_",
            "1__0",
            "1.5",
            "25.0",
            ".5",
            "5.",
            ".",
            "1e3",
            "1E-2",
            "e3",
            "1e",
            "1_0.2_5",
            "1_.5",
            "1._5",
            "1e1_0",
            "nan",
            "-NaN",
            "inf",
            "+Infinity",
            "infinit",
            "\u{663}\u{664}",
            "１２",
            "𝟙𝟚",
            "\u{1d7ff}",
            "²",
            "½",
            "0x10",
            "1 2",
            "\u{1c}7",
            "\u{1c}\u{663}",
            "\u{b}7\u{c}",
            "true",
            "007",
            "-0",
            "1e999",
            "१.५",
        ];
        let Some(output) = reference::python(SCRIPT, &serde_json::to_string(&texts[..]).unwrap())
        else {
            return;
        };
        let expected: Vec<[Option<String>; 2]> = serde_json::from_str(&output).unwrap();
        for (text, [int, float]) in texts.iter().zip(expected) {
            assert_eq!(parse_int(text).map(|int| int.to_string()), int, "{text:?}");
            assert_eq!(parse_float(text).map(super::super::float_repr), float, "{text:?}");
        }
    }
}
