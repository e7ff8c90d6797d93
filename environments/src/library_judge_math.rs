//! `library_judge_math`: answers to mathematical problems, compared with the expected ones by
//! [`math`] and then, if that finds them different, by a judge model.
//!
//! (NeMo Gym: `library_judge_math`, later `math_with_judge`.) What the model said is put together, the
//! answer is found in it and compared with `expected_answer`, which is LaTeX, with or without delimiters.
//!
//! | The library says | With the judge | Reward |
//! |---|---|---|
//! | equal | it is not asked | 1 |
//! | different, or undecided | off (`should_use_judge: false`) | 0 |
//! | different, or undecided | says that the answers differ | 0 |
//! | different, or undecided | says that they are equivalent, and with the answers exchanged that they differ | 0 |
//! | different, or undecided | says twice that they are equivalent | 1 |
//! | | fails, refuses, or says no label | none: the rollout fails, by its verifier |
//!
//! The verdict's extras:
//!
//! | Name | Type | Says |
//! |---|---|---|
//! | `expected_answer` | text | what was compared with |
//! | `extracted_answer` | text or null | the answer that was found, as SymPy prints it |
//! | `library_reward` | number | 1 if the library finds the answers equal, else 0 |
//! | `judge_evaluations` | list or null | every exchange with the judge, if it was asked: `responses_create_params`, `response` |
//! | `library_undecided` | text | only where the library does not know: why |
//!
//! The record of a rollout that could not be judged has `judge_evaluations` as well.
//!
//! # Differs from NeMo Gym
//!
//! How answers are found and compared, and where that differs from Math-Verify, is said in
//! [`math`]. Beyond that:
//!
//! - Verification takes bounded work instead of up to five seconds at a time, and does not block other
//!   rollouts meanwhile: long texts are searched on the pool for CPU work. What takes too many steps to
//!   decide is not equal, as what takes too long is there; `library_undecided` says so.
//! - A judge that cannot be asked, refuses or says no label is asked `judge_attempts` times; then the
//!   verification fails and there is no reward (there: 0 without a label, 500 on errors).
//!   `judge_no_label: not_equal` brings its 0 back.
//! - Which model judges is said in `judge_model`, and only needs to be said if it is to judge.
//! - `judge_compares: extracted_answer` and `strip_delimiters: true` are what it does in later versions.
//! - A row without an expected answer, or with one in which nothing can be read, is malformed: no answer
//!   could earn anything. There it is scored 0.
//! - `strict: true` compares by the rules of mathematics where the library has others.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use framework::cpu::CpuPool;
use framework::environment::python::text::strip;
use framework::environment::{Environment, EnvironmentError, Evidence, Reward, Tools, Verdict};
use framework::responses::{CreateParams, Response};
use framework::task::{Row, Target as AnyTarget, TargetError};
use framework::wiring::{BuildError, Wiring};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::judge::{
    EVALUATIONS, Hearing, Inputs, Judge, JudgeSpec, NoLabel, Shown, Template, settings,
};
use crate::math;
use crate::transcript::assistant_texts;

/// Longer texts are searched on the pool for CPU work, in bytes.
const INLINE_MAX: usize = 4096;
const SYSTEM_MESSAGE: &str = include_str!("../prompts/math_judge.txt");
const PROMPT: &str = include_str!("../prompts/math_answers.txt");

