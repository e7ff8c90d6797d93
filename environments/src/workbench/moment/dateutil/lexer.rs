//! Words, numbers and single characters of a text, as dateutil's lexer splits them.

use framework::environment::python::text::{is_space, parse_int};

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Vec<String> {
    Lexer::read(text)
}

/// Splits text into words, numbers and single characters.
struct Lexer<'a> {
    characters: std::iter::Peekable<std::str::Chars<'a>>,
    tokens: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Word,
    Number,
    DottedWord,
    DottedNumber,
}

pub(super) fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
        || (!character.is_ascii() && parse_int(&character.to_string()).is_some())
}

impl Lexer<'_> {
    fn read(text: &str) -> Vec<String> {
        // Null characters are as if they were not there.
        let text = text.replace('\0', "");
        let mut lexer = Lexer { characters: text.chars().peekable(), tokens: Vec::new() };
        while let Some(first) = lexer.characters.next() {
            lexer.token(first);
        }
        lexer.tokens
    }

    fn token(&mut self, first: char) {
        let mut token = String::from(first);
        let mut state = match first {
            first if first.is_alphabetic() => State::Word,
            first if is_digit(first) => State::Number,
            first if is_space(first) => return self.tokens.push(" ".to_owned()),
            _ => return self.tokens.push(token),
        };
        let mut has_letters = false;
        while let Some(next) = self.characters.peek().copied() {
            has_letters |= matches!(state, State::Word | State::DottedWord);
            let ends_in_dot = token.ends_with('.');
            state = match state {
                State::Word if next.is_alphabetic() => State::Word,
                State::Word | State::DottedWord if next == '.' => State::DottedWord,
                State::Number if is_digit(next) => State::Number,
                State::Number if next == '.' || (next == ',' && token.chars().count() >= 2) => {
                    State::DottedNumber
                }
                State::DottedWord if next.is_alphabetic() => State::DottedWord,
                State::DottedWord if is_digit(next) && ends_in_dot => State::DottedNumber,
                State::DottedNumber if next == '.' || is_digit(next) => State::DottedNumber,
                State::DottedNumber if next.is_alphabetic() && ends_in_dot => State::DottedWord,
                _ => break,
            };
            token.push(next);
            self.characters.next();
        }
        self.push(token, state, has_letters);
    }

    /// Adds a token, in pieces if its dots and commas separate them.
    fn push(&mut self, mut token: String, state: State, has_letters: bool) {
        let is_dotted = matches!(state, State::DottedWord | State::DottedNumber);
        let separates =
            has_letters || token.matches('.').count() > 1 || token.ends_with(['.', ',']);
        let mut rest = Vec::new();
        if is_dotted && separates {
            let whole = std::mem::take(&mut token);
            let mut pieces = whole.split_inclusive(['.', ',']).flat_map(|piece| {
                let at = piece.len() - usize::from(piece.ends_with(['.', ',']));
                let (text, separator) = piece.split_at(at);
                [text.to_owned(), separator.to_owned()]
            });
            token = pieces.next().unwrap_or_default();
            rest = pieces.filter(|piece| !piece.is_empty()).collect();
        }
        if state == State::DottedNumber && !token.contains('.') {
            token = token.replace(',', ".");
        }
        self.tokens.push(token);
        self.tokens.append(&mut rest);
    }
}
