//! Builds the tree from the parser's events.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use yaml_rust2::{
    parser::{Event, Parser, Tag},
    scanner::{Marker, ScanError, TScalarStyle},
};

use super::super::{
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

/// A tree half built, with a stack of its own: no recursion, hence no overflow.
pub(super) struct Builder {
    layer: Arc<str>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
    problems: Vec<Problem>,
    /// What is allowed and probably not meant.
    pub(super) warnings: Vec<Warning>,
}

impl Builder {
    /// Starts a tree; `layer` is the name that problems give it.
    pub(super) fn new(layer: &str) -> Self {
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

    /// Reads the only document of a text.
    pub(super) fn document(&mut self, text: &str) -> Result<Node, Vec<Problem>> {
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

    /// Makes a problem of a fault in this line.
    pub(super) fn at_line(&self, line: usize, fault: Fault) -> Problem {
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
