//! The templates of a script.
//!
//! All are compiled when the model is built, and so is the list of variables each one reads: a
//! misspelled variable is an error at the start, and a reply computes only what it needs.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Value};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

use super::Problems;
use super::conversation::Conversation;

/// Text that may hold templates.
#[derive(Debug)]
pub(super) enum Text {
    /// Without any.
    Constant(Box<str>),
    /// A template, by its name in [`Templates`].
    Template { name: Box<str>, reads: Vec<Variable> },
}

impl Text {
    pub(super) fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }
}

/// What a template can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    User,
    Prompt,
    Step,
    Output,
    Outputs,
    Captures,
    Each,
}

const VARIABLES: [(&str, Variable); 7] = [
    ("user", Variable::User),
    ("prompt", Variable::Prompt),
    ("step", Variable::Step),
    ("output", Variable::Output),
    ("outputs", Variable::Outputs),
    ("captures", Variable::Captures),
    ("each", Variable::Each),
];

/// The named groups of one or more matches.
pub(super) type Captures = Vec<(Arc<str>, String)>;

/// What templates are filled from.
pub(super) struct Context<'a> {
    pub(super) conversation: &'a Conversation<'a>,
    pub(super) captures: &'a Captures,
    pub(super) each: Option<&'a Captures>,
}

/// The compiled templates of a script.
#[derive(Debug)]
pub(super) struct Templates(Environment<'static>);

impl Default for Templates {
    fn default() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_filter("tojson", to_json);
        Self(environment)
    }
}

/// Unlike minijinja's own, it escapes nothing for HTML and refuses what is undefined.
fn to_json(value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let failed = |error| Error::new(ErrorKind::BadSerialization, "not JSON").with_source(error);
    serde_json::to_string(value).map(Value::from).map_err(failed)
}

impl Templates {
    /// Compiles text; `path` names it in errors.
    pub(super) fn text(&mut self, path: &str, source: &str, problems: &mut Problems) -> Text {
        if !has_markers(source) {
            return Text::Constant(source.into());
        }
        if let Err(error) = self.0.add_template_owned(path.to_owned(), source.to_owned()) {
            problems.add(path, error);
        }
        Text::Template { name: path.into(), reads: self.reads(path, problems) }
    }

    /// Compiles arguments: their JSON, with templates in the place of strings.
    pub(super) fn arguments(
        &mut self,
        path: &str,
        arguments: &serde_json::Value,
        problems: &mut Problems,
    ) -> Text {
        match arguments {
            serde_json::Value::String(text) => self.text(path, text, problems),
            _ => self.text(path, &json_template(arguments), problems),
        }
    }

    /// Compiles an expression to text that is empty unless it is true.
    pub(super) fn condition(
        &mut self,
        path: &str,
        expression: &str,
        problems: &mut Problems,
    ) -> Text {
        self.text(path, &format!("{{{{ 'true' if ({expression}) else '' }}}}"), problems)
    }

    fn reads(&self, path: &str, problems: &mut Problems) -> Vec<Variable> {
        let Ok(template) = self.0.get_template(path) else {
            return vec![];
        };
        let globals: Vec<_> = self.0.globals().map(|(name, _)| name).collect();
        let mut names: Vec<_> = template.undeclared_variables(false).into_iter().collect();
        names.retain(|name| !globals.contains(&name.as_str()));
        names.sort_unstable();
        let mut reads = vec![];
        for name in names {
            match VARIABLES.iter().find(|(known, _)| *known == name) {
                Some((_, variable)) => reads.push(*variable),
                None => problems.add(path, unknown_variable(&name)),
            }
        }
        reads
    }

    /// Fills a text in.
    pub(super) fn fill(&self, text: &Text, context: &Context<'_>) -> Result<Box<str>, Error> {
        match text {
            Text::Constant(text) => Ok(text.clone()),
            Text::Template { name, reads } => {
                let values = reads.iter().map(|variable| variable.value_in(context)).collect();
                let text = self.0.get_template(name)?.render(Value::from_object(Named(values)))?;
                Ok(text.into())
            }
        }
    }
}

