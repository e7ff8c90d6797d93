//! YAML 1.1 as PyYAML's safe loader reads it.
//!
//! The grammar is libyaml's, which PyYAML's author wrote as well; what plain words mean is here: `yes` is
//! true, `017` is 15, `1:30` is 90, `2024-05-01` a date. Anchors may be used where they are complete. A tab
//! between two tokens is an error, as it is to PyYAML and not to libyaml.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::LazyLock;

use framework::environment::python::Integer;
use framework::environment::python::text::{parse_float, parse_int};
use libyaml_safer::{EventData, Mark, Parser, ScalarStyle};
use num_bigint::BigInt;
use regex::Regex;

use super::value::{Key, Map, Value};

/// How deep values may be nested.
const DEPTH_MAX: usize = 200;
/// Values that a document may have, those that its aliases repeat included.
const VALUES_MAX: usize = 2_000_000;

/// Parses one document.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    if let Some(bad) = text.chars().find(|c| !is_printable(*c)) {
        let code = u32::from(bad);
        return Err(format!("ReaderError: unacceptable character #x{code:04x}"));
    }
    let mut bytes = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut bytes);
    let mut composer = Composer { parser, anchors: HashMap::new(), depth: 0, quoted: Vec::new() };
    let document = composer.document()?;
    if text.contains('\t') && has_tab_outside(text, &composer.quoted) {
        return Err("ScannerError: found character '\\t' that cannot start any token".into());
    }
    let mut constructor = Constructor { values: 0 };
    document.map_or(Ok(Value::Null), |node| constructor.value(&node))
}

fn is_printable(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether a tab stands outside of quoted and block scalars, whose ranges of bytes are given, and of
/// comments.
fn has_tab_outside(text: &str, quoted: &[Range<usize>]) -> bool {
    let own = |range: &Range<usize>| after_properties(text, range.start)..range.end;
    let mut quoted = quoted.iter().map(own).peekable();
    let (mut before, mut in_comment) = ('\n', false);
    for (index, character) in text.char_indices() {
        while quoted.next_if(|range| range.end <= index).is_some() {}
        let is_inside = quoted.peek().is_some_and(|range| range.contains(&index));
        if !is_inside {
            let begins_comment = character == '#' && matches!(before, '\n' | '\r' | ' ');
            in_comment = (in_comment || begins_comment) && !matches!(character, '\n' | '\r');
            if character == '\t' && !in_comment {
                return true;
            }
        }
        before = character;
    }
    false
}

/// Where a scalar begins whose anchor or tag begins at `start`.
fn after_properties(text: &str, mut start: usize) -> usize {
    while let Some(rest) = text.get(start..).filter(|rest| rest.starts_with(['&', '!'])) {
        let property = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let space = rest[property..].find(|c: char| !c.is_whitespace());
        start += space.map_or(rest.len(), |space| property + space);
    }
    start
}

/// A node of the document.
struct Node {
    tag: Tag,
    content: Content,
}

enum Content {
    Scalar(String),
    Sequence(Vec<Rc<Node>>),
    Mapping(Entries),
}

/// Keys and values.
type Entries = Vec<(Rc<Node>, Rc<Node>)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Null,
    Bool,
    Int,
    Float,
    Text,
    Timestamp,
    Binary,
    Sequence,
    Mapping,
    Set,
    Merge,
    /// `=`, which is only a key.
    Value,
    Unknown,
}

const PREFIX: &str = "tag:yaml.org,2002:";

impl Tag {
    fn named(tag: &str) -> Self {
        match tag.strip_prefix(PREFIX) {
            Some("null") => Self::Null,
            Some("bool") => Self::Bool,
            Some("int") => Self::Int,
            Some("float") => Self::Float,
            Some("str") => Self::Text,
            Some("timestamp") => Self::Timestamp,
            Some("binary") => Self::Binary,
            Some("seq") => Self::Sequence,
            Some("map") => Self::Mapping,
            Some("set") => Self::Set,
            Some("merge") => Self::Merge,
            Some("value") => Self::Value,
            _ => Self::Unknown,
        }
    }

