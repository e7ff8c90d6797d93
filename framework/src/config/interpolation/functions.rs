//! The functions that OmegaConf brings along: `${oc.select:a.b,8}`.
//!
//! | Written | Means |
//! |---|---|
//! | `${oc.env:VAR,default}`, `${env:…}` | an environment variable |
//! | `${oc.select:path,default}` | the value under a path; the default, or null, if there is none |
//! | `${oc.decode:text}` | a text read as a value: a number, a truth value, a list, a map |
//! | `${oc.create:value}` | the value itself |
//! | `${oc.deprecated:path}` | the value under a path |
//! | `${oc.dict.keys:path}`, `${oc.dict.values:path}` | the keys or values of a map, as a list |

use super::{
    super::{
        key_path::KeyPath,
        nemo::read_value,
        problem::Fault,
        scalar::read_outside_text,
        tree::{Exposure, Node, Secrecy, Value},
    },
    Failure, Resolver,
    syntax::{split_outside_references, unquoted},
};

impl Resolver<'_> {
    /// Finds the value of a function with its arguments.
    pub(super) fn call(
        &mut self,
        function: &str,
        arguments: &str,
        site: &KeyPath,
    ) -> Result<Node, Failure> {
        match function {
            "env" | "oc.env" => self.variable(arguments, site),
            "oc.select" => self.selection(arguments, site),
            "oc.decode" if !arguments.contains("${") => self.decoded(unquoted(arguments), site),
            "oc.decode" | "oc.create" => self.decoded(arguments, site),
            "oc.deprecated" => self.value_of(arguments, site),
            "oc.dict.keys" => {
                let map = self.map(arguments, site)?;
                let keys = map.keys().map(|key| Node::new(Value::Text(key.to_owned()), None));
                Ok(Node::new(Value::List(keys.collect()), None))
            }
            "oc.dict.values" => {
                let map = self.map(arguments, site)?;
                let values = map.children().cloned().collect();
                Ok(Node::new(Value::List(values), None))
            }
            _ => Err(Fault::UnknownResolver { resolver: function.to_owned() }.into()),
        }
    }

    /// `${env:VAR,default}`; the default is looked at only if it is needed.
    fn variable(&mut self, arguments: &str, site: &KeyPath) -> Result<Node, Failure> {
        let (name, default) = split_outside_references(arguments, ',');
        let (variable, secrecy) = self.name(name, site)?;
        let secrecy = secrecy.and(Secrecy::of_name(&variable));
        let mut node = match (self.variables.get(&variable), default.map(str::trim)) {
            (Some(text), _) => {
                let mut node = read_outside_text(text);
                node.expose(Exposure::Private);
                node
            }
            (None, Some(default)) if default.contains("${") => self.template(default, site)?,
            (None, Some(default)) => read_outside_text(unquoted(default)),
            (None, None) => return Err(Fault::UnsetVariable { variable }.into()),
        };
        node.mark_secrets(secrecy);
        Ok(node)
    }

    fn selection(&mut self, arguments: &str, site: &KeyPath) -> Result<Node, Failure> {
        let (path, default) = split_outside_references(arguments, ',');
        match (self.value_of(path, site), default.map(str::trim)) {
            (Err(Failure::Fault(Fault::UnknownReference { .. })), Some(default)) => {
                self.decoded(default, site)
            }
            (Err(Failure::Fault(Fault::UnknownReference { .. })), None) => {
                Ok(Node::new(Value::Null, None))
            }
            (found, _) => found,
        }
    }

    fn decoded(&mut self, text: &str, site: &KeyPath) -> Result<Node, Failure> {
        let node = match text.contains("${") {
            true => self.template(text, site)?,
            false => Node::new(Value::Text(text.trim().to_owned()), None),
        };
        let Value::Text(text) = &node.value else { return Ok(node) };
        let mut value = read_value(text)?;
        value.mark_secrets(node.secrecy);
        value.expose(node.exposure);
        Ok(value)
    }

    fn map(&mut self, path: &str, site: &KeyPath) -> Result<Node, Failure> {
        let node = self.value_of(path, site)?;
        if matches!(node.value, Value::Map(_)) {
            return Ok(node);
        }
        let (expected, found) = ("a map".to_owned(), node.description());
        Err(Fault::WrongType { expected, found }.into())
    }
}
