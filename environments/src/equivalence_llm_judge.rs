//! `equivalence_llm_judge`: short answers that a judge model compares with the expected one.
//!
//! Serves questions whose right answers can be written in many ways (NeMo Gym:
//! `equivalence_llm_judge`): open question answering, shell commands. A regular expression cuts the
//! answer out of what the model said; a judge, which is a model of the configuration, says whether it
//! is equivalent. Its rules are in `equivalence_llm_judge/grading.rs`:
//!
//! | The judge says of question, expected and generated | Then | Reward |
//! |---|---|---|
//! | equivalent | nothing, without `check_twice_swap` or for long answers | 1 |
//! | equivalent | it is asked again with the answers exchanged | 1, or `reward_if_swap_fails` |
//! | not equivalent | with a row's regex and `check_full_generation_on_fail`, it sees all that the model said | `reward_if_full_generation_succeeds`, or 0 |
//! | not equivalent | nothing, in all other cases | 0 |
//!
//! An answer is long if its row has a regex and `expected_answer` has more than
//! `extraction_length_threshold` characters; no regex is applied to it then.
//!
//! The verdict's extras:
//!
//! | Name | Type | Says |
//! |---|---|---|
//! | `expected_answer` | text | what was compared with |
//! | `judge_evaluations` | list | every exchange with the judge: `responses_create_params`, `response`, `verdict_label` |
//!
//! The record of a rollout that could not be judged has `judge_evaluations` as well: those of its last
//! attempt. The question that the judge did not answer is the last of them; its `response` is `null`.
//!
//! `tests/differential/equivalence_llm_judge.py` compares all of it but the model with Python's `re` and
//! `str.format`; there are no disagreements but the following.
//!
//! # Differs from NeMo Gym
//!
//! A judge that cannot be asked, refuses or says no label is asked `judge_attempts` times; then the
//! verification fails and there is no reward (NeMo Gym: 0 without a label, 500 on errors).
//! `judge_no_label: not_equal` brings its 0 back. A row without an expected answer and one whose
//! `output_regex` is no regular expression are malformed (there: the judge compares with nothing, and
//! the regex is ignored). A question may be plain text as `input`, or stand in a list of parts, as in
//! its later versions. A judge whose message is plain text instead of parts is read. The judge has no
//! default: which model judges is said in `judge_model`. Regular expressions that would backtrack
//! without end fail the verification instead of hanging it. The text in place of an answer that is not
//! there, `msg_extraction_failure`, and `judge_endpoint_max_concurrency` are those of later versions.

mod extraction;
mod grading;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;

use framework::cpu::CpuPool;
use framework::environment::python::pattern::Pattern;
use framework::environment::python::text::strip;
use framework::environment::python::{Json, text_of};
use framework::environment::{Environment, EnvironmentError, Evidence, Reward, Verdict};
use framework::responses::{CreateParams, Item, Response, Role};
use framework::task::{Row, Target as AnyTarget, TargetError};
use framework::wiring::{BuildError, Wiring};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::judge::{EVALUATIONS, Inputs, Judge, JudgeSpec, NoLabel, Shown, Template, settings};
use crate::transcript::last_assistant_texts;
use extraction::{Regex, last_value, read_regex, regex};
use grading::{Answer, Next, Rules};

/// The environment's `settings:`; the names are NeMo Gym's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The judge: a name of `models`.
    pub judge_model: String,
    /// What the judge is asked with, such as `temperature`. Default: nothing.
    #[serde(default = "settings::no_params", deserialize_with = "settings::read_params")]
    pub judge_responses_create_params: CreateParams,
    /// A system message to the judge. Default: none.
    #[serde(default)]
    pub judge_system_message: Option<String>,
    /// The question to the judge, with `{question}`, `{expected_answer}` and `{generated_answer}`.
    /// Default: the file below.
    #[serde(default)]
    pub judge_prompt_template: Option<Template>,
    /// A file with the question. Default: `environments/prompts/question_answering.txt`, built in.
    #[serde(default)]
    pub judge_prompt_template_fpath: Option<PathBuf>,
    /// What the judge says of equivalent answers. Default: `[[A=B]]`.
    #[serde(default = "settings::equal_label")]
    pub judge_equal_label: String,
    /// What it says of others. Default: `[[A!=B]]`.
    #[serde(default = "settings::not_equal_label")]
    pub judge_not_equal_label: String,
    /// What an answer without a label means: `fail`, or `not_equal` as in NeMo Gym.
    #[serde(default)]
    pub judge_no_label: NoLabel,
    /// So often a question is asked in all if it fails or its answer has no label. Default: 3.
    #[serde(default = "settings::attempts")]
    pub judge_attempts: NonZeroU32,
    /// So many questions to the judge are open at once, over all shards; null: as many as there are.
    /// Default: 64.
    #[serde(default = "settings::at_once")]
    pub judge_endpoint_max_concurrency: Option<NonZeroUsize>,
    /// Cuts the question out of the last user message. Default: all of it.
    #[serde(default, deserialize_with = "read_regex")]
    pub question_extract_regex: Option<Arc<Pattern>>,
    /// Cuts the answer out of what the model said, for rows without a regex. Default: all of it.
    #[serde(default, deserialize_with = "read_regex")]
    pub response_extract_regex: Option<Arc<Pattern>>,
    /// What is judged if the model said nothing. Default: `[NO VALID ANSWER EXTRACTED]`.
    #[serde(default = "extraction_failure")]
    pub msg_extraction_failure: String,
    /// The rules of grading.
    #[serde(default = "yes")]
    pub use_per_record_regex: bool,
    /// Longer expected answers are compared with all that the model said; null: none is long.
    /// Default: 120 characters.
    #[serde(default = "length_threshold")]
    pub extraction_length_threshold: Option<usize>,
    /// Whether equivalent answers are judged again, exchanged. Default: no.
    #[serde(default)]
    pub check_twice_swap: bool,
    /// The reward if that says otherwise. Default: 0.
    #[serde(default)]
    pub reward_if_swap_fails: f64,
    /// Whether all that the model said is judged if the answer cut out of it is wrong. Default: yes.
    #[serde(default = "yes")]
    pub check_full_generation_on_fail: bool,
    /// The reward if that is equivalent. Default: 0.5.
    #[serde(default = "half")]
    pub reward_if_full_generation_succeeds: f64,
}