/// The environment's `settings:`; names that NeMo Gym has are NeMo Gym's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether answers that the library finds different are judged. Default: yes.
    #[serde(default = "yes")]
    pub should_use_judge: bool,
    /// The judge: a name of `models`. Needed only if there is to be judging.
    #[serde(default)]
    pub judge_model: Option<String>,
    /// What the judge is asked with, such as `temperature`. Default: nothing.
    #[serde(default = "settings::no_params", deserialize_with = "settings::read_params")]
    pub judge_responses_create_params: CreateParams,
    /// The system message to the judge. Default: the file `environments/prompts/math_judge.txt`, built in.
    #[serde(default)]
    pub judge_system_message: Option<String>,
    /// The question to the judge, with `{question}`, `{expected_answer}` and `{generated_answer}`, of
    /// which the last two are exchanged when it is asked again. Default: the file below.
    #[serde(default)]
    pub judge_prompt_template: Option<Template>,
    /// A file with the question. Default: `environments/prompts/math_answers.txt`, built in.
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
    /// What the judge compares with the expected answer. Default: `generated_text`.
    #[serde(default)]
    pub judge_compares: Compared,
    /// Whether `\(…\)` or `$…$` around the expected answer is taken off before the library sees it, as
    /// in NeMo Gym's later versions. Default: no; the library reads it either way.
    #[serde(default)]
    pub strip_delimiters: bool,
    /// Whether the library does what is right in mathematics where Math-Verify does not. Default: no.
    #[serde(default)]
    pub strict: bool,
}

/// What a judge compares with the expected answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// All that the model said.
    #[default]
    GeneratedText,
    /// The answer that the library found, if it found one; else all that the model said.
    ExtractedAnswer,
}

fn yes() -> bool {
    true
}

/// What a row says beyond the prompt.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Target {
    /// The problem, as the judge is to see it.
    pub question: String,
    /// The right answer: LaTeX, with or without delimiters.
    pub expected_answer: String,
}

/// The environment.
#[derive(Debug)]
pub struct LibraryJudgeMath {
    judge: Option<Judge>,
    compared: Compared,
    strip_delimiters: bool,
    options: math::Options,
    cpu: CpuPool,
}

impl Environment for LibraryJudgeMath {
    const KIND: &'static str = "library_judge_math";
    const EVIDENCE: Evidence = Evidence::Transcript;
    type Config = Config;
    type Target = Target;
    type Session = ();

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        Ok(Self {
            judge: if config.should_use_judge { Some(judge(&config, wiring)?) } else { None },
            compared: config.judge_compares,
            strip_delimiters: config.strip_delimiters,
            options: math::Options { strict: config.strict },
            cpu: wiring.cpu(),
        })
    }

    fn tools(_: &mut Tools<Self>) {}

    async fn open(&self, _: &Target) -> Result<(), EnvironmentError> {
        Ok(())
    }

    async fn verify(
        &self,
        (): (),
        target: &Target,
        response: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let generated = assistant_texts(response).concat();
        let mut hearing = self.judge.as_ref().map(Judge::hearing);
        let library = self.compare(&target.expected_answer, &generated).await;
        let extracted = library.extracted_answer();
        let mut is_right = library.equal;
        let court = self.judge.as_ref().zip(hearing.as_mut()).filter(|_| !library.equal);
        let is_judged = court.is_some();
        if let Some((judge, hearing)) = court {
            let extracted =
                extracted.as_deref().filter(|_| self.compared == Compared::ExtractedAnswer);
            let generated = extracted.unwrap_or(&generated);
            is_right = are_equivalent(judge, target, generated, hearing).await?;
        }
        let verdict = Verdict::new(Reward::earned(is_right))
            .with("expected_answer", &target.expected_answer)
            .with("extracted_answer", &extracted)
            .with("library_reward", &Reward::earned(library.equal).get())
            .with(EVALUATIONS, &hearing.filter(|_| is_judged));
        Ok(match library.undecided {
            Some(reason) => verdict.with("library_undecided", &reason.to_string()),
            None => verdict,
        })
    }

    fn target(row: &Row) -> Result<AnyTarget, TargetError> {
        let target: Target = row.read()?;
        if strip(&target.expected_answer).is_empty() {
            return Err(TargetError::new(
                "`expected_answer` is empty: there is nothing to compare answers with",
            ));
        }
        if math::verify(&target.expected_answer, "").golds.is_empty() {
            let shown: String = target.expected_answer.chars().take(100).collect();
            return Err(TargetError::new(format!(
                "`expected_answer`: nothing can be read in `{shown}`, so no answer could be right"
            )));
        }
        Ok(AnyTarget::new(target))
    }
}

