//! `mcqa`: multiple-choice questions, graded by the one option that the model's text chooses.
//!
//! Knowledge questions with options A, B, C… (NeMo Gym: `mcqa`). The verifier looks for the choice in
//! all that the assistant said, its messages joined by newlines; no model judges. How a choice must be
//! stated is the row's `grading_mode`, or `settings.grading_mode` for all rows:
//!
//! | Mode | The choice is |
//! |---|---|
//! | `strict_single_letter_boxed` (default) | the capital letter that is the only letter in `\boxed{…}` |
//! | `lenient_boxed` | as above, or the one option whose text is in the box |
//! | `lenient_answer_colon` | the letter, or an option's whole text, after the first `Answer:` |
//! | `lenient_answer_colon_md` (settings only) | a letter after the last `Answer:` that has one, Markdown or not |
//!
//! A row's own `template_metadata.output_regex`, one pattern of Python's `re` or a list of them, comes
//! first: what its last match captures is the letter or an option's text. Only if none finds a choice
//! the mode is asked.
//!
//! The verdict's extras:
//!
//! | Name | Type | Says |
//! |---|---|---|
//! | `expected_answer` | text | the letter that earns 1 |
//! | `extracted_answer` | text or null | the letter that was found |
//!
//! # Differs from NeMo Gym
//!
//! Its first release and its present one differ. The recorded datasets are of the first, so its rules
//! hold where they are no bugs:
//!
//! - Boxes are found as it finds them now: the last `\boxed{` counts, to its own closing brace, and
//!   `\text{…}` around a letter is no obstacle. Its first release took the first box that fitted, and
//!   read on across closing braces: `settings: { boxes: first }` does so too, to compare with results of
//!   then. With `boxes: last_labelled` a letter with its label counts, `\boxed{B: …}`, as it does there
//!   now; at first it did not, and the recorded rewards say so.
//! - Every key of an option's object counts, as now; with `boxes: first`, the first alone.
//! - Messages and their parts are joined by newlines, as at first. Now it joins them without anything,
//!   which makes one word of the end of one and the beginning of the next.
//! - Transliterated letters (`ب` for B) and lists of patterns are taken as it does now, whichever `boxes`.
//! - A row that can earn nothing, whatever the answer, is malformed: without an `expected_answer`, or with
//!   one that is no option's letter and no pattern that could find it. NeMo Gym scores it 0.
//! - A pattern with two or more groups makes it answer 500; here the row is malformed. One that is no
//!   pattern at all is passed over, as there.
//! - Matching that takes too many steps fails the verification; it would hang. A row has at most 100
//!   patterns.
//! - An option without text (`null`) never is what was captured; it crashes on those in
//!   `lenient_answer_colon`.

mod boxed;
mod colon;
mod question;

use std::sync::Arc;

use framework::cpu::CpuPool;
use framework::environment::python::text::strip;
use framework::environment::{Environment, EnvironmentError, Evidence, Reward, Verdict};
use framework::responses::Response;
use framework::wiring::{BuildError, Wiring};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::transcript::assistant_texts;
pub use question::{Question, Row};

/// The environment's `settings:`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How choices must be stated, instead of what each row says.
    pub grading_mode: Option<GradingMode>,
    /// Which box counts. Default: `last`.
    pub boxes: Boxes,
}

/// How a choice must be stated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GradingMode {
    /// A letter in a box.
    #[default]
    StrictSingleLetterBoxed,
    /// A letter or an option's text in a box.
    LenientBoxed,
    /// A letter or an option's text after `Answer:`.
    LenientAnswerColon,
    /// A letter after `Answer:`, in Markdown.
    LenientAnswerColonMd,
}

/// Which of several boxes counts, and how it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boxes {
    /// The last one, to its own closing brace; a letter must be alone in it.
    #[default]
    Last,
    /// The last one, as NeMo Gym's present release has it: a letter may stand before its label.
    LastLabelled,
    /// The first one that fits, as NeMo Gym's first release had it.
    First,
}

/// What a row says beyond the prompt.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Row")]
#[schemars(with = "Row")]
pub struct Target(Arc<Question>);

impl TryFrom<Row> for Target {
    type Error = String;

    fn try_from(row: Row) -> Result<Self, String> {
        Question::try_from(row).map(Arc::new).map(Self)
    }
}

/// The environment.
#[derive(Debug)]
pub struct Mcqa {
    config: Config,
    cpu: CpuPool,
}

/// Texts up to this many bytes are searched on the shard, which takes some 20 µs.
const INLINE_MAX: usize = 16 << 10;

impl Environment for Mcqa {
    const KIND: &'static str = "mcqa";
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
        Target(question): &Target,
        response: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let text = assistant_texts(response).join("\n");
        let mode = self.config.grading_mode.unwrap_or(question.grading_mode);
        let boxes = self.config.boxes;
        // How long a row's own pattern takes, its author alone knows.
        let is_short = text.len() <= INLINE_MAX && question.patterns.is_empty();
        let found = if is_short {
            question.choice(strip(&text), mode, boxes)
        } else {
            let question = question.clone();
            self.cpu.run(move || question.choice(strip(&text), mode, boxes)).await
        };
        let found = found.map_err(EnvironmentError::permanent)?;
        let is_right = found.as_deref() == Some(&*question.expected_answer);
        Ok(Verdict::new(Reward::earned(is_right))
            .with("expected_answer", &*question.expected_answer)
            .with("extracted_answer", &found))
    }
}

#[cfg(test)]
mod tests;
