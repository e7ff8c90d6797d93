//! `comp_coding`: programs that a model wrote, run against unit tests; all of them have to pass.
//!
//! Serves competitive programming (NeMo Gym: `comp_coding`, later `code_gen`, with LiveCodeBench's
//! executor). The program is what stands between the last two fences of the model's answer. It runs in
//! the [sandbox](crate::sandbox), which gets one input after another and never an expected output; what
//! it prints or returns is judged outside.
//!
//! | The tests have | The program | An output is right if |
//! |---|---|---|
//! | no `fn_name` | reads each input and prints | its lines are equal as text, or consist of equal decimal numbers |
//! | a `fn_name` | has a function, or a method of its `class Solution`, that is called | the value is equal by Python's `==` |
//!
//! Tests run in their order, and the first that fails ends it. The environment's `verify_timeout` has to
//! leave room for all of them, and for waiting for a processor: a verification that it cuts off is tried
//! again, and never a reward. The verdict's extras:
//!
//! | Name | Type | Says |
//! |---|---|---|
//! | `extracted_model_output` | text or null | all that the model said; null if that is nothing |
//! | `extracted_model_code` | text or null | the program; null if there is none |
//! | `result` | list or null | one code a test: see below |
//! | `metadata` | object or null | `execution time` in seconds if all passed; else about the test that failed: `output`, `inputs`, `expected`, `error`, `traceback`, `error_code`, `error_message`, each text cut to 300 characters |
//! | `unit_tests_time_taken` | float or null | seconds, with waiting for a place |
//! | `difficulty` | any | what the row says of it, if it does |
//! | `reasoning_format_violation_rate` | float | 1 if the answer breaks the rules of `reasoning_format_penalty`, where that is set |
//!
//! | Code | Says | `metadata` |
//! |---|---|---|
//! | true | passed | |
//! | false | the function returned something else | -2, `Wrong Answer` |
//! | -1, for every test | the process ended in the middle: it was killed, crashed, took all memory, or a function called `exit()` | null |
//! | -2 | the program printed something else | `Wrong answer: mismatched output length` or `Wrong answer at output_line_idx=…` |
//! | -3 | it took too long | `Time Limit Exceeded` |
//! | -4 | it failed | `Runtime Error` |
//! | -4, alone | it cannot be run at all | `Error during testing: …` |
//!
//! # Differs from NeMo Gym
//!
//! A program in Python passes if it does when it is run by `python3 program.py` for each input, where
//! the names of NeMo Gym's prelude are there as well, and it may `return` at its top level. NeMo Gym
//! also fails right programs that its stand-in for standard input does not serve, or that the function
//! which it wraps them in breaks; here these pass:
//!
//! - iterating `sys.stdin`, `sys.stdin.buffer` in all its parts, `open(0)`, `os.read(0, …)`,
//!   `sys.stdout.buffer`, `os.write(1, …)`; `read()` and `readlines()` begin where reading has got to,
//!   lines keep their ends, `from sys import stdin` makes no difference, and `\r\n` is read as `\n`;
//! - `global` for a variable of the top level, `eval`, `exec` and `globals()` that look for one,
//!   `from __future__` imports, a `class Solution` in a program that reads its input, a main guard that
//!   is not the last statement (`__name__` is `__main__`), `quit()`, functions registered with `atexit`;
//! - modules that it makes unimportable, such as `resource`.
//!
//! Programs are kept inside by the sandbox instead of by removing functions from their modules: they can
//! start no process and reach no network, and see no file but the interpreter's. The tests of a program
//! share a process, whose modules keep their state, as there; here a program cannot read expected
//! outputs from its caller's frames, nor catch its timeout. `unit_test_timeout_secs` is processor time,
//! and three times as much in all, so that a busy machine fails nobody. Three limits are new: 4 GiB of
//! address space, `sandbox.output` for what is printed, and one process.
//!
//! Malformed are rows without a test (there: reward 1), with unequal numbers of inputs and outputs, or
//! with JSON in a test of a function that is none (there: -4); an empty line in it is no argument. A
//! sandbox that fails is an error of the verifier, never a reward. `num_processes` is over all shards.
//! Lines in `error_message` are cut like the other texts. `language: cpp`, for the environment or in a
//! row's `verifier_metadata`, is new, as are C++ solutions, of which each test is a process.
//!
//! Later versions' options are off unless they are set: `call_comparison: tolerant`, and
//! `reasoning_format_penalty` (there 0, which takes the reward of answers with `<think>` in them).