fn unknown_variable(name: &str) -> String {
    let known: Vec<_> = VARIABLES.iter().map(|(name, _)| format!("`{name}`")).collect();
    format!("unknown variable `{name}`; there are {}", known.join(", "))
}

fn has_markers(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|marker| text.contains(marker))
}

/// A template that renders the JSON of a value whose strings are templates.
fn json_template(value: &serde_json::Value) -> String {
    use serde_json::Value as Json;
    match value {
        Json::String(text) => string_template(text),
        Json::Array(values) => {
            let values: Vec<_> = values.iter().map(json_template).collect();
            format!("[{}]", values.join(","))
        }
        Json::Object(fields) => {
            let field = |(key, value)| format!("{}:{}", Json::from(key), json_template(value));
            let fields: Vec<_> =
                fields.iter().map(|(key, value)| field((key.as_str(), value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value.to_string(),
    }
}

fn string_template(text: &str) -> String {
    if !has_markers(text) {
        return serde_json::Value::from(text).to_string();
    }
    match single_expression(text) {
        Some(expression) => format!("{{{{ ({expression}) | tojson }}}}"),
        None => format!("{{% filter tojson %}}{text}{{% endfilter %}}"),
    }
}

/// The expression of a text that is nothing but `{{ expression }}`.
fn single_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let trims_whitespace = inner.starts_with(['-', '+']) || inner.ends_with(['-', '+']);
    let is_single = !["{{", "}}", "{%", "{#"].iter().any(|marker| inner.contains(marker));
    (is_single && !trims_whitespace).then_some(inner)
}

/// A few values by name. For so few, and read once or twice, a list is cheaper than a map.
#[derive(Debug)]
struct Named<N>(Vec<(N, Value)>);

impl<N> Object for Named<N>
where
    N: AsRef<str> + std::fmt::Debug + Send + Sync + 'static,
{
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let found = self.0.iter().find(|(name, _)| name.as_ref() == key);
        found.map(|(_, value)| value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| Value::from(name.as_ref())).collect())
    }
}

impl Variable {
    fn value_in(self, context: &Context<'_>) -> (&'static str, Value) {
        let Context { conversation, captures, each } = context;
        match self {
            Self::User => ("user", Value::from(conversation.user())),
            Self::Prompt => ("prompt", Value::from(conversation.prompt())),
            Self::Step => ("step", Value::from(conversation.step())),
            Self::Output if conversation.has_output() => ("output", parsed(conversation.output())),
            Self::Output => ("output", Value::UNDEFINED),
            Self::Outputs => ("outputs", outputs(conversation)),
            Self::Captures => ("captures", groups(captures)),
            Self::Each => ("each", each.map_or(Value::UNDEFINED, groups)),
        }
    }
}

fn groups(captures: &Captures) -> Value {
    let value = |(name, text): &(Arc<str>, String)| (name.clone(), Value::from(text));
    Value::from_object(Named(captures.iter().map(value).collect()))
}

fn outputs(conversation: &Conversation<'_>) -> Value {
    let output = |output: super::conversation::Output<'_>| {
        let fields = [
            ("name", Value::from(output.name)),
            ("arguments", parsed(output.arguments)),
            ("value", parsed(&output.text)),
        ];
        Value::from_object(Named(fields.into()))
    };
    Value::from(conversation.outputs().map(output).collect::<Vec<_>>())
}

/// A tool output: what its JSON says, or its text if it is not JSON.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_single_expression_keeps_its_type_in_json() {
        let cases = [
            (json!({"a": "{{ step }}"}), r#"{"a":{{ ( step ) | tojson }}}"#),
            (json!(["x", 1, null, true]), r#"["x",1,null,true]"#),
            (json!("a \"b\""), r#""a \"b\"""#),
            (json!("n {{ step }}"), "{% filter tojson %}n {{ step }}{% endfilter %}"),
            (json!("{{ a }}{{ b }}"), "{% filter tojson %}{{ a }}{{ b }}{% endfilter %}"),
            (json!("{{- a }}"), "{% filter tojson %}{{- a }}{% endfilter %}"),
        ];
        for (value, expected) in cases {
            assert_eq!(json_template(&value), expected, "{value}");
        }
    }
}