/// The question to the judge, unless the configuration has another.
const PROMPT: &str = include_str!("../prompts/question_answering.txt");
fn extraction_failure() -> String {
    "[NO VALID ANSWER EXTRACTED]".to_owned()
}

fn yes() -> bool {
    true
}

fn length_threshold() -> Option<usize> {
    Some(120)
}

fn half() -> f64 {
    0.5
}

/// What a row says beyond the prompt.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Target {
    /// The right answer.
    pub expected_answer: Option<String>,
    /// Holds the right answer as `expected_answer` where the row itself does not.
    pub metadata: Option<BTreeMap<String, Json>>,
    /// Choices; not used.
    pub options: Option<Vec<BTreeMap<String, Json>>>,
    /// Holds the row's regular expression as `output_regex`.
    pub template_metadata: Option<Json>,
    /// The text of the last user message.
    #[serde(skip)]
    question: String,
    /// The row's regular expression.
    #[serde(skip)]
    regex: Regex,
}

impl Target {
    /// Fills in what follows from the keys of the row and from its prompt.
    fn resolve(mut self, row: &Row) -> Result<Self, TargetError> {
        let own = self.expected_answer.take().filter(|answer| !answer.is_empty());
        let known = || match self.metadata.as_ref()?.get("expected_answer")? {
            Json::Null => None,
            known => Some(text_of(known)),
        };
        let expected = own.or_else(known).filter(|answer| !answer.is_empty()).ok_or_else(|| {
            TargetError::new(
                "`expected_answer` is missing or empty, and so is `metadata.expected_answer`: there \
                 is nothing to compare answers with",
            )
        })?;
        self.regex = output_regex(self.template_metadata.as_ref())?;
        self.expected_answer = Some(expected);
        self.question = question(row.params.input());
        Ok(self)
    }

    fn expected_answer(&self) -> &str {
        self.expected_answer.as_deref().expect("targets without one are refused")
    }
}

/// The regular expression of a row, if it has one.
fn output_regex(template_metadata: Option<&Json>) -> Result<Regex, TargetError> {
    const KEY: &str = "template_metadata.output_regex";
    let is_none = |value: &&Json| match value {
        Json::Null | Json::Bool(false) => true,
        Json::String(text) => text.is_empty(),
        _ => false,
    };
    let value = template_metadata.and_then(|metadata| metadata.get("output_regex"));
    match value.filter(|value| !is_none(value)) {
        None => Ok(None),
        Some(Json::String(source)) => {
            regex(source).map_err(|error| TargetError::new(format!("`{KEY}`: {error}")))
        }
        Some(_) => Err(TargetError::new(format!("`{KEY}` is no text"))),
    }
}

/// The text of the last user message that has text.
fn question(input: &[Item]) -> String {
    let texts = input.iter().rev().filter(|item| item.is_message_of(Role::User)).filter_map(text);
    texts.map(|text| strip(&text).to_owned()).next().unwrap_or_default()
}

/// The text of a message: its string, or its text parts, a line each. `None` without such parts.
fn text(item: &Item) -> Option<String> {
    #[derive(Deserialize)]
    struct Part {
        text: Option<String>,
    }
    let parts = item.field::<Vec<Part>>("content");
    let lines = parts.map(|parts| parts.into_iter().filter_map(|part| part.text).collect());
    let lines = lines.filter(|lines: &Vec<String>| !lines.is_empty());
    lines.map(|lines| lines.join("\n")).or_else(|| item.field("content"))
}

