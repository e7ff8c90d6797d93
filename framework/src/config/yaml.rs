//! Parses a YAML text into a tree that knows the line of every value.
//!
//! Built on the event parser that the `config` crate itself uses. Its ready-made loader would forget
//! the lines, leave merge keys (`<<`) unexpanded and drop tags.

use super::{
    problem::{Fault, Problem, Warning},
    tree::{Node, Value},
};

mod builder;

use builder::Builder;

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::key_path::KeyPath, *};

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
