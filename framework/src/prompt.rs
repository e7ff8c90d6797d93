//! Prompts made from a row's fields by templates, for datasets that hold questions and no prompts.
//!
//! Templates are minijinja's. A name that the row does not have is an error that says so, never an empty
//! place in a prompt.

use std::path::PathBuf;

use minijinja::value::{Serde, Value as Jinja};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use crate::config::PromptSpec;
use crate::responses::Fields;
use crate::task::PARAMS;

/// A dataset's templates, compiled.
#[derive(Debug)]
pub struct Prompt {
    environment: Environment<'static>,
    has_system: bool,
}

/// Why templates cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("cannot read the prompt template `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The template is malformed.
    #[error("the prompt template is malformed: {source}")]
    Syntax {
        /// Where and why.
        source: minijinja::Error,
    },
    /// Nothing says what the user asks, or two things do.
    #[error("a dataset's `prompt` needs either `user` or `file`")]
    User,
}

impl TemplateError {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => Some("`prompt.file` is relative to the working directory"),
            Self::Syntax { .. } => None,
            Self::User => Some("such as `prompt: { user: \"Solve: {{ question }}\" }`"),
        }
    }
}

/// Why a row has no prompt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// It has one already.
    #[error(
        "`responses_create_params.input` is there already, and the dataset has a prompt template"
    )]
    HasInput,
    /// The parameters that the prompt would be part of are no object.
    #[error("`responses_create_params`: {0}")]
    Params(serde_json::Error),
    /// The row lacks what the template names.
    #[error("the prompt template needs `{}`, which the row lacks; it has `{}`", missing.join("`, `"), known.join("`, `"))]
    Missing {
        /// What is missing.
        missing: Vec<String>,
        /// The row's keys.
        known: Vec<String>,
    },
    /// The template fails for another reason.
    #[error("the prompt template fails: {0}")]
    Render(minijinja::Error),
}

const SYSTEM: &str = "system";
const USER: &str = "user";

impl Prompt {
    /// Compiles templates.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn new(spec: &PromptSpec) -> Result<Self, TemplateError> {
        let user = match (&spec.user, &spec.file) {
            (Some(user), None) => user.clone(),
            (None, Some(path)) => std::fs::read_to_string(path)
                .map_err(|source| TemplateError::Read { path: path.clone(), source })?,
            (Some(_), Some(_)) | (None, None) => return Err(TemplateError::User),
        };
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let templates = [(SYSTEM, spec.system.clone()), (USER, Some(user))];
        for (name, template) in templates {
            if let Some(template) = template {
                let added = environment.add_template_owned(name, template);
                added.map_err(|source| TemplateError::Syntax { source })?;
            }
        }
        Ok(Self { environment, has_system: spec.system.is_some() })
    }

    /// Makes the prompt of a row: its `responses_create_params.input`. What else stands in its
    /// parameters stays.
    ///
    /// # Errors
    /// See [`PromptError`].
    pub fn apply(&self, row: &mut Fields) -> Result<(), PromptError> {
        let mut params = match row.get_set(PARAMS) {
            Some(params) => Fields::parse(params.get()).map_err(PromptError::Params)?,
            None => Fields::default(),
        };
        if params.get_set("input").is_some() {
            return Err(PromptError::HasInput);
        }
        let read = |value: &RawValue| serde_json::from_str::<Value>(value.get()).ok();
        let others = row.iter().filter(|(name, _)| *name != PARAMS);
        let context = others.filter_map(|(name, value)| Some((name.to_owned(), read(value)?)));
        let context: Map<String, Value> = context.collect();
        let mut input = Vec::new();
        for role in [SYSTEM, USER] {
            if role == USER || self.has_system {
                let content = self.render(role, &context)?;
                input.push(json!({ "role": role, "content": content }));
            }
        }
        params.set("input", &input);
        row.set_raw(PARAMS, to_raw_value(&params).expect("fields serialise to JSON"));
        Ok(())
    }

    fn render(&self, name: &str, context: &Map<String, Value>) -> Result<String, PromptError> {
        let template = self.environment.get_template(name).expect("it was added");
        template.render(Jinja::from(Serde(context))).map_err(|error| {
            let names = template.undeclared_variables(true);
            let mut missing: Vec<_> =
                names.into_iter().filter(|name| !has(context, name)).collect();
            missing.sort();
            if error.kind() != ErrorKind::UndefinedError || missing.is_empty() {
                return PromptError::Render(error);
            }
            PromptError::Missing { missing, known: context.keys().cloned().collect() }
        })
    }
}