/// The environment.
#[derive(Debug)]
pub struct EquivalenceJudge {
    judge: Judge,
    rules: Rules,
    question_regex: Regex,
    response_regex: Regex,
    extraction_failure: String,
    cpu: CpuPool,
}

impl Environment for EquivalenceJudge {
    const KIND: &'static str = "equivalence_llm_judge";
    const EVIDENCE: Evidence = Evidence::Transcript;
    type Config = Config;
    type Target = Target;
    type Session = ();

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let (inline, path) = (&config.judge_prompt_template, &config.judge_prompt_template_fpath);
        let template = settings::template(inline.as_ref(), path.as_deref(), PROMPT)?;
        let labels = settings::labels(&config.judge_equal_label, &config.judge_not_equal_label)?;
        let spec = JudgeSpec {
            model: &config.judge_model,
            params: &config.judge_responses_create_params,
            system_message: config.judge_system_message.as_deref().unwrap_or_default(),
            template,
            labels,
            no_label: config.judge_no_label,
            attempts: config.judge_attempts,
            at_once: config.judge_endpoint_max_concurrency,
            shown: Shown::ExchangeAndLabel,
        };
        Ok(Self {
            judge: Judge::new(spec, wiring)?,
            rules: Rules::new(&config)?,
            question_regex: config.question_extract_regex,
            response_regex: config.response_extract_regex,
            extraction_failure: config.msg_extraction_failure,
            cpu: wiring.cpu(),
        })
    }

    async fn open(&self, _: &Target) -> Result<(), EnvironmentError> {
        Ok(())
    }

    async fn verify(
        &self,
        (): (),
        target: &Target,
        response: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let mut hearing = self.judge.hearing();
        let answer = Answer::new(self.rules, target.expected_answer(), target.regex.is_some());
        let question = self.extract(target.question.clone(), &self.question_regex).await?;
        let whole = last_assistant_texts(response).join("\n");
        let whole = strip(&whole).to_owned();
        let (generated, whole) = if whole.is_empty() {
            (self.extraction_failure.clone(), self.extraction_failure.clone())
        } else {
            let own = answer.regex_counts().then(|| target.regex.clone());
            let regex = own.unwrap_or_else(|| self.response_regex.clone());
            let regex = regex.filter(|_| !answer.is_long());
            (self.extract(whole.clone(), &regex).await?, whole)
        };
        let inputs = Inputs {
            question: &question,
            expected_answer: target.expected_answer(),
            generated_answer: &generated,
        };
        let is_equal = self.judge.compare(&inputs, &mut hearing).await?;
        let reward = match answer.after_first(is_equal) {
            Next::Done(reward) => reward,
            Next::Swap { otherwise } => {
                let (expected_answer, generated_answer) = (&*generated, inputs.expected_answer);
                let swapped = Inputs { expected_answer, generated_answer, ..inputs };
                let is_equal = self.judge.compare(&swapped, &mut hearing).await?;
                if is_equal { Reward::ONE } else { otherwise }
            }
            Next::Rescue { reward } => {
                let rescued = Inputs { generated_answer: &whole, ..inputs };
                let is_equal = self.judge.compare(&rescued, &mut hearing).await?;
                if is_equal { reward } else { Reward::ZERO }
            }
        };
        let verdict = Verdict::new(reward).with("expected_answer", target.expected_answer());
        Ok(verdict.with(EVALUATIONS, &hearing))
    }

    fn target(row: &Row) -> Result<AnyTarget, TargetError> {
        row.read::<Target>()?.resolve(row).map(AnyTarget::new)
    }
}

impl EquivalenceJudge {
    /// What a regular expression cuts out of a text: the whole text, if it is not found.
    async fn extract(&self, text: String, regex: &Regex) -> Result<String, EnvironmentError> {
        let Some(regex) = regex.clone() else { return Ok(text) };
        let found = self.cpu.run(move || match last_value(&regex, &text) {
            Ok(Some(value)) => Ok(value.to_owned()),
            Ok(None) => Ok(text),
            Err(error) => Err(EnvironmentError::temporary(error)),
        });
        found.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_questions_are_templates() {
        for source in [PROMPT, include_str!("../prompts/shell_command.txt")] {
            let template = Template::try_from(source.to_owned()).unwrap();
            let inputs = Inputs { question: "q", expected_answer: "e", generated_answer: "g" };
            let filled = template.fill(&inputs);
            for expected in ["[[A=B]]", "[[A!=B]]", "\nq\n", "\ne\n", "\ng\n"] {
                assert_eq!(filled.matches(expected).count(), 1, "{expected}");
            }
        }
    }
}