    /// The tag of an event, unless it is left to the value.
    fn given(tag: Option<&str>) -> Option<Self> {
        tag.filter(|tag| *tag != "!").map(Self::named)
    }

    /// What a plain word is, by PyYAML's implicit resolvers in their order.
    fn of_plain(text: &str) -> Self {
        static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
            pattern(
                r"[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?
                |\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?
                |[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*
                |[-+]?\.(?:inf|Inf|INF)
                |\.(?:nan|NaN|NAN)",
            )
        });
        static INT: LazyLock<Regex> = LazyLock::new(|| {
            pattern(
                r"[-+]?0b[0-1_]+
                |[-+]?0[0-7_]+
                |[-+]?(?:0|[1-9][0-9_]*)
                |[-+]?0x[0-9a-fA-F_]+
                |[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+",
            )
        });
        match text {
            "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "true" | "True" | "TRUE" | "false"
            | "False" | "FALSE" | "on" | "On" | "ON" | "off" | "Off" | "OFF" => Self::Bool,
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "<<" => Self::Merge,
            "=" => Self::Value,
            _ if !text.starts_with(|c: char| c.is_ascii_digit() || "-+.".contains(c)) => Self::Text,
            _ if FLOAT.is_match(text) => Self::Float,
            _ if INT.is_match(text) => Self::Int,
            _ if TIMESTAMP.is_match(text) => Self::Timestamp,
            _ => Self::Text,
        }
    }
}

static TIMESTAMP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?<y>[0-9]{4})-(?<m>[0-9]{2})-(?<d>[0-9]{2})
        |(?<year>[0-9]{4})-(?<month>[0-9][0-9]?)-(?<day>[0-9][0-9]?)
          (?:[Tt]|[\ \t]+)(?<hour>[0-9][0-9]?):(?<minute>[0-9]{2}):(?<second>[0-9]{2})
          (?:\.[0-9]*)?(?:[\ \t]*(?:Z|[-+](?<zone>[0-9][0-9]?)(?::[0-9]{2})?))?",
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(&format!("(?x)^(?:{text})$")).expect("the pattern is well-formed")
}

/// Makes nodes of a parser's events.
struct Composer<'r, 'b> {
    parser: Parser<&'r mut &'b [u8]>,
    anchors: HashMap<String, Rc<Node>>,
    depth: usize,
    /// Where scalars are that are not plain, in bytes.
    quoted: Vec<Range<usize>>,
}

impl Composer<'_, '_> {
    fn next(&mut self) -> Result<EventData, String> {
        let event = self.parser.parse().map_err(|error| format!("YAMLError: {error}"))?;
        if let EventData::Scalar { style, .. } = &event.data
            && *style != ScalarStyle::Plain
        {
            let at = |mark: Mark| usize::try_from(mark.index).unwrap_or(usize::MAX);
            self.quoted.push(at(event.start_mark)..at(event.end_mark));
        }
        Ok(event.data)
    }

    /// The only document; `None` if there is none.
    fn document(&mut self) -> Result<Option<Rc<Node>>, String> {
        let mut document = None;
        loop {
            match self.next()? {
                EventData::StreamStart { .. } | EventData::DocumentEnd { .. } => {}
                EventData::StreamEnd => return Ok(document),
                EventData::DocumentStart { .. } if document.is_some() => {
                    return Err("ComposerError: expected a single document in the stream".into());
                }
                EventData::DocumentStart { .. } => {
                    let first = self.next()?;
                    document = Some(self.node(first)?);
                }
                _ => return Err("ParserError: content outside of a document".into()),
            }
        }
    }

    fn node(&mut self, event: EventData) -> Result<Rc<Node>, String> {
        if self.depth >= DEPTH_MAX {
            return Err("RecursionError: maximum recursion depth exceeded".into());
        }
        self.depth += 1;
        let node = self.composed(event);
        self.depth -= 1;
        node
    }