/// Whether a row has a field, or a field of a field: `a.b`.
fn has(row: &Map<String, Value>, path: &str) -> bool {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let pointer = format!("/{}", rest.replace('.', "/"));
    row.get(first).is_some_and(|value| rest.is_empty() || value.pointer(&pointer).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(system: Option<&str>, user: &str) -> Prompt {
        let spec = PromptSpec {
            system: system.map(str::to_owned),
            user: Some(user.to_owned()),
            file: None,
        };
        Prompt::new(&spec).unwrap()
    }

    fn made(prompt: &Prompt, row: &str) -> Result<String, String> {
        let mut row = Fields::parse(row).unwrap();
        prompt.apply(&mut row).map_err(|error| error.to_string())?;
        Ok(serde_json::to_string(&row).unwrap())
    }

    #[test]
    fn a_prompt_is_made_from_a_rows_fields_and_the_rest_stays() {
        let prompt = prompt(
            Some("Answer in {{ language }}."),
            "{{ q.text }}{% for option in options %}\n{{ loop.index }}) {{ option }}{% endfor %}",
        );
        let row = r#"{"q":{"text":"Which \"one\"?"},"options":["a",2],"language":"English","responses_create_params":{"temperature":0.5}}"#;
        let input = json!([
            { "role": "system", "content": "Answer in English." },
            { "role": "user", "content": "Which \"one\"?\n1) a\n2) 2" },
        ]);
        let mut expected: Value = serde_json::from_str(row).unwrap();
        expected["responses_create_params"]["input"] = input;
        let made: Value = serde_json::from_str(&made(&prompt, row).unwrap()).unwrap();
        assert_eq!(made, expected);
    }

    #[test]
    fn what_a_row_lacks_is_named() {
        let prompt = prompt(None, "{{ question }} {{ meta.level }}");
        let cases = [
            (r#"{"question":"?","meta":{"level":1}}"#, None),
            (
                r#"{"q":1,"meta":{"level":1}}"#,
                Some("needs `question`, which the row lacks; it has `q`, `meta`"),
            ),
            (r#"{"question":"?","meta":{}}"#, Some("needs `meta.level`")),
            (r#"{"question":"?"}"#, Some("needs `meta.level`")),
            (
                r#"{"responses_create_params":{"input":[]},"question":"?"}"#,
                Some("is there already"),
            ),
            (r#"{"responses_create_params":5,"question":"?"}"#, Some("`responses_create_params`")),
        ];
        for (row, expected) in cases {
            match (made(&prompt, row), expected) {
                (Ok(_), None) => {}
                (Err(error), Some(expected)) => assert!(error.contains(expected), "{error}"),
                (made, _) => panic!("{row}: {made:?}"),
            }
        }
    }

    #[test]
    fn a_template_says_what_is_wrong_with_it() {
        let spec = |user: Option<&str>, file: Option<&str>| PromptSpec {
            system: None,
            user: user.map(str::to_owned),
            file: file.map(PathBuf::from),
        };
        for (spec, expected) in [
            (spec(Some("{{ a"), None), "malformed"),
            (spec(None, None), "needs either `user` or `file`"),
            (spec(Some("a"), Some("b")), "needs either `user` or `file`"),
            (spec(None, Some("no/such.jinja")), "no/such.jinja"),
        ] {
            let error = Prompt::new(&spec).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
