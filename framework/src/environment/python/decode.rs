//! Python's JSON scanner, with Python's words and positions for what is wrong.
//!
//! Models read these words and correct themselves by them, so they are those of CPython 3.12's
//! `Modules/_json.c`, which this follows function by function. Unlike strict JSON it takes `NaN`,
//! `Infinity` and `-Infinity`.

use std::collections::HashMap;
use std::fmt;

use super::Json;
use super::integer::{DIGITS_MAX, Integer};

/// How deep values may be nested, unless the caller says. Python's own limit depends on its stack and
/// is near 1000.
pub(super) const DEPTH_MAX: usize = 128;

/// Why text is not JSON. It displays as Python's `repr` of the exception.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A `JSONDecodeError`.
    #[error("JSONDecodeError({quote}{}: line {line} column {column} (char {offset}){quote})",
        .message.replace('\\', "\\\\"), quote = Self::quote(.message))]
    Syntax {
        /// What was expected or found.
        message: &'static str,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// In characters, from 0.
        offset: usize,
    },
    /// A number with more digits than Python takes.
    #[error(
        "ValueError('Exceeds the limit ({DIGITS_MAX} digits) for integer string conversion: value \
         has {digits} digits; use sys.set_int_max_str_digits() to increase the limit')"
    )]
    Digits {
        /// How many it has.
        digits: usize,
    },
    /// Nested too deep.
    #[error(
        "RecursionError('maximum recursion depth exceeded while decoding a JSON {container} from a \
         unicode string')"
    )]
    Depth {
        /// What is nested.
        container: Container,
    },
}

/// What holds other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// A list.
    Array,
    /// A dictionary.
    Object,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Array => "array",
            Self::Object => "object",
        })
    }
}

impl DecodeError {
    /// What Python's `str()` makes of the exception: its message alone.
    pub fn text(&self) -> String {
        match self {
            Self::Syntax { message, line, column, offset } => {
                format!("{message}: line {line} column {column} (char {offset})")
            }
            Self::Digits { .. } | Self::Depth { .. } => {
                let repr = self.to_string();
                let message = repr.split_once("('").and_then(|(_, rest)| rest.strip_suffix("')"));
                message.map(str::to_owned).unwrap_or(repr)
            }
        }
    }

    /// The quote that Python's `repr` chooses for a message.
    fn quote(message: &str) -> char {
        if message.contains('\'') { '"' } else { '\'' }
    }
}

/// Parses a whole text.
pub(super) fn decode(text: &str, depth_max: usize) -> Result<Json, DecodeError> {
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: 0, depth_max };
    if text.starts_with('\u{feff}') {
        return Err(scanner.error("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0));
    }
    scanner.skip_space();
    let value = scanner.value(0)?;
    scanner.skip_space();
    if scanner.at < text.len() {
        return Err(scanner.error("Extra data", scanner.at));
    }
    Ok(value)
}

const EXPECTING_VALUE: &str = "Expecting value";
const EXPECTING_COMMA: &str = "Expecting ',' delimiter";
const INVALID_UNICODE: &str = "Invalid \\uXXXX escape";

/// Values that are words.
const WORDS: [(&str, Json); 6] = [
    ("null", Json::Null),
    ("true", Json::Bool(true)),
    ("false", Json::Bool(false)),
    ("NaN", Json::Float(f64::NAN)),
    ("Infinity", Json::Float(f64::INFINITY)),
    ("-Infinity", Json::Float(f64::NEG_INFINITY)),
];

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// Where the scanner is, in bytes.
    at: usize,
    depth_max: usize,
}