    fn composed(&mut self, event: EventData) -> Result<Rc<Node>, String> {
        match event {
            EventData::Alias { anchor } => self
                .anchors
                .get(&anchor)
                .cloned()
                .ok_or_else(|| format!("ComposerError: found undefined alias '{anchor}'")),
            EventData::Scalar { anchor, tag, value, plain_implicit, .. } => {
                self.check_anchor(anchor.as_deref())?;
                let implied = || if plain_implicit { Tag::of_plain(&value) } else { Tag::Text };
                let tag = Tag::given(tag.as_deref()).unwrap_or_else(implied);
                Ok(self.named(anchor, Node { tag, content: Content::Scalar(value) }))
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                self.check_anchor(anchor.as_deref())?;
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        EventData::SequenceEnd => break,
                        event => items.push(self.node(event)?),
                    }
                }
                let tag = Tag::given(tag.as_deref()).unwrap_or(Tag::Sequence);
                Ok(self.named(anchor, Node { tag, content: Content::Sequence(items) }))
            }
            EventData::MappingStart { anchor, tag, .. } => {
                self.check_anchor(anchor.as_deref())?;
                let mut entries = Vec::new();
                loop {
                    match self.next()? {
                        EventData::MappingEnd => break,
                        event => {
                            let key = self.node(event)?;
                            let value = self.next()?;
                            entries.push((key, self.node(value)?));
                        }
                    }
                }
                let tag = Tag::given(tag.as_deref()).unwrap_or(Tag::Mapping);
                Ok(self.named(anchor, Node { tag, content: Content::Mapping(entries) }))
            }
            _ => Err("ParserError: the document ends early".into()),
        }
    }

    fn check_anchor(&self, anchor: Option<&str>) -> Result<(), String> {
        match anchor.filter(|anchor| self.anchors.contains_key(*anchor)) {
            Some(anchor) => Err(format!("ComposerError: found duplicate anchor '{anchor}'")),
            None => Ok(()),
        }
    }

    fn named(&mut self, anchor: Option<String>, node: Node) -> Rc<Node> {
        let node = Rc::new(node);
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }
}

/// Makes values of nodes.
struct Constructor {
    values: usize,
}

impl Constructor {
    fn value(&mut self, node: &Node) -> Result<Value, String> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err("the document has too many values".into());
        }
        match (&node.content, node.tag) {
            (Content::Scalar(text), tag) => scalar(tag, text),
            (Content::Sequence(items), Tag::Sequence) => {
                items.iter().map(|item| self.value(item)).collect::<Result<_, _>>().map(Value::List)
            }
            (Content::Mapping(_), Tag::Mapping) => self.mapping(node).map(Value::Map),
            (Content::Mapping(_), Tag::Set) => {
                self.mapping(node).map(|_| Value::Other("a set".into()))
            }
            _ => Err("ConstructorError: could not determine a constructor for a tag".into()),
        }
    }

    fn mapping(&mut self, node: &Node) -> Result<Map, String> {
        let mut map = Map::new();
        for (key, value) in self.entries(node)? {
            let key = match key.tag {
                Tag::Value => Key::text("="),
                _ => self.key(&key)?,
            };
            let value = self.value(&value)?;
            map.insert(key, value);
        }
        Ok(map)
    }

    /// A mapping's entries, those of what it merges before its own.
    fn entries(&mut self, node: &Node) -> Result<Entries, String> {
        const EXPECTED: &str =
            "ConstructorError: expected a mapping or list of mappings for merging";
        let Content::Mapping(entries) = &node.content else { return Err(EXPECTED.into()) };
        let (mut merged, mut own) = (Vec::new(), Vec::new());
        for (key, value) in entries {
            self.values += 1;
            if self.values > VALUES_MAX {
                return Err("the document has too many values".into());
            }
            if key.tag != Tag::Merge {
                own.push((key.clone(), value.clone()));
                continue;
            }
            match &value.content {
                Content::Mapping(_) => merged.extend(self.entries(value)?),
                Content::Sequence(items) => {
                    for item in items.iter().rev() {
                        merged.extend(self.entries(item)?);
                    }
                }
                Content::Scalar(_) => return Err(EXPECTED.into()),
            }
        }
        merged.extend(own);
        Ok(merged)
    }

    fn key(&mut self, node: &Node) -> Result<Key, String> {
        let other = |shown: String| Key::Other(shown.into());
        Ok(match self.value(node)? {
            Value::Text(text) => Key::Text(text),
            Value::Bool(value) => other(u8::from(value).to_string()),
            Value::List(_) | Value::Map(_) => {
                return Err("ConstructorError: found unhashable key".into());
            }
            Value::Null => other("None".into()),
            number => other(number.canonical()),
        })
    }
}

