//! Successful rollouts as chats to learn from.

use std::ops::ControlFlow;

use framework::responses::Fields;

use super::chat::Chats;
use super::record::{Head, Record};
use super::{Export, ExportError, ExportProgress, ExportSummary, Skip, each_line};

/// Which rollouts become examples, and of what shape.
#[derive(Clone, Debug)]
pub struct Sft {
    /// What to read and write.
    pub export: Export,
    /// Rollouts with less than this are passed over.
    pub min_reward: f64,
    /// What an example looks like.
    pub shape: SftShape,
}

/// What an example looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SftShape {
    /// `messages`: prompt and answer in one.
    #[default]
    Messages,
    /// `prompt` and `completion`: loss is on the latter alone, and the task can be told from the answer.
    PromptCompletion,
}

impl Sft {
    /// Writes an example for each successful rollout, in the order of the rollouts.
    ///
    /// # Errors
    /// See [`ExportError`]. Malformed lines are reported and left out.
    pub fn run(
        &self,
        mut watch: impl FnMut(ExportProgress) -> ControlFlow<()>,
    ) -> Result<ExportSummary, ExportError> {
        if !self.min_reward.is_finite() {
            return Err(ExportError::Number("`--min-reward` must be a number"));
        }
        let chats = self.export.chats()?;
        let mut output = self.export.create()?;
        let mut summary = ExportSummary::default();
        each_line(&self.export, &mut summary, &mut watch, |line, summary| {
            let example = match self.example(line.text, &chats) {
                Ok(example) => example,
                Err(skip) => return Ok(Err(skip)),
            };
            output.write(&example)?;
            summary.examples += 1;
            Ok(Ok(()))
        })?;
        output.seal()?.publish()?;
        Ok(summary)
    }

    fn example(&self, text: &[u8], chats: &Chats) -> Result<String, Skip> {
        let head = Head::parse(text)?;
        let is_wanted = head.reward >= self.min_reward;
        if !is_wanted || (head.is_truncated && !self.export.truncated) {
            return Err(Skip::PassedOver);
        }
        let Record { params, response, head, extras } = Record::parse(text, head)?;
        let mut example = Fields::default();
        let tools = match self.shape {
            SftShape::Messages => {
                let chat = chats.whole(params, response.output)?;
                example.set_raw("messages", chat.messages);
                chat.tools
            }
            SftShape::PromptCompletion => {
                let chat = chats.prompt(&params)?;
                example.set_raw("prompt", chat.messages);
                example.set_raw("completion", chats.completion(response.output)?);
                chat.tools
            }
        };
        if let Some(tools) = tools {
            example.set_raw("tools", tools);
        }
        example.set("reward", &head.reward);
        head.write(&mut example);
        if let Some(repeat) = head.repeat {
            example.set("repeat", &repeat);
        }
        if self.export.with_task {
            add(&mut example, &extras);
        }
        Ok(serde_json::to_string(&example).expect("fields serialise to JSON"))
    }
}

/// Adds the fields of a record whose names are not taken.
pub(super) fn add(example: &mut Fields, extras: &Fields) {
    for (name, value) in extras.iter() {
        if !example.contains(name) {
            example.set_raw(name, value.to_owned());
        }
    }
}
