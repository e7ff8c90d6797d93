//! XML as `xmltodict` folds it: elements are keys, attributes `@name`, text beside them `#text`.
//!
//! A repeated element is a list, an empty one is null. Well-formedness is expat's; namespaces are no more
//! than parts of names, and documents that declare entities are refused, as `xmltodict` does.

use framework::environment::python::text::strip;
use xmlparser::{ElementEnd, Reference, Stream, Token, Tokenizer};

use super::value::{Key, Map, Value};

/// How deep elements may be nested.
const DEPTH_MAX: usize = 200;

/// Parses a document.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut folder = Folder::default();
    for token in Tokenizer::from(text) {
        folder.take(token.map_err(|error| format!("ExpatError: {error}"))?)?;
    }
    folder.finish()
}

/// An element that is open.
#[derive(Default)]
struct Element {
    name: String,
    /// Its attributes and children.
    content: Map,
    text: String,
}

/// Folds tokens into a value.
#[derive(Default)]
struct Folder {
    open: Vec<Element>,
    root: Option<(String, Value)>,
}

fn malformed<T>(reason: &str) -> Result<T, String> {
    Err(format!("ExpatError: {reason}"))
}

fn name_of(prefix: &str, local: &str) -> String {
    if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") }
}

impl Folder {
    fn take(&mut self, token: Token<'_>) -> Result<(), String> {
        match token {
            Token::ElementStart { prefix, local, .. } => {
                if self.root.is_some() {
                    return malformed("junk after document element");
                }
                if self.open.len() >= DEPTH_MAX {
                    return malformed("elements nested too deep");
                }
                let name = name_of(prefix.as_str(), local.as_str());
                self.open.push(Element { name, ..Element::default() });
                Ok(())
            }
            Token::Attribute { prefix, local, value, .. } => {
                let name = format!("@{}", name_of(prefix.as_str(), local.as_str()));
                let value = unescaped(value.as_str(), Part::Attribute)?;
                self.attribute(&name, &value)
            }
            Token::ElementEnd { end, .. } => self.end(end),
            Token::Text { text } => self.text(&unescaped(text.as_str(), Part::Text)?),
            Token::Cdata { text, .. } => self.text(&with_newlines(text.as_str())),
            Token::EntityDeclaration { .. } => Err("ValueError: entities are disabled".into()),
            Token::Declaration { .. }
            | Token::ProcessingInstruction { .. }
            | Token::Comment { .. }
            | Token::DtdStart { .. }
            | Token::EmptyDtd { .. }
            | Token::DtdEnd { .. } => Ok(()),
        }
    }

    fn attribute(&mut self, name: &str, value: &str) -> Result<(), String> {
        let Some(element) = self.open.last_mut() else { return malformed("syntax error") };
        match element.content.insert(Key::text(name), Value::text(value)) {
            Some(_) => malformed("duplicate attribute"),
            None => Ok(()),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return malformed("text outside of the document element"),
        }
        Ok(())
    }

    fn end(&mut self, end: ElementEnd<'_>) -> Result<(), String> {
        if let ElementEnd::Open = end {
            return Ok(());
        }
        let Some(element) = self.open.pop() else { return malformed("no element is open") };
        if let ElementEnd::Close(prefix, local) = end
            && name_of(prefix.as_str(), local.as_str()) != element.name
        {
            return malformed("mismatched tag");
        }
        let Element { name, mut content, text } = element;
        let text = strip(&text);
        let text = (!text.is_empty()).then(|| Value::text(text));
        let value = if content.is_empty() {
            text.unwrap_or(Value::Null)
        } else {
            if let Some(text) = text {
                push(&mut content, "#text", text);
            }
            Value::Map(content)
        };
        match self.open.last_mut() {
            Some(parent) => push(&mut parent.content, &name, value),
            None => self.root = Some((name, value)),
        }
        Ok(())
    }

    fn finish(self) -> Result<Value, String> {
        if !self.open.is_empty() {
            return malformed("no element found: an element is not closed");
        }
        let Some((name, value)) = self.root else { return malformed("no element found") };
        Ok(Value::Map(Map::from_iter([(Key::text(&name), value)])))
    }
}

/// Adds to a dictionary; what is there already becomes a list.
fn push(map: &mut Map, name: &str, value: Value) {
    match map.get_mut(name) {
        None => {
            map.insert(Key::text(name), value);
        }
        Some(Value::List(items)) => items.push(value),
        Some(there) => {
            let first = std::mem::replace(there, Value::Null);
            *there = Value::List(vec![first, value]);
        }
    }
}

/// Where a text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Text,
    Attribute,
}

fn with_newlines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Text with its references resolved; in attributes, spaces of all kinds are spaces.
fn unescaped(text: &str, part: Part) -> Result<String, String> {
    let text = with_newlines(text);
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('&') {
        push_plain(&mut plain, &rest[..at], part);
        let mut stream = Stream::from(&rest[at..]);
        match stream.consume_reference() {
            Ok(Reference::Char(character)) => plain.push(character),
            Ok(Reference::Entity(name)) => plain.push(match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => return malformed("undefined entity"),
            }),
            Err(_) => return malformed("not well-formed (invalid token)"),
        }
        rest = &rest[at + stream.pos()..];
    }
    push_plain(&mut plain, rest, part);
    Ok(plain)
}

fn push_plain(plain: &mut String, text: &str, part: Part) {
    match part {
        Part::Text => plain.push_str(text),
        Part::Attribute => plain.push_str(&text.replace(['\t', '\n'], " ")),
    }
}