fn scalar(tag: Tag, text: &str) -> Result<Value, String> {
    let wrong = |what: &str| format!("ValueError: invalid {what}: {text:?}");
    match tag {
        Tag::Null => Ok(Value::Null),
        Tag::Text => Ok(Value::text(text)),
        Tag::Bool => match text.to_lowercase().as_str() {
            "yes" | "true" | "on" => Ok(Value::Bool(true)),
            "no" | "false" | "off" => Ok(Value::Bool(false)),
            _ => Err(wrong("truth value")),
        },
        Tag::Int => integer(text).map(Value::Integer).ok_or_else(|| wrong("integer")),
        Tag::Float => float(text).map(Value::Float).ok_or_else(|| wrong("float")),
        Tag::Timestamp if is_timestamp(text) => Ok(Value::Other(text.into())),
        Tag::Timestamp => Err(wrong("date")),
        Tag::Binary => Ok(Value::Other("bytes".into())),
        Tag::Sequence | Tag::Mapping | Tag::Set | Tag::Merge | Tag::Value | Tag::Unknown => {
            Err("ConstructorError: could not determine a constructor for a tag".into())
        }
    }
}

/// A sign and what follows it, without underscores.
fn signed(text: &str) -> (bool, String) {
    let text = text.replace('_', "");
    match text.as_bytes().first() {
        Some(b'-') => (true, text[1..].to_owned()),
        Some(b'+') => (false, text[1..].to_owned()),
        _ => (false, text),
    }
}

fn integer(text: &str) -> Option<Integer> {
    let (is_negative, digits) = signed(text);
    let radix = |digits: &str, radix| BigInt::parse_bytes(digits.as_bytes(), radix);
    let value = if digits == "0" {
        BigInt::ZERO
    } else if let Some(digits) = digits.strip_prefix("0b") {
        radix(digits, 2)?
    } else if let Some(digits) = digits.strip_prefix("0x") {
        radix(digits, 16)?
    } else if digits.starts_with('0') {
        radix(&digits, 8)?
    } else if digits.contains(':') {
        let parts = digits.split(':').map(|part| radix(part, 10));
        parts
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .fold(BigInt::ZERO, |sum, part| sum * 60 + part)
    } else {
        parse_int(&digits)?.as_str().parse().ok()?
    };
    let value = if is_negative { -value } else { value };
    Integer::parse(&value.to_string())
}

fn float(text: &str) -> Option<f64> {
    let (is_negative, digits) = signed(&text.to_lowercase());
    let sign = if is_negative { -1.0 } else { 1.0 };
    match digits.as_str() {
        ".inf" => Some(sign * f64::INFINITY),
        ".nan" => Some(f64::NAN),
        digits if digits.contains(':') => {
            let parts = digits.split(':').map(parse_float).collect::<Option<Vec<_>>>()?;
            Some(sign * parts.into_iter().fold(0.0, |sum, part| sum * 60.0 + part))
        }
        digits => Some(sign * parse_float(digits)?),
    }
}

/// Whether there is such a day and such a time.
fn is_timestamp(text: &str) -> bool {
    let Some(found) = TIMESTAMP.captures(text) else { return false };
    let number = |names: [&str; 2]| {
        let group = names.iter().find_map(|name| found.name(name));
        group.and_then(|group| group.as_str().parse::<u32>().ok())
    };
    let date = (number(["y", "year"]), number(["m", "month"]), number(["d", "day"]));
    let (Some(year), Some(month), Some(day)) = date else { return false };
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    };
    let within = |name, below| number([name, name]).is_none_or(|value| value < below);
    let is_time =
        within("hour", 24) && within("minute", 60) && within("second", 60) && within("zone", 24);
    year > 0 && (1..=days).contains(&day) && is_time
}
