//! `structured_outputs`: an answer in a given format that fits a given schema.
//!
//! A document is to be put into JSON, YAML, XML, TOML or CSV, or into the arguments of a tool call, by a
//! JSON Schema (NeMo Gym: `structured_outputs`). The reward is 1 if the answer parses and fits, whatever it
//! says. The schema is made strict first: in every object that declares `properties`, all of them become
//! required and all others forbidden, except inside of lists (`anyOf` and the like).
//!
//! | Key of the row | Says |
//! |---|---|
//! | `schema_str` | the schema, as JSON text |
//! | `schema_type` | `json` (default), `yaml`, `xml`, `toml` or `csv` |
//! | `response_mode` | `text` (default), or `tool_call`: exactly one call, of which the arguments count |
//! | `tool_name` | the tool that is to be called; absent, any |
//! | `tool_payload_key` | the argument that counts; absent, all of them |
//!
//! The verdict's extras, null for an answer that earns 1:
//!
//! | Name | Says |
//! |---|---|
//! | `error_type` | `empty_response`, `parse_error`, `validation_error`; of tool calls also `api_error`, `missing_tool_call`, `multiple_tool_calls`, `wrong_tool_name`, `tool_arguments_parse_error`, `missing_tool_payload_key` |
//! | `error_message` | what was wrong, 200 characters at most after the name of Python's exception |
//!
//! An agent is to stop after the call: give `tool_loop` the setting `max_steps: 1`.
//!
//! # Decided
//!
//! Values, and what fits a schema, are Python's, as a reward must be the same wherever it is computed:
//! draft 2020-12 by the `jsonschema` package, with OpenAPI's `discriminator`, formats not asserted.
//!
//! | Trap | Here, and there |
//! |---|---|
//! | `multipleOf` with a fraction | by division of floats: 0.3 is no multiple of 0.1 |
//! | `NaN`, `Infinity`, `1e999` in JSON | numbers, no integers |
//! | a key twice | the last one counts |
//! | `$ref` to nothing | an error when validation gets there: order counts |
//! | patterns | Python's `re`: `\d` is of any script, `$` before a final newline |
//! | `1.0` | an integer; `true` is no number and not equal to 1 |
//! | YAML 1.1 words | `yes` is true, an unquoted date is no string |
//!
//! # Differs from NeMo Gym
//!
//! - A row whose schema is none (no JSON, against the meta-schema, or spoiled when it is made strict, as by a
//!   property named `properties`) or is nested more than 200 deep is malformed, so `schema_error` does not
//!   occur. NeMo Gym scores it 0, whatever the answer.
//! - Messages of the model without `output_text` parts count as nothing; its first release crashes on them.
//! - The words after the exception's name are ours, except those of JSON's parser.
//! - No `$ref` is ever fetched from a network, and the meta-schemas cannot be referred to. A `$schema` inside
//!   of a schema does not switch to another draft.
//! - YAML with a colon right before a comma or a bracket, `[a:, b]`, does not parse; PyYAML takes it.
//! - Limits, beyond which an answer does not parse: 900 levels of JSON, 200 of the others (Python's own
//!   limits are near), whole numbers of 64 bits in TOML, two million YAML values with aliases written out,
//!   and a YAML anchor inside of itself. Beyond 10 million steps of validation, or 20 million of a
//!   pattern, the verification fails without a reward.

mod coercion;
mod csv;
mod keywords;
mod multiples;
mod references;
mod schema;
mod task;
mod toml;
mod unevaluated;
mod validator;
mod value;
mod xml;
mod yaml;

use std::sync::Arc;

use framework::cpu::CpuPool;
use framework::environment::{Environment, EnvironmentError, Evidence, Reward, Verdict};
use framework::responses::{Item, Response};
use framework::wiring::{BuildError, Wiring};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as JsonValue;

use crate::transcript::output_texts;
pub use task::{Format, Row};
use task::{ResponseMode, Said, Task};

/// The environment's `settings:`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether texts in XML are read as the numbers and truth values that the schema asks for.
    /// Default: true.
    pub xml_coerce_types: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { xml_coerce_types: true }
    }
}

/// What a row says beyond the prompt.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Row")]
#[schemars(with = "Row")]
pub struct Target(Arc<Task>);

impl TryFrom<Row> for Target {
    type Error = String;

    fn try_from(row: Row) -> Result<Self, String> {
        Task::try_from(row).map(Arc::new).map(Self)
    }
}

/// The environment.
#[derive(Debug)]
pub struct StructuredOutputs {
    config: Config,
    cpu: CpuPool,
}

/// Answers up to this many bytes are validated on the shard, which takes some 200 µs.
const INLINE_MAX: usize = 8 << 10;

impl Environment for StructuredOutputs {
    const KIND: &'static str = "structured_outputs";
    const EVIDENCE: Evidence = Evidence::Transcript;
    type Config = Config;
    type Target = Target;
    type Session = ();

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        Ok(Self { config, cpu: wiring.cpu() })
    }

    async fn open(&self, _: &Target) -> Result<(), EnvironmentError> {
        Ok(())
    }

    async fn verify(
        &self,
        (): (),
        Target(task): &Target,
        response: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let said = said(task.response_mode, response);
        let coerces_xml = self.config.xml_coerce_types;
        // How long a schema's pattern takes, its author alone knows.
        let is_short = said.len() <= INLINE_MAX && !task.has_patterns();
        let failure = if is_short {
            task.failure(&said, coerces_xml)
        } else {
            let task = task.clone();
            self.cpu.run(move || task.failure(&said, coerces_xml)).await
        };
        let failure = failure.map_err(EnvironmentError::permanent)?;
        Ok(Verdict::new(Reward::earned(failure.is_none()))
            .with("error_type", &failure.as_ref().map(|failure| failure.kind))
            .with("error_message", &failure.as_ref().map(|failure| &failure.message)))
    }
}

/// What the model said that counts.
fn said(mode: ResponseMode, response: &Response) -> Said {
    match mode {
        ResponseMode::Text => Said::Text(output_texts(response).concat()),
        ResponseMode::ToolCall => match response.field::<JsonValue>("error") {
            Some(error) => Said::Error(error.to_string()),
            None => {
                let calls = response.output.iter().filter_map(Item::as_function_call);
                Said::Calls(calls.cloned().collect())
            }
        },
    }
}

#[cfg(test)]
mod tests;
