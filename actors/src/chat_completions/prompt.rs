//! A conversation as one text, for endpoints that complete text (`/completions`), base models above all.
//!
//! Without a template there is little that a text can say: a user's message, perhaps after one of the
//! system. With one the text is what the model's own tokenizer makes of a chat: `tokenizer` is its
//! folder, as it is downloaded, its `tokenizer_config.json`, or a template by itself. Templates are
//! written for Jinja and Python; what of that they use is here, but for `strftime_now`, which good ones
//! can do without: a prompt should not depend on the day.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use framework::responses::{Fields, Role};
use framework::wiring::BuildError;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value as Jinja};
use minijinja::{Environment, Error, ErrorKind};
use regex::Regex;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::Config;
use super::messages::{self, Message, Unsupported};

/// How a conversation becomes a text.
#[derive(Clone, Debug)]
pub(super) enum Prompting {
    /// The texts of a system's and a user's message.
    Raw,
    /// By a chat template.
    Template(Arc<Template>),
}

impl Prompting {
    /// What the settings say; `None` if the endpoint takes chats.
    ///
    /// # Errors
    /// Fails if they do not fit together, or there is no template.
    pub(super) fn new(config: &Config) -> Result<Option<Self>, BuildError> {
        let Config { use_completions_api, render_chat_template, tokenizer, .. } = config;
        match (use_completions_api, render_chat_template, tokenizer) {
            (false, false, None) => Ok(None),
            (true, false, None) => Ok(Some(Self::Raw)),
            (true, true, Some(path)) => Ok(Some(Self::Template(Arc::new(Template::read(path)?)))),
            (true, true, None) => {
                Err(BuildError::new("`settings.render_chat_template` needs `settings.tokenizer`"))
            }
            (true, false, Some(_)) => {
                Err(BuildError::new("`settings.tokenizer` needs `settings.render_chat_template`"))
            }
            (false, ..) => Err(BuildError::new(
                "`settings.render_chat_template` and `tokenizer` need `settings.use_completions_api`",
            )),
        }
    }

