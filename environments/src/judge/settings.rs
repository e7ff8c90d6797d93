//! What the settings of environments with a judge have in common: defaults, and how they are read.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;

use framework::environment::python::text::strip;
use framework::responses::CreateParams;
use framework::wiring::BuildError;
use serde::{Deserialize, Deserializer};

use super::{Labels, Template};

pub(crate) fn no_params() -> CreateParams {
    CreateParams::parse(r#"{"input":[]}"#).expect("it is an object of parameters")
}

pub(crate) fn equal_label() -> String {
    "[[A=B]]".to_owned()
}

pub(crate) fn not_equal_label() -> String {
    "[[A!=B]]".to_owned()
}

pub(crate) fn attempts() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(2)
}

pub(crate) fn at_once() -> Option<NonZeroUsize> {
    NonZeroUsize::new(64)
}

/// Reads the judge's parameters; their prompt need not be there, and is not looked at.
pub(crate) fn read_params<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<CreateParams, D::Error> {
    let mut fields = serde_json::Map::deserialize(deserializer)?;
    fields.insert("input".to_owned(), serde_json::Value::Array(Vec::new()));
    CreateParams::parse(&serde_json::Value::Object(fields).to_string())
        .map_err(serde::de::Error::custom)
}

/// The labels `judge_equal_label` and `judge_not_equal_label`.
pub(crate) fn labels(equal: &str, not_equal: &str) -> Result<Labels, BuildError> {
    Labels::new(equal, not_equal).ok_or_else(|| {
        BuildError::new(
            "`settings.judge_equal_label` and `settings.judge_not_equal_label` have to be two \
             different texts",
        )
    })
}

/// The question: that of `judge_prompt_template`, of the file `judge_prompt_template_fpath`, or another.
pub(crate) fn template(
    inline: Option<&Template>,
    path: Option<&Path>,
    otherwise: &str,
) -> Result<Template, BuildError> {
    match (inline, path) {
        (Some(_), Some(_)) => Err(BuildError::new(
            "`settings.judge_prompt_template` and `settings.judge_prompt_template_fpath` are both \
             set; leave one out",
        )),
        (Some(template), None) => Ok(template.clone()),
        (None, Some(path)) => {
            let key = "settings.judge_prompt_template_fpath";
            let named = path.display();
            let text = std::fs::read_to_string(path).map_err(|error| {
                BuildError::new(format_args!("`{key}`: cannot read `{named}`: {error}"))
            })?;
            Template::try_from(strip(&text).to_owned())
                .map_err(|error| BuildError::new(format_args!("`{key}`: `{named}`: {error}")))
        }
        (None, None) => Ok(Template::try_from(strip(otherwise).to_owned()).expect("it is tested")),
    }
}
