//! Escapes, references, and the characters of classes.

use super::PatternError;
use super::class::{Class, category, literal};
use super::translator::{Parsed, Translator, item, position};

impl Translator {
    pub(super) fn escape(&mut self) -> Parsed {
        const WORD: &str = r"[\p{L}\p{N}_]";
        let start = self.at - 1;
        let Some(letter) = self.next() else {
            return Err(self.error("bad escape (end of pattern)", start));
        };
        let word = if self.mode.ascii { "[A-Za-z0-9_]" } else { WORD };
        match letter {
            'A' => Ok(position(r"\A")),
            'Z' => Ok(position(r"\z")),
            'b' => Ok(position(format!("(?:(?<={word})(?!{word})|(?<!{word})(?={word}))"))),
            'B' => {
                Ok(position(format!(r"(?!\A\z)(?:(?<={word})(?={word})|(?<!{word})(?!{word}))")))
            }
            'd' | 's' | 'w' => Ok(item(format!("[{}]", category(letter, self.mode.ascii)), (1, 1))),
            'D' | 'S' | 'W' => {
                Ok(item(format!("[^{}]", category(letter, self.mode.ascii)), (1, 1)))
            }
            '1'..='9' => self.reference_or_octal(start, letter),
            _ => {
                let character = self.character(start, letter)?;
                Ok(item(literal(character, self.mode.flags.ignore_case), (1, 1)))
            }
        }
    }

    /// `\1`, or `\123` in octal.
    fn reference_or_octal(&mut self, start: usize, first: char) -> Parsed {
        let mut digits = String::from(first);
        if let Some(second) = self.peek().filter(char::is_ascii_digit) {
            digits.push(second);
            self.at += 1;
            let third = self.peek().filter(|third| digits.chars().chain([*third]).all(is_octal));
            if let Some(third) = third {
                digits.push(third);
                self.at += 1;
                let code = u32::from_str_radix(&digits, 8).unwrap_or(u32::MAX);
                let character =
                    char::from_u32(code).filter(|_| code <= 0o377).ok_or_else(|| {
                        let message =
                            format!("octal escape value \\{digits} outside of range 0-0o377");
                        self.error(message, start)
                    })?;
                return Ok(item(literal(character, self.mode.flags.ignore_case), (1, 1)));
            }
        }
        let group = digits.parse().unwrap_or(usize::MAX);
        self.reference(group, start)
    }

    pub(super) fn reference(&self, group: usize, start: usize) -> Parsed {
        let Some(known) = self.groups.get(group) else {
            return Err(self.error(format!("invalid group reference {group}"), start + 1));
        };
        let width =
            known.width.ok_or_else(|| self.error("cannot refer to an open group", start))?;
        Ok(item(format!("(?:\\{group})"), width))
    }

    /// The character of an escape that means the same inside and outside of classes.
    fn character(&mut self, start: usize, letter: char) -> Result<char, PatternError> {
        match letter {
            'a' => Ok('\u{7}'),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\u{b}'),
            'x' => self.hexadecimal(start, 2),
            'u' => self.hexadecimal(start, 4),
            'U' => self.hexadecimal(start, 8),
            'N' => Err(Self::unsupported("`\\N{…}`")),
            '0' => {
                let mut code = 0;
                for _ in 0..2 {
                    let Some(digit) = self.peek().filter(|c| is_octal(*c)) else { break };
                    code = code * 8 + digit.to_digit(8).unwrap_or(0);
                    self.at += 1;
                }
                Ok(char::from_u32(code).unwrap_or('\0'))
            }
            letter if letter.is_ascii_alphabetic() => {
                Err(self.error(format!("bad escape \\{letter}"), start))
            }
            other => Ok(other),
        }
    }

    fn hexadecimal(&mut self, start: usize, digits: usize) -> Result<char, PatternError> {
        let mut text = String::new();
        while let Some(digit) = self.peek().filter(|c| c.is_ascii_hexdigit() && text.len() < digits)
        {
            text.push(digit);
            self.at += 1;
        }
        let code = u32::from_str_radix(&text, 16).ok().filter(|_| text.len() == digits);
        let code = code.ok_or_else(|| {
            let escape: String = self.characters[start..self.at].iter().collect();
            self.error(format!("incomplete escape {escape}"), start)
        })?;
        // A lone surrogate matches nothing that Rust's text can hold.
        char::from_u32(code).ok_or_else(|| Self::unsupported("a surrogate"))
    }

    pub(super) fn class(&mut self, start: usize) -> Parsed {
        let negated = self.take('^');
        let mut class = Class::default();
        let first = self.at;
        loop {
            let at = self.at;
            let Some(next) = self.next() else {
                return Err(self.error("unterminated character set", start));
            };
            if next == ']' && at != first {
                break;
            }
            let low = self.class_item(at, next)?;
            let dash = self.peek() == Some('-');
            let closes = self.characters.get(self.at + 1) == Some(&']');
            if !dash || closes {
                self.add(&mut class, low);
                continue;
            }
            self.at += 1;
            let high_at = self.at;
            let Some(high) = self.next() else {
                return Err(self.error("unterminated character set", start));
            };
            let high = self.class_item(high_at, high)?;
            let bad = || -> PatternError {
                let range: String = self.characters[at..self.at].iter().collect();
                self.error(format!("bad character range {range}"), at)
            };
            match (low, high) {
                (Element::Character(low), Element::Character(high)) if low <= high => {
                    class.add_range(low, high);
                }
                _ => return Err(bad()),
            }
        }
        Ok(item(class.finish(negated, self.mode.flags.ignore_case), (1, 1)))
    }

    fn add(&self, class: &mut Class, element: Element) {
        match element {
            Element::Character(character) => class.add_range(character, character),
            Element::Category(letter) => class.add_category(letter, self.mode.ascii),
        }
    }

    fn class_item(&mut self, start: usize, next: char) -> Result<Element, PatternError> {
        if next != '\\' {
            return Ok(Element::Character(next));
        }
        let Some(letter) = self.next() else {
            return Err(self.error("bad escape (end of pattern)", start));
        };
        match letter {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => Ok(Element::Category(letter)),
            'b' => Ok(Element::Character('\u{8}')),
            '0'..='7' => {
                let mut code = letter.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = self.peek().filter(|c| is_octal(*c)) else { break };
                    code = code * 8 + digit.to_digit(8).unwrap_or(0);
                    self.at += 1;
                }
                let character = char::from_u32(code).filter(|_| code <= 0o377);
                let character = character.ok_or_else(|| {
                    self.error("octal escape value outside of range 0-0o377", start)
                })?;
                Ok(Element::Character(character))
            }
            '8' | '9' => Err(self.error(format!("bad escape \\{letter}"), start)),
            _ => Ok(Element::Character(self.character(start, letter)?)),
        }
    }
}

/// A member of a class.
#[derive(Clone, Copy)]
enum Element {
    Character(char),
    Category(char),
}

fn is_octal(character: char) -> bool {
    ('0'..='7').contains(&character)
}
