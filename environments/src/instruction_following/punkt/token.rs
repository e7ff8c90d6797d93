//! Words as Punkt sees them: punctuation is split off, but for dots.

use super::super::text::{is_digit, is_space, is_word};
use super::{ENDS, MODEL, NON_WORD};

/// What stands for every number.
pub(super) const NUMBER: &str = "##number##";

/// One token, and what is known about it.
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// The text in lower case, or [`NUMBER`].
    kind: String,
    pub(super) is_break: bool,
    pub(super) is_abbreviation: bool,
    pub(super) is_ellipsis: bool,
}

/// The tokens of one line.
pub(super) fn tokens(line: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(is_space);
        let length = token_length(rest)?;
        let (text, after) = rest.split_at(length);
        rest = after;
        Some(Token::new(text))
    })
}

/// How many bytes the token has with which a text starts.
fn token_length(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if let Some(length) = multiple_length(text) {
        return Some(length);
    }
    if !starts_word(first) {
        return Some(first.len_utf8());
    }
    let ends = text.char_indices().skip(1).map(|(at, _)| at).find(|at| ends_word(&text[*at..]));
    Some(ends.unwrap_or(text.len()))
}

/// Whether a word may start with a character.
fn starts_word(character: char) -> bool {
    !"(\"`{[:;&#*@)}]-,".contains(character)
}

/// Whether a word ends before a text.
fn ends_word(text: &str) -> bool {
    let is_end = |text: &str| {
        text.chars().next().is_none_or(|next| is_space(next) || NON_WORD.contains(&next))
            || multiple_length(text).is_some()
    };
    is_end(text) || text.strip_prefix(',').is_some_and(is_end)
}

/// How many bytes the mark of several characters has with which a text starts: hyphens, dots, or
/// dots with spaces between them.
fn multiple_length(text: &str) -> Option<usize> {
    let run = |mark: char| text.len() - text.trim_start_matches(mark).len();
    match text.as_bytes().first()? {
        b'-' => Some(run('-')).filter(|length| *length > 1),
        b'.' => Some(run('.')).filter(|length| *length > 1).or_else(|| spaced_dots(text)),
        _ => None,
    }
}

/// How many bytes three or more dots have that stand apart by one space each.
fn spaced_dots(text: &str) -> Option<usize> {
    let mut characters = text.chars();
    let (mut dots, mut length, mut space) = (0, 0, 0);
    while characters.next() == Some('.') {
        dots += 1;
        length += space + 1;
        match characters.next().filter(|next| is_space(*next)) {
            Some(next) => space = next.len_utf8(),
            None => break,
        }
    }
    (dots >= 3).then_some(length)
}

impl<'a> Token<'a> {
    /// A token with what its own text tells.
    fn new(text: &'a str) -> Self {
        let lower = text.to_lowercase();
        let is_ellipsis = text.len() > 1 && text.bytes().all(|byte| byte == b'.');
        let is_dotted = text.ends_with('.') && !text.ends_with("..");
        let is_end = text.len() == 1 && text.starts_with(ENDS);
        let is_abbreviation = is_dotted && !is_end && is_abbreviation(&lower[..lower.len() - 1]);
        let is_break = is_end || (is_dotted && !is_abbreviation);
        let kind = if is_number(&lower) { NUMBER.to_owned() } else { lower };
        Self { text, kind, is_break, is_abbreviation, is_ellipsis }
    }

    /// The kind without the dot at its end.
    pub(super) fn kind_without_dot(&self) -> &str {
        let without = self.kind.strip_suffix('.').filter(|kind| !kind.is_empty());
        without.unwrap_or(&self.kind)
    }

    /// The kind without the dot that ends a sentence.
    pub(super) fn kind_without_break(&self) -> &str {
        if self.is_break { self.kind_without_dot() } else { &self.kind }
    }

    /// Whether it is one letter and a dot.
    pub(super) fn is_initial(&self) -> bool {
        let mut characters = self.text.chars();
        let is_letter = characters.next().is_some_and(|first| is_word(first) && !is_digit(first));
        is_letter && characters.as_str() == "."
    }

    pub(super) fn starts_upper(&self) -> bool {
        self.text.starts_with(char::is_uppercase)
    }

    pub(super) fn starts_lower(&self) -> bool {
        self.text.starts_with(char::is_lowercase)
    }
}

fn is_abbreviation(word: &str) -> bool {
    let last_part = word.rsplit('-').next().unwrap_or(word);
    MODEL.abbreviations.contains(word) || MODEL.abbreviations.contains(last_part)
}

/// Whether a token is a number: digits, with dots, commas and hyphens inside.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let text = text.strip_prefix(['.', ',']).unwrap_or(text);
    text.starts_with(is_digit)
        && text.chars().all(|character| is_digit(character) || ".,-".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_split_into_tokens() {
        let cases: [(&str, &[&str]); 10] = [
            ("well-known, fact.", &["well-known", ",", "fact."]),
            ("1,000 a,b", &["1,000", "a,b"]),
            ("(Hi.)", &["(", "Hi.", ")"]),
            ("a--b...c", &["a", "--", "b", "...", "c"]),
            (". . . a", &[". . .", "a"]),
            (". . a", &[".", ".", "a"]),
            ("don't", &["don", "'t"]),
            ("x;y", &["x", ";", "y"]),
            (",a -b", &[",", "a", "-", "b"]),
            ("a,) b,", &["a", ",", ")", "b", ","]),
        ];
        for (line, expected) in cases {
            let texts: Vec<_> = tokens(line).map(|token| token.text).collect();
            assert_eq!(texts, expected, "{line}");
        }
    }

    #[test]
    fn numbers_are_numbers_with_their_dot() {
        for (text, expected) in [
            ("5", true),
            ("5.", true),
            ("-1,000.5", true),
            (".5", true),
            ("1990-95", true),
            ("5th", false),
            ("-", false),
            ("..5", false),
        ] {
            assert_eq!(is_number(text), expected, "{text}");
        }
    }
}