fn judge(config: &Config, wiring: &Wiring) -> Result<Judge, BuildError> {
    let model = config.judge_model.as_deref().ok_or_else(|| {
        BuildError::new(
            "`settings.judge_model` is missing: name the model that judges, or set \
             `settings.should_use_judge: false`",
        )
    })?;
    let (inline, path) = (&config.judge_prompt_template, &config.judge_prompt_template_fpath);
    let spec = JudgeSpec {
        model,
        params: &config.judge_responses_create_params,
        system_message: config.judge_system_message.as_deref().unwrap_or(strip(SYSTEM_MESSAGE)),
        template: settings::template(inline.as_ref(), path.as_deref(), PROMPT)?,
        labels: settings::labels(&config.judge_equal_label, &config.judge_not_equal_label)?,
        no_label: config.judge_no_label,
        attempts: config.judge_attempts,
        at_once: config.judge_endpoint_max_concurrency,
        shown: Shown::Exchange,
    };
    Judge::new(spec, wiring)
}

/// Asks the judge in both orders.
async fn are_equivalent(
    judge: &Judge,
    target: &Target,
    generated: &str,
    hearing: &mut Hearing,
) -> Result<bool, EnvironmentError> {
    let (question, expected) = (&*target.question, &*target.expected_answer);
    for (expected_answer, generated_answer) in [(expected, generated), (generated, expected)] {
        let inputs = Inputs { question, expected_answer, generated_answer };
        if !judge.compare(&inputs, hearing).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl LibraryJudgeMath {
    async fn compare(&self, expected: &str, generated: &str) -> math::Verdict {
        let gold = if self.strip_delimiters { stripped(expected) } else { expected };
        if generated.len() + gold.len() <= INLINE_MAX {
            return math::verify_with(gold, generated, self.options);
        }
        let (gold, generated, options) = (gold.to_owned(), generated.to_owned(), self.options);
        self.cpu.run(move || math::verify_with(&gold, &generated, options)).await
    }
}

/// What stands between `\(` and `\)`, or between dollars, if they are around all of a text.
fn stripped(expected: &str) -> &str {
    let bare = strip(expected);
    let inside = |open, close| bare.strip_prefix(open).and_then(|text| text.strip_suffix(close));
    let inside = inside("\\(", "\\)").or_else(|| inside("$", "$")).map(strip);
    inside.filter(|inside| !inside.is_empty()).unwrap_or(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_question_is_a_template_and_the_system_message_names_both_labels_once() {
        let template = settings::template(None, None, PROMPT).unwrap();
        let inputs = Inputs { question: "q", expected_answer: "e", generated_answer: "g" };
        let filled = template.fill(&inputs);
        assert_eq!(
            filled,
            "<|Problem|>\nq\n\n<|Start of Assistant A's Answer|>\ne\n<|End of Assistant A's Answer|>\n\n\
             <|Start of Assistant B's Answer|>\ng\n<|End of Assistant B's Answer|>"
        );
        for label in ["[[A=B]] if", "[[A!=B]] if"] {
            assert_eq!(SYSTEM_MESSAGE.matches(label).count(), 1);
        }
    }

    #[test]
    fn delimiters_are_taken_off_in_pairs() {
        for (given, expected) in [
            (r"\(\frac{1}{2}\)", r"\frac{1}{2}"),
            ("$x$", "x"),
            (" $ x $ ", "x"),
            ("$x", "$x"),
            (r"\(x$", r"\(x$"),
            ("x", "x"),
            ("$", "$"),
        ] {
            assert_eq!(stripped(given), expected, "{given}");
        }
    }
}
