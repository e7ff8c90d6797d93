//! `instruction_following`: an answer obeys instructions that a program can check.
//!
//! Exercises writing under constraints: so many sentences, no commas, this keyword there (NeMo Gym:
//! `instruction_following`; the 54 instructions are those of IFEval and of open-instruct's training
//! set). There are no tools. The answer is the text of the last item of the output: the first part of
//! a message, nothing of anything else.
//!
//! | Setting | Values | Means |
//! |---|---|---|
//! | `grading` | `all` (default), `fraction` | 1 if all instructions are followed, or the share that is; a row's own `grading_mode` (`binary`, `fraction`) goes first |
//! | `checking` | `strict` (default), `loose` | the answer as it is, or also without asterisks, first line and last line, whichever helps |
//! | `blank_answers` | `fail` (default), `check` | an answer without text follows nothing, or is checked like any other |
//!
//! The verdict's extras:
//!
//! | Name | Type | Says |
//! |---|---|---|
//! | `follow_all_instructions` | bool | all instructions are followed |
//! | `follow_instruction_list` | list of bool | which are, in the row's order, as they are graded |
//! | `follow_instruction_list_strict` | list of bool | only if checking is loose: which are followed strictly |
//!
//! A row has its fields at the top or, as later versions of NeMo Gym have it, in `verifier_metadata`.
//! Keywords of a row are regular expressions of Python's (`search.rs`). Sentences are Punkt's where they
//! are counted (`punkt.rs`), and those of IFEval's own splitter where their words matter
//! (`sentences.rs`); tokens are NLTK's (`words.rs`). The language is langdetect's guess
//! (`language.rs`). `tests/differential/instruction_following.py` compares all of it with those libraries;
//! there are no disagreements but the following.
//!
//! # Differs from NeMo Gym
//!
//! - A row is malformed if it lacks a keyword or has a senseless one, where NeMo Gym draws one at
//!   random and so gives a random reward; if it has an unknown id, an unknown keyword, a relation that
//!   is none or an expression that does not compile, where NeMo Gym fails the instruction whatever the
//!   answer; if it has more ids than keyword sets or fewer, where NeMo Gym drops instructions; and if
//!   it has no instructions at all, where NeMo Gym gives 0 (later versions: 1).
//! - `n_start: 0` of `new:copy_span_idx` is the start of the prompt; NeMo Gym takes it for missing.
//! - An answer without text (none at all, a tool call, a refusal) follows no instruction; with NeMo Gym
//!   it earns whatever only forbids something. `blank_answers: check` has it as NeMo Gym does.
//! - A refusal, and a message whose content is plain text, are read; NeMo Gym answers 500.
//! - The language detector has a fixed seed; NeMo Gym's guess about a short text differs from run to
//!   run.
//! - Letters, spaces and words are those of Python's `re`, which NLTK used up to 3.9. NLTK 3.10 runs its
//!   expressions on another engine, for which combining marks are parts of words and fractions are not.
//!   Curly quotes close sentences as in NLTK 3.10.
//! - Whole numbers may be written as floats everywhere; NeMo Gym fails some instructions on them.
//! - JSON nested more than 990 deep is none; Python's limit is near that and depends on its stack.
//! - An expression with look-around or references that takes too many steps on an answer makes the
//!   verification fail, without a reward; NeMo Gym hangs.

mod arguments;
mod copying;
mod edges;
mod format;
mod instruction;
mod keywords;
mod language;
mod length;
mod letters;
mod punkt;
mod row;
mod search;
mod sentences;
mod text;
mod words;

use std::sync::Arc;

use framework::cpu::CpuPool;
use framework::environment::python::pattern::TooManySteps;
use framework::environment::{Environment, EnvironmentError, Evidence, Reward, Verdict};
use framework::responses::{Item, Response, Role};
use framework::wiring::{BuildError, Wiring};
use serde::Deserialize;

pub use row::Target;

/// The environment's `settings:`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How instructions become a reward, for rows that do not say.
    pub grading: Grading,
    /// How closely instructions must be followed.
    pub checking: Checking,
    /// What becomes of an answer without text.
    pub blank_answers: BlankAnswers,
}

/// How instructions become a reward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grading {
    /// 1 if all are followed, else 0.
    #[default]
    All,
    /// The share that is followed.
    Fraction,
}

/// How closely instructions must be followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checking {
    /// By the answer as it is.
    #[default]
    Strict,
    /// By the answer, or by what is left of it without asterisks, first line or last line.
    Loose,
}

/// What becomes of an answer without text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlankAnswers {
    /// It follows no instruction.
    #[default]
    Fail,
    /// It is checked like any other.
    Check,
}

/// The environment.
#[derive(Debug)]
pub struct InstructionFollowing {
    config: Config,
    cpu: CpuPool,
}

impl Environment for InstructionFollowing {
    const KIND: &'static str = "instruction_following";
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
        target: &Target,
        response: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let (config, target, answer) = (self.config, target.clone(), answer(response));
        let verdict = self.cpu.run(move || verdict(config, &target, &answer)).await;
        verdict.map_err(EnvironmentError::permanent)
    }
}

/// The text of the last item: of a message the first part, of anything else nothing.
fn answer(response: &Response) -> Arc<str> {
    #[derive(Deserialize)]
    struct Part {
        text: Option<String>,
    }
    let message = response.output.last().filter(|item| item.is_message_of(Role::Assistant));
    let parts = message.and_then(|item| item.field::<Vec<Part>>("content"));
    match parts {
        Some(parts) => parts.into_iter().next().and_then(|part| part.text).unwrap_or_default(),
        None => message.map(Item::text).unwrap_or_default(),
    }
    .into()
}

fn verdict(config: Config, target: &Target, answer: &str) -> Result<Verdict, TooManySteps> {
    let counts = config.blank_answers == BlankAnswers::Check || !text::trim(answer).is_empty();
    let strict = check(target, |instruction| Ok(counts && instruction.is_followed(answer)?))?;
    let followed = match config.checking {
        Checking::Strict => strict.clone(),
        Checking::Loose => check(target, |instruction| instruction.is_followed_loosely(answer))?,
    };
    let all = followed.iter().all(|followed| *followed);
    let reward = match target.grading.unwrap_or(config.grading) {
        Grading::All => Reward::earned(all),
        Grading::Fraction => share(&followed),
    };
    let verdict = Verdict::new(reward)
        .with("follow_all_instructions", &all)
        .with("follow_instruction_list", &followed);
    Ok(match config.checking {
        Checking::Strict => verdict,
        Checking::Loose => verdict.with("follow_instruction_list_strict", &strict),
    })
}

fn check(
    target: &Target,
    follows: impl Fn(&instruction::Instruction) -> Result<bool, TooManySteps>,
) -> Result<Vec<bool>, TooManySteps> {
    target.instructions.iter().map(follows).collect()
}

/// The share of what is followed. A row has instructions, so it is a number.
fn share(followed: &[bool]) -> Reward {
    let count = followed.iter().filter(|followed| **followed).count();
    Reward::new(count as f64 / followed.len() as f64).expect("a row has at least one instruction")
}

#[cfg(test)]
#[path = "instruction_following/tests.rs"]
mod tests;
