//! Parses a YAML text into a tree that knows the line of every value.
//!
//! Built on the event parser that the `config` crate itself uses. Its ready-made loader would forget
//! the lines, leave merge keys (`<<`) unexpanded and drop tags.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use yaml_rust2::{
    parser::{Event, Parser, Tag},
    scanner::{Marker, ScanError, TScalarStyle},
};

use super::{
    key_path::KeyPath,
    problem::{Fault, Oddity, Origin, Problem, Warning},
    scalar::{YAML_1_1_BOOLEANS, read_scalar},
    tree::{Node, Value},
};

/// Maps and lists may stand this deep in each other.
const DEPTH_MAX: usize = 64;
/// A text may have this many values, those repeated by aliases counted each time.
const NODES_MAX: usize = 1_000_000;
const CORE_TAGS: &str = "tag:yaml.org,2002:";

/// A parsed text.
#[derive(Debug)]
pub(super) struct Document {
    /// The map at the top.
    pub root: Node,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Warning>,
}

/// Parses one YAML document whose top is a map; `layer` is the name that problems give it.
pub(super) fn parse(layer: &str, text: &str) -> Result<Document, Vec<Problem>> {
    let mut builder = Builder::new(layer);
    let root = builder.document(text)?;
    if let Err(fault) = check_top(&root) {
        return Err(vec![builder.at_line(1, fault)]);
    }
    let is_empty = matches!(root.value, Value::Null);
    let root = if is_empty { Node::empty() } else { root };
    Ok(Document { root, warnings: builder.warnings })
}

/// Parses a value of any form, as behind `--set key=`.
pub(super) fn parse_value(text: &str) -> Result<Node, Vec<Problem>> {
    Builder::new("").document(text)
}

fn check_top(root: &Node) -> Result<(), Fault> {
    match root.value {
        Value::Map(_) | Value::Null => Ok(()),
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {
            Err(not_a_map(root))
        }
        Value::List(_) | Value::Broken => Err(not_a_map(root)),
    }
}

/// Says what stands at the top, but not its value: a file that is one bare line may well be a key.
fn not_a_map(root: &Node) -> Fault {
    let found = match root.value {
        Value::List(_) => "a list",
        Value::Map(_) | Value::Null | Value::Broken => "nothing",
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {
            "a single value"
        }
    };
    Fault::Syntax { reason: format!("expected keys and values, found {found}") }
}

/// A map or list whose end is not yet read.
struct Frame {
    content: Content,
    anchor: usize,
    line: usize,
}

enum Content {
    List(Vec<Node>),
    Map { entries: BTreeMap<String, Node>, merged: Vec<Node>, key: PendingKey },
}

/// The key whose value comes next.
#[derive(Clone)]
enum PendingKey {
    None,
    Name { name: String, line: usize },
    Merge { line: usize },
}

/// Reading cannot go on; the reason is among the problems.
struct Halt;