    /// The text of a conversation; `fields` are those of the chat that it would be.
    ///
    /// # Errors
    /// Fails on what a text cannot say.
    pub(super) fn prompt(
        &self,
        messages: &[Message<'_>],
        fields: &Fields,
    ) -> Result<String, Unsupported> {
        match self {
            Self::Raw if fields.contains("tools") => {
                Err(unsupported("tools, which text without a chat template cannot name"))
            }
            Self::Raw => raw(messages),
            Self::Template(template) => template.render(messages, fields),
        }
    }

    /// Whether the text begins with the special tokens that a tokenizer would add.
    pub(super) fn has_special_tokens(&self) -> bool {
        matches!(self, Self::Template(_))
    }
}

fn unsupported(reason: &str) -> Unsupported {
    Unsupported(reason.to_owned())
}

fn raw(messages: &[Message<'_>]) -> Result<String, Unsupported> {
    let is_operator = |role| matches!(role, Role::System | Role::Developer);
    let texts = match messages {
        [user] if user.role() == Role::User => vec![user.plain_text()],
        [system, user] if is_operator(system.role()) && user.role() == Role::User => {
            vec![system.plain_text(), user.plain_text()]
        }
        _ => Vec::new(),
    };
    let texts: Option<Vec<_>> = texts.into_iter().collect();
    let texts = texts.filter(|texts| !texts.is_empty()).ok_or_else(|| {
        unsupported(
            "without `render_chat_template` a text is one user's message, perhaps after a system's",
        )
    })?;
    Ok(texts.join("\n\n"))
}

/// A chat template with the special tokens that it may name.
#[derive(Debug)]
pub(super) struct Template {
    environment: Environment<'static>,
    tokens: Vec<(&'static str, String)>,
}

/// The name of the only template.
const NAME: &str = "chat";
/// Special tokens that templates use.
const TOKENS: [&str; 4] = ["bos_token", "eos_token", "pad_token", "unk_token"];

/// Tags that only matter for training on what is rendered.
static MASKS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\{%-?\s*(end)?generation\s*-?%\}").expect("it is a regular expression")
});

impl Template {
    /// Reads a tokenizer's template.
    fn read(path: &Path) -> Result<Self, BuildError> {
        let wrong = |what: &dyn std::fmt::Display| {
            BuildError::new(format_args!("`settings.tokenizer`: `{}`: {what}", path.display()))
        };
        let read = |path: PathBuf| {
            std::fs::read_to_string(&path)
                .map_err(|error| wrong(&format_args!("cannot read `{}`: {error}", path.display())))
        };
        let (mut config, mut template) = (Value::Null, None);
        if path.is_dir() {
            let (own, json) =
                (path.join("chat_template.jinja"), path.join("tokenizer_config.json"));
            if json.is_file() {
                config = serde_json::from_str(&read(json)?).map_err(|error| wrong(&error))?;
            }
            if own.is_file() {
                template = Some(read(own)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "json") {
            config =
                serde_json::from_str(&read(path.to_owned())?).map_err(|error| wrong(&error))?;
        } else {
            template = Some(read(path.to_owned())?);
        }
        let template = template.or_else(|| of_config(&config));
        let template = template.ok_or_else(|| wrong(&"it has no chat template"))?;
        Self::new(&template, &config).map_err(|error| wrong(&format_args!("{error:#}")))
    }

    fn new(template: &str, config: &Value) -> Result<Self, Error> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
        environment.set_syntax(syntax);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", |reason: String| -> Result<Jinja, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, reason))
        });
        environment.add_template_owned(NAME, MASKS.replace_all(template, "").into_owned())?;
        let token = |name: &'static str| {
            let token = &config[name];
            Some((name, token.as_str().or(token["content"].as_str())?.to_owned()))
        };
        Ok(Self { environment, tokens: TOKENS.into_iter().filter_map(token).collect() })
    }

    fn render(&self, messages: &[Message<'_>], fields: &Fields) -> Result<String, Unsupported> {
        if messages.iter().any(|message| !message.is_plain()) {
            return Err(unsupported("parts that are no text, in a prompt that is text"));
        }
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let mut context = serde_json::Map::new();
        for (name, token) in &self.tokens {
            context.insert((*name).to_owned(), token.as_str().into());
        }
        context.insert("messages".to_owned(), read(&messages::write(messages)));
        context.insert("add_generation_prompt".to_owned(), true.into());
        if let Some(tools) = fields.get("tools") {
            context.insert("tools".to_owned(), read(tools.get()));
        }
        if let Some(Value::Object(kwargs)) =
            fields.get("chat_template_kwargs").map(|kwargs| read(kwargs.get()))
        {
            context.extend(kwargs);
        }
        let template = self.environment.get_template(NAME).expect("it was added");
        let rendered = template.render(Jinja::from(Serde(&context)));
        rendered.map_err(|error| Unsupported(format!("the chat template: {error:#}")))
    }
}

/// The template of a `tokenizer_config.json`: a text, or the one called `default`.
fn of_config(config: &Value) -> Option<String> {
    let template = &config["chat_template"];
    if let Some(text) = template.as_str() {
        return Some(text.to_owned());
    }
    let named = template.as_array()?.iter().find(|named| named["name"] == "default")?;
    named["template"].as_str().map(str::to_owned)
}

/// JSON as Python writes it.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

/// The filter `tojson`, without the escapes that are for web pages.
fn to_json(value: &Jinja, options: Kwargs) -> Result<Jinja, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let _ = options.get::<Option<bool>>("ensure_ascii")?;
    options.assert_all_used()?;
    let mut out = Vec::new();
    let written = match indent {
        None => value.serialize(&mut Serializer::with_formatter(&mut out, Spaced)),
        Some(indent) => {
            let spaces = " ".repeat(indent);
            let pretty = PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut Serializer::with_formatter(&mut out, pretty))
        }
    };
    written.map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    let text = String::from_utf8(out).expect("JSON is UTF-8");
    Ok(Jinja::from_safe_string(text))
}
