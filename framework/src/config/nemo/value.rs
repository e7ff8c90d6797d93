//! Values as Hydra and OmegaConf write them outside of YAML: `[a,b]`, `{a:1,b:2}`, `'a, b'`, `1_000`.
//!
//! Not YAML: `{a:1}` needs no space, and what stands in no quotes goes on to the next comma or bracket.

use std::{collections::BTreeMap, iter::Peekable, str::CharIndices};

use super::super::{
    problem::Fault,
    scalar::read_scalar,
    tree::{Node, Value},
};

/// Lists and maps may stand this deep in each other.
const DEPTH_MAX: usize = 64;

/// Reads a whole text as one value.
///
/// # Errors
/// Several values (`1,2`, which is a sweep in Hydra), and brackets or quotes that do not close.
pub(in super::super) fn read_value(text: &str) -> Result<Node, Fault> {
    let mut reader = Reader { text, letters: text.char_indices().peekable(), depth: 0 };
    let value = reader.value(&[','])?;
    match reader.letters.peek() {
        None => Ok(value),
        Some((_, ',')) => Err(malformed("several values stand side by side")),
        Some(_) => Err(malformed("something follows it")),
    }
}

fn malformed(reason: &'static str) -> Fault {
    Fault::MalformedValue { reason }
}

struct Reader<'a> {
    text: &'a str,
    letters: Peekable<CharIndices<'a>>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, ends: &[char]) -> Result<Node, Fault> {
        self.skip_space();
        let value = match self.letters.peek() {
            Some((_, '[')) => self.nested(Self::list)?,
            Some((_, '{')) => self.nested(Self::map)?,
            Some((_, quote @ ('"' | '\''))) => {
                let quote = *quote;
                Node::new(Value::Text(self.quoted(quote)?), None)
            }
            Some(_) | None => plain(self.word(ends)?.trim()),
        };
        self.skip_space();
        Ok(value)
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Fault>) -> Result<Node, Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(malformed("its brackets stand too deep in each other"));
        }
        self.letters.next();
        let value = read(self)?;
        self.depth -= 1;
        Ok(Node::new(value, None))
    }

    fn list(&mut self) -> Result<Value, Fault> {
        let mut items = Vec::new();
        loop {
            self.skip_space();
            if items.is_empty() && self.letters.next_if(|(_, letter)| *letter == ']').is_some() {
                return Ok(Value::List(items));
            }
            items.push(self.value(&[',', ']'])?);
            match self.letters.next() {
                Some((_, ',')) => {}
                Some((_, ']')) => return Ok(Value::List(items)),
                Some(_) | None => return Err(malformed("a `[` is never closed")),
            }
        }
    }

    fn map(&mut self) -> Result<Value, Fault> {
        let mut entries = BTreeMap::new();
        loop {
            self.skip_space();
            if entries.is_empty() && self.letters.next_if(|(_, letter)| *letter == '}').is_some() {
                return Ok(Value::Map(entries));
            }
            let key = self.key()?;
            let value = self.value(&[',', '}'])?;
            entries.insert(key, value);
            match self.letters.next() {
                Some((_, ',')) => {}
                Some((_, '}')) => return Ok(Value::Map(entries)),
                Some(_) | None => return Err(malformed("a `{` is never closed")),
            }
        }
    }

    fn key(&mut self) -> Result<String, Fault> {
        let key = match self.letters.peek() {
            Some((_, quote @ ('"' | '\''))) => {
                let quote = *quote;
                self.quoted(quote)?
            }
            Some(_) | None => self.word(&[':', ',', '}'])?.trim().to_owned(),
        };
        self.skip_space();
        let is_followed = self.letters.next_if(|(_, letter)| *letter == ':').is_some();
        if is_followed { Ok(key) } else { Err(malformed("a key in `{…}` has no `:` behind it")) }
    }

    fn quoted(&mut self, quote: char) -> Result<String, Fault> {
        self.letters.next();
        let mut text = String::new();
        while let Some((_, letter)) = self.letters.next() {
            match letter {
                '\\' => match self.letters.next_if(|(_, next)| *next == quote || *next == '\\') {
                    Some((_, escaped)) => text.push(escaped),
                    None => text.push('\\'),
                },
                _ if letter == quote => return Ok(text),
                _ => text.push(letter),
            }
        }
        Err(malformed("a quote is never closed"))
    }

    /// Reads up to one of the ends that stands in no `${…}` and behind no backslash.
    fn word(&mut self, ends: &[char]) -> Result<String, Fault> {
        let mut word = String::new();
        while let Some(&(position, letter)) = self.letters.peek() {
            if ends.contains(&letter) {
                break;
            }
            self.letters.next();
            match letter {
                '$' if self.text[position + 1..].starts_with('{') => {
                    word.push('$');
                    self.reference(&mut word)?;
                }
                '\\' => match self.letters.next_if(|(_, next)| r"\()[]{}:=, ".contains(*next)) {
                    Some((_, escaped)) => word.push(escaped),
                    None => word.push('\\'),
                },
                _ => word.push(letter),
            }
        }
        Ok(word)
    }

    /// Copies `{…}` to its closing brace.
    fn reference(&mut self, word: &mut String) -> Result<(), Fault> {
        let mut open = 0_usize;
        for (_, letter) in self.letters.by_ref() {
            word.push(letter);
            match letter {
                '{' => open += 1,
                '}' if open == 1 => return Ok(()),
                '}' => open -= 1,
                _ => {}
            }
        }
        Err(Fault::UnclosedReference)
    }

    fn skip_space(&mut self) {
        while self.letters.next_if(|(_, letter)| letter.is_whitespace()).is_some() {}
    }
}