/// Builds the tree from the parser's events, with a stack of its own: no recursion, hence no overflow.
struct Builder {
    layer: Arc<str>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl Builder {
    fn new(layer: &str) -> Self {
        Self {
            layer: layer.into(),
            frames: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            root: None,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn document(&mut self, text: &str) -> Result<Node, Vec<Problem>> {
        match self.read(text) {
            Ok(root) if self.problems.is_empty() => Ok(root),
            Ok(_) | Err(Halt) => Err(std::mem::take(&mut self.problems)),
        }
    }

    fn read(&mut self, text: &str) -> Result<Node, Halt> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut parser = Parser::new_from_str(text).keep_tags(true);
        let mut documents = 0;
        loop {
            let (event, marker) = parser.next_token().map_err(|error| self.unreadable(&error))?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart => {
                    documents += 1;
                    if documents > 1 {
                        return Err(
                            self.syntax(marker, "one document is read, and here begins another")
                        );
                    }
                }
                event => self.event(event, marker)?,
            }
        }
        Ok(self.root.take().unwrap_or_else(|| Node::new(Value::Null, None)))
    }

    fn event(&mut self, event: Event, marker: Marker) -> Result<(), Halt> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text, style, anchor, tag, marker)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Content::List(Vec::new()), anchor, tag, marker)
            }
            Event::MappingStart(anchor, tag) => {
                let map = Content::Map {
                    entries: BTreeMap::new(),
                    merged: Vec::new(),
                    key: PendingKey::None,
                };
                self.open(map, anchor, tag, marker)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(marker),
            Event::Alias(anchor) => self.alias(anchor, marker),
            Event::Nothing | Event::StreamStart | Event::StreamEnd => Ok(()),
            Event::DocumentStart | Event::DocumentEnd => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: String,
        style: TScalarStyle,
        anchor: usize,
        tag: Option<Tag>,
        marker: Marker,
    ) -> Result<(), Halt> {
        let is_plain = style == TScalarStyle::Plain;
        if self.expects_key() {
            return self.key(text, style, marker);
        }
        let value = match tag.as_ref().map(tag_name) {
            None if is_plain => read_scalar(&text),
            None => Value::Text(text.clone()),
            Some(tag) => match tag.strip_prefix(CORE_TAGS) {
                Some("str") => Value::Text(text.clone()),
                Some("int" | "float" | "bool" | "null") => read_scalar(&text),
                Some(_) | None => return Err(self.syntax(marker, &format!("unknown tag `{tag}`"))),
            },
        };
        if is_plain && tag.is_none() && YAML_1_1_BOOLEANS.contains(&text.as_str()) {
            self.warn(text, marker);
        }
        let node = Node::new(value, Some(self.origin(marker.line())));
        self.keep(anchor, &node);
        self.add(node, marker)
    }

    /// Repeats an anchored value, counted before it is copied.
    fn alias(&mut self, anchor: usize, marker: Marker) -> Result<(), Halt> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.syntax(marker, "an alias stands inside its own anchor"));
        };
        self.nodes += count(node);
        if self.nodes > NODES_MAX {
            return Err(self.syntax(marker, &format!("more than {NODES_MAX} values")));
        }
        let node = node.clone();
        self.add(node, marker)
    }

    fn expects_key(&self) -> bool {
        let content = self.frames.last().map(|frame| &frame.content);
        matches!(content, Some(Content::Map { key: PendingKey::None, .. }))
    }

    fn key(&mut self, name: String, style: TScalarStyle, marker: Marker) -> Result<(), Halt> {
        let is_plain = style == TScalarStyle::Plain;
        if is_plain && matches!(read_scalar(&name), Value::Null) {
            return Err(self.syntax(marker, "a key is empty"));
        }
        let line = marker.line();
        let path = self.path().child(&name);
        let Some(Frame { content: Content::Map { entries, key, .. }, .. }) = self.frames.last_mut()
        else {
            return Ok(());
        };
        if is_plain && name == "<<" {
            *key = PendingKey::Merge { line };
            return Ok(());
        }
        let first =
            entries.get(&name).map(|node| node.origin.as_ref().and_then(|origin| origin.line));
        *key = PendingKey::Name { name, line };
        if let Some(first_line) = first {
            let fault = Fault::DuplicateKey { first_line: first_line.unwrap_or(line) };
            self.problems.push(Problem::new(Some(self.origin(line)), path, fault));
        }
        Ok(())
    }

    fn open(
        &mut self,
        content: Content,
        anchor: usize,
        tag: Option<Tag>,
        marker: Marker,
    ) -> Result<(), Halt> {
        if self.expects_key() {
            return Err(self.syntax(marker, "a key is a map or a list"));
        }
        if self.frames.len() >= DEPTH_MAX {
            return Err(self.syntax(marker, &format!("more than {DEPTH_MAX} levels")));
        }
        let unknown_tag = tag
            .as_ref()
            .map(tag_name)
            .filter(|tag| !matches!(tag.strip_prefix(CORE_TAGS), Some("map" | "seq")));
        if let Some(tag) = unknown_tag {
            return Err(self.syntax(marker, &format!("unknown tag `{tag}`")));
        }
        self.frames.push(Frame { content, anchor, line: marker.line() });
        Ok(())
    }

    fn close(&mut self, marker: Marker) -> Result<(), Halt> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map { mut entries, merged, .. } => {
                for source in merged {
                    merge_missing(&mut entries, source);
                }
                Value::Map(entries)
            }
        };
        let node = Node::new(value, Some(self.origin(frame.line)));
        self.keep(frame.anchor, &node);
        self.add(node, marker)
    }

    /// Puts a finished value where it belongs: into the list, under the pending key, or at the top.
    fn add(&mut self, mut node: Node, marker: Marker) -> Result<(), Halt> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(self.syntax(marker, &format!("more than {NODES_MAX} values")));
        }
        let layer = Arc::clone(&self.layer);
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, merged, key } => match std::mem::replace(key, PendingKey::None)
            {
                PendingKey::None => return Err(self.syntax(marker, "a key is an alias")),
                PendingKey::Name { name, line } => {
                    node.origin = Some(Origin { layer, line: Some(line) });
                    entries.insert(name, node);
                }
                PendingKey::Merge { line } => match merge_sources(node) {
                    Some(sources) => merged.extend(sources),
                    None => {
                        let problem = self.at_line(line, not_mergeable());
                        return Err(self.halt(problem));
                    }
                },
            },
        }
        Ok(())
    }

    fn keep(&mut self, anchor: usize, node: &Node) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn warn(&mut self, word: String, marker: Marker) {
        let path = self.path();
        let path = match self.frames.last().map(|frame| &frame.content) {
            Some(Content::List(items)) => path.child(items.len()),
            Some(Content::Map { .. }) | None => path,
        };
        let origin = Some(self.origin(marker.line()));
        self.warnings.push(Warning { origin, path, oddity: Oddity::Yaml11Boolean { word } });
    }

    /// The path of the value that is being read; that of the list, for an element of a list.
    fn path(&self) -> KeyPath {
        let mut path = KeyPath::root();
        for (depth, frame) in self.frames.iter().enumerate() {
            let is_last = depth + 1 == self.frames.len();
            match &frame.content {
                Content::List(items) if !is_last => path = path.child(items.len()),
                Content::List(_) => {}
                Content::Map { key, .. } => match key {
                    PendingKey::Name { name, .. } => path = path.child(name),
                    PendingKey::Merge { .. } => path = path.child("<<"),
                    PendingKey::None => {}
                },
            }
        }
        path
    }

    fn origin(&self, line: usize) -> Origin {
        Origin { layer: Arc::clone(&self.layer), line: Some(line) }
    }

    fn at_line(&self, line: usize, fault: Fault) -> Problem {
        Problem::new(Some(self.origin(line)), self.path(), fault)
    }

    fn halt(&mut self, problem: Problem) -> Halt {
        self.problems.push(problem);
        Halt
    }

    fn syntax(&mut self, marker: Marker, reason: &str) -> Halt {
        let problem = self.at_line(marker.line(), Fault::Syntax { reason: reason.to_owned() });
        self.halt(problem)
    }

    fn unreadable(&mut self, error: &ScanError) -> Halt {
        let origin = self.origin(error.marker().line());
        let fault = Fault::Syntax { reason: error.info().to_owned() };
        self.halt(Problem::new(Some(origin), KeyPath::root(), fault))
    }
}

