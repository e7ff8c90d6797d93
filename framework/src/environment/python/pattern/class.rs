//! Sets of characters: `[…]` and the categories `\d`, `\s`, `\w`, as Python has them.
//!
//! Python's `\w` is what `str.isalnum` takes and the underscore, so no combining marks; its `\s` is
//! what `str.isspace` takes, so the four separators U+001C to U+001F as well.

use std::fmt::Write;

/// One category as the inside of a class; `ascii` under the flag `a`.
pub(super) fn category(letter: char, ascii: bool) -> &'static str {
    match (letter.to_ascii_lowercase(), ascii) {
        ('d', false) => r"\p{Nd}",
        ('d', true) => "0-9",
        ('s', false) => r"\s\x{1c}-\x{1f}",
        ('s', true) => r"\t\n\x0b\x0c\r ",
        (_, false) => r"\p{L}\p{N}_",
        (_, true) => "A-Za-z0-9_",
    }
}

/// The items of a class, as they are read.
#[derive(Default)]
pub(super) struct Class {
    text: String,
    /// Whether it has a letter that Python holds to be an `i` when case does not matter.
    has_i: bool,
}

/// The letters that are one when case does not matter.
const I: [char; 4] = ['i', 'I', '\u{130}', '\u{131}'];

impl Class {
    /// Adds the characters from `first` to `last`.
    pub(super) fn add_range(&mut self, first: char, last: char) {
        self.has_i |= I.iter().any(|letter| (first..=last).contains(letter));
        push_escaped(&mut self.text, first);
        if first != last {
            self.text.push('-');
            push_escaped(&mut self.text, last);
        }
    }

    /// Adds a category; a capital letter stands for all that is not in it.
    pub(super) fn add_category(&mut self, letter: char, ascii: bool) {
        let inside = category(letter, ascii);
        if letter.is_ascii_uppercase() {
            write!(self.text, "[^{inside}]").expect("a string takes what is written");
        } else {
            self.text.push_str(inside);
        }
    }

    /// The whole class.
    pub(super) fn finish(mut self, negated: bool, ignore_case: bool) -> String {
        if ignore_case && self.has_i {
            self.text.extend(I);
        }
        format!("[{}{}]", if negated { "^" } else { "" }, self.text)
    }
}

/// One character on its own.
pub(super) fn literal(character: char, ignore_case: bool) -> String {
    if ignore_case && I.contains(&character) {
        return "[iI\u{130}\u{131}]".to_owned();
    }
    let mut text = String::new();
    push_escaped(&mut text, character);
    text
}

/// Appends a character that stands for itself inside and outside of classes.
fn push_escaped(text: &mut String, character: char) {
    if character.is_ascii_alphanumeric() {
        text.push(character);
    } else {
        write!(text, "\\x{{{:x}}}", u32::from(character)).expect("a string takes what is written");
    }
}