impl Scanner<'_> {
    /// An error at a byte offset, which Python counts in characters.
    fn error(&self, message: &'static str, at: usize) -> DecodeError {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        DecodeError::Syntax {
            message,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            offset: before.chars().count(),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Steps over a byte if it is next.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Json, DecodeError> {
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::String(self.string()?.into())),
            Some(_) => self.word_or_number(),
            None => Err(self.error(EXPECTING_VALUE, self.at)),
        }
    }

    fn word_or_number(&mut self) -> Result<Json, DecodeError> {
        let rest = &self.bytes[self.at..];
        if let Some((word, value)) =
            WORDS.iter().find(|(word, _)| rest.starts_with(word.as_bytes()))
        {
            self.at += word.len();
            return Ok(value.clone());
        }
        self.number()
    }

    fn object(&mut self, depth: usize) -> Result<Json, DecodeError> {
        const EXPECTING_NAME: &str = "Expecting property name enclosed in double quotes";
        if depth >= self.depth_max {
            return Err(DecodeError::Depth { container: Container::Object });
        }
        let mut entries = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(entries));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.error(EXPECTING_NAME, self.at));
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.error("Expecting ':' delimiter", self.at));
            }
            self.skip_space();
            entries.push((key.into(), self.value(depth + 1)?));
            if self.ends(b'}')? {
                return Ok(Json::Object(last_of_each(entries)));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, DecodeError> {
        if depth >= self.depth_max {
            return Err(DecodeError::Depth { container: Container::Array });
        }
        let mut items = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.ends(b']')? {
                return Ok(Json::Array(items));
            }
        }
    }

    /// Steps over what follows a value in a container: its end, or a comma.
    fn ends(&mut self, close: u8) -> Result<bool, DecodeError> {
        self.skip_space();
        if self.take(close) {
            return Ok(true);
        }
        if !self.take(b',') {
            return Err(self.error(EXPECTING_COMMA, self.at));
        }
        self.skip_space();
        Ok(false)
    }

    fn string(&mut self) -> Result<String, DecodeError> {
        let begin = self.at;
        let mut text = String::new();
        self.at += 1;
        loop {
            let chunk = self.at;
            while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            text.push_str(&self.text[chunk..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape(begin)?),
                Some(_) => return Err(self.error("Invalid control character at", self.at)),
                None => return Err(self.error("Unterminated string starting at", begin)),
            }
        }
    }

    fn escape(&mut self, begin: usize) -> Result<char, DecodeError> {
        let backslash = self.at;
        self.at += 1;
        let Some(byte) = self.peek() else {
            return Err(self.error("Unterminated string starting at", begin));
        };
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' => Ok(char::from(byte)),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{c}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => self.unicode(),
            _ => Err(self.error("Invalid \\escape", backslash)),
        }
    }

    /// The character of a `\u` escape, or of two that are a pair of surrogates.
    fn unicode(&mut self) -> Result<char, DecodeError> {
        let at = self.at;
        let first = self.hex(at).ok_or_else(|| self.error(INVALID_UNICODE, at - 1))?;
        self.at += 4;
        if let Some(plain) = char::from_u32(first) {
            return Ok(plain);
        }
        let is_high = (0xd800..0xdc00).contains(&first);
        let escape_follows = self.bytes[self.at..].starts_with(b"\\u");
        let second = if is_high && escape_follows { self.hex(self.at + 2) } else { None };
        let Some(low) = second.filter(|second| (0xdc00..0xe000).contains(second)) else {
            return Ok(char::REPLACEMENT_CHARACTER);
        };
        self.at += 6;
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Four hexadecimal digits, which something must follow.
    fn hex(&self, at: usize) -> Option<u32> {
        self.bytes.get(at + 4)?;
        let digit = |value, byte: &u8| Some(value * 16 + char::from(*byte).to_digit(16)?);
        self.bytes[at..at + 4].iter().try_fold(0, digit)
    }

    fn number(&mut self) -> Result<Json, DecodeError> {
        let start = self.at;
        self.take(b'-');
        let digits = self.at;
        if !self.take(b'0') && self.digits() == 0 {
            self.at = start;
            return Err(self.error(EXPECTING_VALUE, start));
        }
        let whole = self.at;
        self.fraction();
        self.exponent();
        let text = &self.text[start..self.at];
        if self.at > whole {
            return Ok(Json::Float(text.parse().expect("a JSON number parses as a float")));
        }
        let digits = whole - digits;
        Integer::parse(text).map(Json::Integer).ok_or(DecodeError::Digits { digits })
    }

    /// Steps over digits and counts them.
    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    /// Steps over a fraction, if there is a whole one.
    fn fraction(&mut self) {
        let start = self.at;
        if self.take(b'.') && self.digits() == 0 {
            self.at = start;
        }
    }

    /// Steps over an exponent, if there is a whole one.
    fn exponent(&mut self) {
        let start = self.at;
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                self.at = start;
            }
        }
    }
}