mod comparison;
mod decimal;
mod extraction;
mod grading;
mod language;
mod unit_tests;
mod values;

use std::cell::OnceCell;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use framework::cpu::CpuPool;
use framework::environment::{
    Environment, EnvironmentError, Evidence, Reward, Tools, Verdict, Workers,
};
use framework::responses::{ItemKind, Response};
use framework::task::{Row, Target as AnyTarget, TargetError};
use framework::wiring::{BuildError, Wiring};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::sandbox::Settings as SandboxSettings;
use crate::transcript::assistant_texts;
use grading::{Deadlines, Grade, Grader};
use language::{Clocks, Cpp, Python};

pub use language::{CppSettings, LanguageName};
pub use unit_tests::{Metadata, Target, UnitTests};
pub use values::CallComparison;

/// The environment's `settings:`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Solutions that run at once, over all shards. Default: one for each processor.
    pub num_processes: Option<NonZeroUsize>,
    /// Seconds of processor time that a test may take; three times as much in all.
    pub unit_test_timeout_secs: NonZeroU32,
    /// NeMo Gym's, and without effect: logging is configured for the whole process.
    pub debug: bool,
    /// The language of solutions whose rows do not say.
    pub language: LanguageName,
    /// The compiler of C++.
    pub cpp: CppSettings,
    /// How what functions return is compared.
    pub call_comparison: CallComparison,
    /// The reward of answers with `<think>` tags, or of whose reasoning has more than one. Default: as
    /// of any other.
    pub reasoning_format_penalty: Option<f64>,
    /// The sandbox.
    pub sandbox: SandboxSettings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            num_processes: None,
            unit_test_timeout_secs: NonZeroU32::new(10).expect("it is not 0"),
            debug: false,
            language: LanguageName::default(),
            cpp: CppSettings::default(),
            call_comparison: CallComparison::default(),
            reasoning_format_penalty: None,
            sandbox: SandboxSettings::default(),
        }
    }
}

/// A test may wait for its processor for so long, as a multiple of the time that it may have it.
const WALL_PER_CPU: u32 = 3;

/// The environment.
pub struct CompCoding {
    config: Config,
    penalty: Option<Reward>,
    permits: Arc<Semaphore>,
    cpu: CpuPool,
    python: Python,
    /// Started when the first solution needs it.
    cpp: OnceCell<Cpp>,
    wiring: Wiring,
}