/// Reads what stands in no quotes; the exact text is kept for where a string is needed.
fn plain(text: &str) -> Node {
    let digits = text.trim_start_matches(['+', '-']);
    let is_grouped = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.chars().all(|letter| letter.is_ascii_digit() || letter == '_');
    let value = match text.to_ascii_lowercase().as_str() {
        "" => Value::Text(String::new()),
        "null" => Value::Null,
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        _ if is_grouped => read_scalar(&text.replace('_', "")),
        _ => read_scalar(text),
    };
    let mut node = Node::new(value, None);
    node.text = Some(text.to_owned());
    node
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_those_of_hydra() {
        let cases = [
            ("4", json!(4)),
            ("1_000", json!(1000)),
            ("1e3", json!(1000.0)),
            ("TRUE", json!(true)),
            ("null", json!(null)),
            ("", json!("")),
            ("a b c", json!("a b c")),
            ("http://h:1/v1?a=b", json!("http://h:1/v1?a=b")),
            ("'1'", json!("1")),
            ("\"a, b\"", json!("a, b")),
            (r"'it\'s'", json!("it's")),
            (r"a\,b", json!("a,b")),
            ("[]", json!([])),
            ("[a.yaml,b.yaml]", json!(["a.yaml", "b.yaml"])),
            ("[ a.yaml, 'b, c.yaml' ,[1]]", json!(["a.yaml", "b, c.yaml", [1]])),
            ("{}", json!({})),
            ("{a:1,b:{c:x}}", json!({"a": 1, "b": {"c": "x"}})),
            (
                "{type: responses_api_models, name: j}",
                json!({"type": "responses_api_models", "name": "j"}),
            ),
            ("{'a:b': http://h:1}", json!({"a:b": "http://h:1"})),
            ("${a.b}", json!("${a.b}")),
            ("[${oc.env:X,{a,b}},2]", json!(["${oc.env:X,{a,b}}", 2])),
        ];
        for (text, expected) in cases {
            assert_eq!(read_value(text).unwrap().to_json(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_one_value_is_refused() {
        for text in ["1,2", "[1", "{a:1", "{a}", "'a", "[1]x", "${a", "choice(a,b)", "[1,2],3"] {
            assert!(read_value(text).is_err(), "{text}");
        }
        assert!(read_value(&"[".repeat(100)).is_err());
    }

    #[test]
    fn a_number_keeps_its_exact_text() {
        let node = read_value("1.10").unwrap();
        assert_eq!((node.value, node.text.as_deref()), (Value::Float(1.1), Some("1.10")));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a1é$\\[\\]{}:,'\"\\\\ ]{0,16}") {
            let _ = read_value(&text);
        }
    }
}