/// Entries as a dictionary has them: a key's place is its first, its value the last.
fn last_of_each(entries: Vec<(Box<str>, Json)>) -> Vec<(Box<str>, Json)> {
    let mut places: HashMap<Box<str>, usize> = HashMap::with_capacity(entries.len());
    let mut unique: Vec<(Box<str>, Json)> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        match places.get(&key) {
            Some(place) => unique[*place].1 = value,
            None => {
                places.insert(key.clone(), unique.len());
                unique.push((key, value));
            }
        }
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::super::reference;
    use super::*;

    const VALUE: &str = "Expecting value";
    const NAME: &str = "Expecting property name enclosed in double quotes";
    const COMMA: &str = "Expecting ',' delimiter";
    const UNTERMINATED: &str = "Unterminated string starting at";
    const UNICODE: &str = r"Invalid \\uXXXX escape";
    const EXTRA: &str = "Extra data";

    /// What Python 3.12 says about text that is not JSON: its words, with backslashes as in `repr`,
    /// the line, the column and the character.
    const WRONG: [(&str, &str, [usize; 3]); 34] = [
        ("", VALUE, [1, 1, 0]),
        ("  ", VALUE, [1, 3, 2]),
        (r#"{"a":1,}"#, NAME, [1, 8, 7]),
        ("{a:1}", NAME, [1, 2, 1]),
        ("{", NAME, [1, 2, 1]),
        ("{'a':1}", NAME, [1, 2, 1]),
        (r#"{"a" 1}"#, "Expecting ':' delimiter", [1, 6, 5]),
        (r#"{"a":1 "b"}"#, COMMA, [1, 8, 7]),
        (r#"{"a":1"#, COMMA, [1, 7, 6]),
        (r#"{"a":"#, VALUE, [1, 6, 5]),
        ("[", VALUE, [1, 2, 1]),
        ("[1,]", VALUE, [1, 4, 3]),
        ("[1", COMMA, [1, 3, 2]),
        ("{\"a\":\n  x}", VALUE, [2, 3, 8]),
        (r#""abc"#, UNTERMINATED, [1, 1, 0]),
        (r#"{"a":"b\"#, UNTERMINATED, [1, 6, 5]),
        ("\"a\nb\"", "Invalid control character at", [1, 3, 2]),
        (r#""a\x""#, r"Invalid \\escape", [1, 3, 2]),
        (r#""\u12""#, UNICODE, [1, 3, 2]),
        (r#""\ud800"#, UNICODE, [1, 3, 2]),
        (r#""\ud800\u12"#, UNICODE, [1, 9, 8]),
        (r#""\u+123""#, UNICODE, [1, 3, 2]),
        ("1 2", EXTRA, [1, 3, 2]),
        (r#"{"a":1}}"#, EXTRA, [1, 8, 7]),
        ("01", EXTRA, [1, 2, 1]),
        ("1.", EXTRA, [1, 2, 1]),
        ("1e+", EXTRA, [1, 2, 1]),
        ("-", VALUE, [1, 1, 0]),
        ("- 1", VALUE, [1, 1, 0]),
        ("nul", VALUE, [1, 1, 0]),
        ("nan", VALUE, [1, 1, 0]),
        ("{\"é\":x}", VALUE, [1, 6, 5]),
        ("\u{feff}{}", "Unexpected UTF-8 BOM (decode using utf-8-sig)", [1, 1, 0]),
        ("\u{b}1", VALUE, [1, 1, 0]),
    ];

    #[test]
    fn errors_have_pythons_words_and_positions() {
        for (text, words, [line, column, offset]) in WRONG {
            let quote = if words.contains('\'') { '"' } else { '\'' };
            let place = format!("line {line} column {column} (char {offset})");
            let expected = format!("JSONDecodeError({quote}{words}: {place}{quote})");
            assert_eq!(Json::parse(text).unwrap_err().to_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn what_python_takes_is_taken() {
        for (text, expected) in [
            (" [NaN, -Infinity, Infinity]\n", "[NaN,-Infinity,Infinity]"),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (r#""\ud83d\ude00\u00e9\/""#, "\"😀é/\""),
            (r#""\ud800A""#, "\"\u{fffd}A\""),
            ("-0", "0"),
            ("-0.0", "-0.0"),
            ("1e999", "Infinity"),
            ("1E2", "100.0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(Json::parse(text).unwrap().to_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn no_input_exhausts_the_stack_or_the_clock() {
        let error = Json::parse(&"[".repeat(1 << 20)).unwrap_err().to_string();
        assert!(error.starts_with("RecursionError('maximum recursion depth"), "{error}");
        assert!(Json::parse(&format!("{}1{}", "[".repeat(128), "]".repeat(128))).is_ok());
        let error = Json::parse(&"7".repeat(1 << 20)).unwrap_err().to_string();
        assert!(error.contains("value has 1048576 digits"), "{error}");
        let keys: Vec<_> = (0..100_000).map(|n| format!("\"{n}\":0")).collect();
        assert!(Json::parse(&format!("{{{}}}", keys.join(","))).is_ok());
    }

    /// Sound JSON and every way to spoil it by one byte.
    fn spoiled() -> Vec<String> {
        let seeds = [
            r#"{"a": [1, -2.5e3, "x\u00e9\n", true], "b": {"c": null}, "é": ""}"#,
            "[NaN, -Infinity,\n {\"k\" : \"\\ud83d\\ude00\"}, 0.5]",
        ];
        let mut texts = Vec::new();
        for seed in seeds {
            let characters: Vec<char> = seed.chars().collect();
            for index in 0..=characters.len() {
                texts.push(characters[..index].iter().collect());
                for change in
                    ["", ",", "}", "]", "\"", "\\", "x", "-", "0", " ", "\n", ":", ".", "e"]
                {
                    let rest = characters.get(index + 1..).unwrap_or_default();
                    let before = &characters[..index];
                    texts.push(
                        before
                            .iter()
                            .chain(&change.chars().collect::<Vec<_>>())
                            .chain(rest)
                            .collect(),
                    );
                }
            }
        }
        texts
    }

    #[test]
    fn pythons_own_scanner_agrees() {
        const SCRIPT: &str = r#"
import json, sys
assert sys.version_info < (3, 13)
for text in json.load(sys.stdin):
    try: print(json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=True))
    except ValueError as error: print(repr(error))
"#;
        let texts = spoiled();
        let Some(output) = reference::python(SCRIPT, &serde_json::to_string(&texts).unwrap())
        else {
            return;
        };
        for (text, expected) in texts.iter().zip(output.lines()) {
            match (Json::parse(text), Json::parse(expected)) {
                (Ok(value), Ok(expected)) => {
                    assert_eq!(value.to_string(), expected.to_string(), "{text:?}");
                }
                (Err(error), _) => assert_eq!(error.to_string(), expected, "{text:?}"),
                (Ok(value), Err(_)) => panic!("{text:?}: {value} instead of {expected}"),
            }
        }
    }
}
