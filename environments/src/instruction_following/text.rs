//! Text as Python sees it: what is a space, a word, a capital.
//!
//! Rust's own notions differ in corners that answers reach: Python counts the separators `\x1c` to
//! `\x1f` as spaces, and no combining mark as part of a word, so that a Hindi word has several.

use std::sync::LazyLock;

pub(super) use framework::environment::python::text::{is_space, strip as trim};

/// `str.split()`.
pub(super) fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// `\w`: letters, numbers and the underscore.
pub(super) fn is_word(character: char) -> bool {
    static RANGES: LazyLock<Ranges> = LazyLock::new(|| Ranges::of(r"[\p{L}\p{N}_]"));
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || character == '_';
    }
    RANGES.contains(character)
}

/// `\d`: decimal digits of all scripts.
pub(super) fn is_digit(character: char) -> bool {
    static RANGES: LazyLock<Ranges> = LazyLock::new(|| Ranges::of(r"\p{Nd}"));
    if character.is_ascii() {
        return character.is_ascii_digit();
    }
    RANGES.contains(character)
}

/// The characters of a class, in order.
struct Ranges(Vec<(char, char)>);

impl Ranges {
    fn of(class: &str) -> Self {
        let hir = regex_syntax::parse(class).expect("the class is well-formed");
        let regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class)) =
            hir.into_kind()
        else {
            unreachable!("a class of characters parses to one");
        };
        Self(class.ranges().iter().map(|range| (range.start(), range.end())).collect())
    }

    fn contains(&self, character: char) -> bool {
        let after = self.0.partition_point(|(start, _)| *start <= character);
        after > 0 && character <= self.0[after - 1].1
    }
}

/// Maximal runs of word characters.
pub(super) fn word_runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character| !is_word(character)).filter(|run| !run.is_empty())
}

/// Digraphs such as `ǅ` and Greek capitals with an iota: neither upper nor lower case.
fn is_title(character: char) -> bool {
    matches!(
        character,
        '\u{1c5}' | '\u{1c8}' | '\u{1cb}' | '\u{1f2}' | '\u{1f88}'..='\u{1f8f}'
            | '\u{1f98}'..='\u{1f9f}' | '\u{1fa8}'..='\u{1faf}' | '\u{1fbc}' | '\u{1fcc}' | '\u{1ffc}'
    )
}

/// `str.isupper`: something has case, and nothing is lower or title case.
pub(super) fn is_upper(text: &str) -> bool {
    let mut has_upper = false;
    for character in text.chars() {
        if character.is_lowercase() || is_title(character) {
            return false;
        }
        has_upper |= character.is_uppercase();
    }
    has_upper
}

/// `str.islower`: something has case, and nothing is upper or title case.
pub(super) fn is_lower(text: &str) -> bool {
    let mut has_lower = false;
    for character in text.chars() {
        if character.is_uppercase() || is_title(character) {
            return false;
        }
        has_lower |= character.is_lowercase();
    }
    has_lower
}

/// `str.lower`.
pub(super) fn lower(text: &str) -> String {
    text.to_lowercase()
}

/// Whether two texts are the same but for their case.
pub(super) fn same_lower(a: &str, b: &str) -> bool {
    lower(a) == lower(b)
}

/// One character of each set that `re.IGNORECASE` takes for the same.
///
/// That is the simple lower case, and beyond it the pairs of CPython's `re/_casefix.py`, such as `ſ`
/// and `s`. Unlike case folding it makes `İ` and `ı` the same as `i`.
pub(super) fn fold(character: char) -> char {
    let lower = character.to_lowercase().next().unwrap_or(character);
    if lower.is_ascii() {
        return lower;
    }
    match lower {
        'ı' => 'i',
        'ſ' => 's',
        'µ' => 'μ',
        'ς' => 'σ',
        '\u{1fd3}' => '\u{390}',
        '\u{1fe3}' => '\u{3b0}',
        'ϐ' => 'β',
        'ϵ' => 'ε',
        'ϑ' => 'θ',
        '\u{1fbe}' => 'ι',
        'ϰ' => 'κ',
        'ϖ' => 'π',
        'ϱ' => 'ρ',
        'ϕ' => 'φ',
        '\u{1c80}' => 'в',
        '\u{1c81}' => 'д',
        '\u{1c82}' => 'о',
        '\u{1c83}' => 'с',
        '\u{1c84}' | '\u{1c85}' => 'т',
        '\u{1c86}' => 'ъ',
        '\u{1c87}' => 'ѣ',
        '\u{1c88}' => '\u{a64b}',
        'ẛ' => 'ṡ',
        '\u{fb06}' => '\u{fb05}',
        other => other,
    }
}

/// A text with every character folded; as many characters, but perhaps other bytes.
pub(super) fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_are_pythons() {
        assert_eq!(
            words("\u{1f} a\u{a0}b\u{3000}c\u{85}\u{200b}").collect::<Vec<_>>(),
            ["a", "b", "c", "\u{200b}"]
        );
        assert_eq!(trim("\u{1c}\u{2028} a \n"), "a");
    }

    #[test]
    fn words_are_letters_numbers_and_underscores() {
        let runs = |text| word_runs(text).collect::<Vec<_>>();
        assert_eq!(runs("don't stop_1 ²½ Ⅷ"), ["don", "t", "stop_1", "²½", "Ⅷ"]);
        assert_eq!(runs("हिन्दी"), ["ह", "न", "द"]);
        assert_eq!(runs("a\u{301}b ⓐ"), ["a", "b"]);
        assert!(is_digit('٣') && is_digit('7') && !is_digit('²'));
    }

    #[test]
    fn case_is_that_of_the_cased_characters() {
        for (text, upper, lower) in [
            ("A1", true, false),
            ("'S", true, false),
            ("X.", true, false),
            ("a1", false, true),
            ("1", false, false),
            ("", false, false),
            ("Aa", false, false),
            ("ǅ", false, false),
            ("ª", false, true),
            ("Ⅷ", true, false),
            ("你好", false, false),
        ] {
            assert_eq!((is_upper(text), is_lower(text)), (upper, lower), "{text}");
        }
    }

    #[test]
    fn folding_joins_what_python_joins() {
        assert_eq!(folded("ſTRAẞE İıI Kς"), "strasse iii kσ".replace("ss", "ß"));
    }
}