fn tag_name(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

fn not_mergeable() -> Fault {
    Fault::Syntax { reason: "`<<` needs a map or a list of maps".to_owned() }
}

/// Returns the maps behind a merge key; an earlier one wins over a later one.
fn merge_sources(node: Node) -> Option<Vec<Node>> {
    match node.value {
        Value::Map(_) => Some(vec![node]),
        Value::List(items) => {
            let are_maps = items.iter().all(|item| matches!(item.value, Value::Map(_)));
            are_maps.then_some(items)
        }
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => None,
        Value::Text(_) | Value::Broken => None,
    }
}

fn merge_missing(entries: &mut BTreeMap<String, Node>, source: Node) {
    if let Value::Map(source) = source.value {
        for (key, node) in source {
            entries.entry(key).or_insert(node);
        }
    }
}

fn count(node: &Node) -> usize {
    match &node.value {
        Value::Map(entries) => 1 + entries.values().map(count).sum::<usize>(),
        Value::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => 1,
        Value::Text(_) | Value::Broken => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> serde_json::Value {
        parse("a.yaml", text).unwrap().root.to_json()
    }

    fn problem(text: &str) -> String {
        let problems = parse("a.yaml", text).unwrap_err();
        super::super::problem::Problems(problems).to_string()
    }

    #[test]
    fn types_are_those_of_yaml_1_2() {
        let text =
            "{a: 1, b: 1.5, c: true, d: ~, e: '1', f: 1_000, g: 0x10, h: yes, i: !!str 5, 7: x}";
        let expected = json!({
            "a": 1, "b": 1.5, "c": true, "d": null, "e": "1", "f": "1_000", "g": 16, "h": "yes", "i": "5", "7": "x",
        });
        assert_eq!(read(text), expected);
        assert_eq!(read(""), json!({}));
    }

    #[test]
    fn merge_keys_are_expanded_and_explicit_keys_win() {
        let text = "
base: &base {a: 1, b: {x: 1}}
more: &more {a: 2, c: 2}
one: {<<: *base, b: 5}
both: {c: 9, <<: [*base, *more]}
literal: {'<<': 1}
";
        let read = read(text);
        assert_eq!(read["one"], json!({"a": 1, "b": 5}));
        assert_eq!(read["both"], json!({"a": 1, "b": {"x": 1}, "c": 9}));
        assert_eq!(read["literal"], json!({"<<": 1}));
    }

    #[test]
    fn every_value_knows_the_line_of_its_key() {
        let document = parse("a.yaml", "a:\n  b: 1\n  c:\n    - x\n    - y\n").unwrap();
        for (path, line) in [("a", 1), ("a.b", 2), ("a.c", 3), ("a.c.1", 5)] {
            let node = document.root.at(&KeyPath::parse(path).unwrap()).unwrap();
            assert_eq!(node.origin.as_ref().unwrap().to_string(), format!("a.yaml:{line}"));
        }
    }

    #[test]
    fn words_that_were_booleans_in_yaml_1_1_are_warned_about() {
        let document = parse("a.yaml", "a: yes\nb: 'no'\nc: [1, off]\n").unwrap();
        let warnings: Vec<String> = document.warnings.iter().map(Warning::to_string).collect();
        let rest = "is a string here, though YAML 1.1 reads it as a boolean; quote it, or write `true` or `false`";
        assert_eq!(
            warnings,
            [format!("a.yaml:1: `a`: `yes` {rest}"), format!("a.yaml:3: `c.1`: `off` {rest}")]
        );
    }

    #[test]
    fn what_has_no_one_meaning_is_refused() {
        let cases = [
            ("a: 1\nb: 2\na: 3", "a.yaml:3: `a`: duplicate key; it is first set on line 1"),
            ("m: {x: 1, x: 2}", "a.yaml:1: `m.x`: duplicate key; it is first set on line 1"),
            (
                "a: 1\n---\nb: 1",
                "a.yaml:2: not valid YAML: one document is read, and here begins another",
            ),
            ("a: !secret x", "a.yaml:1: `a`: not valid YAML: unknown tag `!secret`"),
            ("- a", "a.yaml:1: not valid YAML: expected keys and values, found a list"),
            ("sk-123", "a.yaml:1: not valid YAML: expected keys and values, found a single value"),
            ("? [a]\n: 1", "a.yaml:1: not valid YAML: a key is a map or a list"),
            ("a: {<<: 1}", "a.yaml:1: `a`: not valid YAML: `<<` needs a map or a list of maps"),
            ("a: &a [*a]", "a.yaml:1: `a`: not valid YAML: an alias stands inside its own anchor"),
        ];
        for (text, message) in cases {
            assert_eq!(problem(text), message, "{text}");
        }
        assert!(problem("a: [1").starts_with("a.yaml:"));
    }

    #[test]
    fn depth_and_the_multiplication_of_aliases_are_bounded() {
        let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
        assert!(problem(&deep).ends_with("more than 64 levels"), "{}", problem(&deep));
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..8 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(problem(&text).ends_with("more than 1000000 values"));
    }
}