impl Environment for CompCoding {
    const KIND: &'static str = "comp_coding";
    const EVIDENCE: Evidence = Evidence::Transcript;
    type Config = Config;
    type Target = Target;
    type Session = ();

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let penalty = config.reasoning_format_penalty.map(Reward::new).transpose();
        let penalty = penalty.map_err(|error| {
            BuildError::new(format_args!("`reasoning_format_penalty`: {error}"))
        })?;
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let permits = wiring.permits(config.num_processes.unwrap_or_else(cores));
        let (wiring, cpp) = (wiring.clone(), OnceCell::new());
        let python = Python::new(&config.sandbox, &wiring);
        let environment = Self { config, penalty, permits, cpu: wiring.cpu(), python, cpp, wiring };
        if environment.config.language == LanguageName::Cpp {
            environment.cpp()?;
        }
        Ok(environment)
    }

    fn workers(config: &Config, workers: &mut Workers<'_>) {
        let wiring = workers.wiring().clone();
        Python::new(&config.sandbox, &wiring).pool().supervise(workers);
        if config.language == LanguageName::Cpp {
            Cpp::pool(&config.sandbox, &wiring).supervise(workers);
        }
    }

    fn tools(_: &mut Tools<Self>) {}

    fn target(row: &Row) -> Result<AnyTarget, TargetError> {
        Target::read(row).map(AnyTarget::new)
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
        let said = assistant_texts(response).concat();
        let (mut graded, mut seconds) = (None, None);
        let code = extraction::code(&said);
        if let Some(code) = &code {
            let started = Instant::now();
            graded = Some(self.grade(target, code).await?);
            seconds = Some(started.elapsed().as_secs_f64());
        }
        let earned = graded.as_ref().is_some_and(Grade::is_passed);
        let said_something = Some(&said).filter(|said| !said.trim().is_empty());
        let metadata = &target.verifier_metadata;
        let mut verdict = Verdict::new(Reward::earned(earned))
            .with("extracted_model_output", &said_something)
            .with("extracted_model_code", &code)
            .with("result", &graded.as_ref().map(|grade| &grade.codes))
            .with("metadata", &graded.as_ref().and_then(|grade| grade.metadata.as_ref()))
            .with("unit_tests_time_taken", &seconds);
        if let Some(difficulty) = &metadata.difficulty {
            verdict = verdict.with("difficulty", difficulty);
        }
        Ok(self.penalised(verdict, &said, response))
    }
}

impl CompCoding {
    async fn grade(&self, target: &Target, code: &str) -> Result<Grade, EnvironmentError> {
        let _permit = self.permits.acquire().await.expect("nobody closes the semaphore");
        let exam = &target.exam;
        let cpu = Duration::from_secs(self.config.unit_test_timeout_secs.get().into());
        let test = Clocks { cpu, wall: cpu * WALL_PER_CPU };
        let tests = u32::try_from(exam.len()).unwrap_or(u32::MAX);
        let total = (test.wall + Duration::from_secs(1)).saturating_mul(tests);
        let total = total.saturating_add(Duration::from_secs(5));
        let grader = Grader {
            exam,
            deadlines: Deadlines { test, total },
            comparison: self.config.call_comparison,
            cpu: &self.cpu,
        };
        match target.verifier_metadata.language.unwrap_or(self.config.language) {
            LanguageName::Python => grader.grade(&self.python, code).await,
            LanguageName::Cpp => {
                let cpp = self.cpp().map_err(EnvironmentError::permanent)?;
                grader.grade(cpp, code).await
            }
        }
    }

    fn cpp(&self) -> Result<&Cpp, BuildError> {
        if let Some(cpp) = self.cpp.get() {
            return Ok(cpp);
        }
        let cpp = Cpp::new(&self.config.cpp, &self.config.sandbox, &self.wiring)?;
        Ok(self.cpp.get_or_init(|| cpp))
    }

    /// The verdict, unless the answer thinks aloud where that costs something.
    fn penalised(&self, mut verdict: Verdict, said: &str, response: &Response) -> Verdict {
        let Some(penalty) = self.penalty else { return verdict };
        let breaks = extraction::breaks_reasoning_format(said, &reasoning(response));
        if breaks {
            verdict.reward = penalty;
        }
        verdict.with("reasoning_format_violation_rate", &f64::from(u8::from(breaks)))
    }
}

/// All that the model has thought, as far as it is told.
fn reasoning(response: &Response) -> String {
    #[derive(Deserialize)]
    struct Part {
        text: Option<String>,
    }
    let items = response.output.iter().filter(|item| *item.kind() == ItemKind::Reasoning);
    let parts =
        items.flat_map(|item| ["summary", "content"].map(|name| item.field::<Vec<Part>>(name)));
    parts.flatten().flatten().filter_map(|part| part.text).collect()
}

#[cfg(test)]
mod tests;
