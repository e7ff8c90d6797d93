//! `python_math_exec`: math problems, with a Python interpreter that keeps its state for a session.
//!
//! The model computes with the tool `execute_python` and answers in `\boxed{…}`, which is compared with
//! the expected result (NeMo Gym: `python_math_exec`, later `math_with_code`).
//!
//! Each session has an interpreter of its own from its first call on: a process in a
//! [sandbox](crate::sandbox), with no files but a small `/tmp`, no network and no other processes. The
//! tool answers `{"success","stdout","stderr","error_message","result"}`; `result` is the text of the
//! last statement's value, if that is an expression and no `print`. numpy, scipy, pandas and sympy are
//! there if `sandbox.python` has them, under those names and as `np` and `pd`; where one is missing, the
//! error says so.
//!
//! | What happens | The model reads | State |
//! |---|---|---|
//! | an exception | its text as `error_message`, and what was printed | stays |
//! | `sys.exit()` | a success, or the code given if that is not 0 | stays |
//! | longer than `max_execution_time` | `code timed-out` | stays, unless the code catches the interruption |
//! | the process dies: crash, `os._exit`, too much memory | how it ended | gone; the next call starts afresh |
//!
//! The answer is the last box that closes, in the last assistant message that has one; braces inside may
//! nest. How it is compared, by `settings.comparison`, or `comparison` in the row:
//!
//! | `comparison` | Equal if |
//! |---|---|
//! | `exact` (default) | the same text, trimmed |
//! | `numeric` | the same text without `\(…\)`, `$…$`, `\text{…}` around it and with single spaces, or numbers within 10⁻⁶ of each other, relative beyond 1; without a box in a message, one that the code printed counts |
//! | `math` | the same mathematical object by [`math::verify`](crate::math::verify), whatever the notation; printed boxes count too |
//!
//! # Differs from NeMo Gym
//!
//! - Code runs in a sandbox. There it runs with the server's rights, and without limits to memory, files
//!   and processes; a `sys.exit` breaks all later calls, and nobody ends an interpreter.
//! - One namespace: functions see each other and themselves. All builtins are there.
//! - Every statement runs once; there the last line runs twice. What decides about a `result` is the
//!   syntax of the last statement, not the letters that its last line begins with.
//! - What was printed before an exception is kept. Code cannot outlast its time by catching everything.
//! - A text is cut after `output_max` characters, and the cut is told.
//! - `\boxed{\frac{1}{2}}` is `\frac{1}{2}`, not `\frac{1`; of several boxes in a message the last one
//!   counts, not the first. Without an answer nothing is earned; there `None` was expected by some row.
//! - There is no `end_session`; a session ends with its rollout.

mod answer;

use std::time::Duration;

use framework::config::{ByteSize, TimeSpan};
use framework::environment::{
    Environment, EnvironmentError, Evidence, Reward, ToolError, Tools, Verdict, Workers,
};
use framework::responses::Response;
use framework::wiring::{BuildError, Wiring};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use crate::sandbox::{
    Clock, Execution, Exit, Limits, Pool, Profile, Programs, RequestLimits, Settings,
};
pub use answer::Comparison;

/// The environment's `settings:`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long one call may take. Default: 10 s.
    pub max_execution_time: TimeSpan,
    /// How answers are compared, unless a row says otherwise. Default: `exact`.
    pub comparison: Comparison,
    /// Characters of each text that the model reads of a call. Default: 65 536.
    pub output_max: ByteSize,
    /// Where code runs.
    pub sandbox: Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_execution_time: TimeSpan::from_secs(10),
            comparison: Comparison::default(),
            output_max: ByteSize::from_bytes(1 << 16),
            sandbox: Settings::default(),
        }
    }
}

/// What a row says beyond the prompt.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Target {
    /// The answer that earns 1.
    pub expected_result: String,
    /// Not used, there or here.
    #[serde(default)]
    pub expected_code_contains: String,
    /// How the answer is compared, instead of as the settings say.
    pub comparison: Option<Comparison>,
}

/// Executes Python code in an interpreter that keeps its variables from call to call. numpy, scipy,
/// pandas and sympy may be available. Use print() for what you want to see.
#[derive(Deserialize, JsonSchema)]
struct ExecutePython {
    /// The Python code to execute.
    code: String,
}

/// The environment.
#[derive(Debug)]
pub struct PythonMathExec {
    config: Config,
    pool: Pool,
}

/// One rollout's interpreter.
#[derive(Debug, Default)]
pub struct Interpreter(Option<Execution>);

/// How much longer a call may take than its code: past that the code has caught its interruption.
const GRACE: Duration = Duration::from_secs(1);
/// How long an interpreter lives at most; its session ends it before.
const SESSION_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What is run, and the limits of an interpreter.
fn profile() -> Profile {
    let limits = Limits { wall: SESSION_MAX, cpu: SESSION_MAX, ..Limits::default() };
    Profile {
        name: "python",
        driver: include_str!("python_math_exec/interpreter.py"),
        preload: &["numpy", "scipy", "pandas", "sympy"],
        programs: Programs::Denied,
        limits: Limits { output: u64::MAX, ..limits },
    }
}

impl Environment for PythonMathExec {
    const KIND: &'static str = "python_math_exec";
    const EVIDENCE: Evidence = Evidence::Transcript;
    type Config = Config;
    type Target = Target;
    type Session = Interpreter;

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        if config.max_execution_time.is_zero() {
            return Err(BuildError::new("`max_execution_time` must be more than 0"));
        }
        let pool = Pool::of(&config.sandbox, &profile(), wiring);
        Ok(Self { config, pool })
    }

    fn workers(config: &Config, workers: &mut Workers<'_>) {
        Pool::of(&config.sandbox, &profile(), workers.wiring()).supervise(workers);
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add("execute_python", execute_python);
    }

    async fn open(&self, _: &Target) -> Result<Interpreter, EnvironmentError> {
        Ok(Interpreter::default())
    }

    async fn verify(
        &self,
        _: Interpreter,
        target: &Target,
        response: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let comparison = target.comparison.unwrap_or(self.config.comparison);
        let answer = comparison.find(response);
        let expected = &target.expected_result;
        let is_right = answer.as_ref().is_some_and(|answer| comparison.is_equal(answer, expected));
        let verdict = Verdict::new(Reward::earned(is_right));
        Ok(verdict.with("extracted_answer", &answer).with("accuracy", &is_right))
    }
}

/// What a call answers, as the interpreter has written it or in its words.
#[derive(Serialize)]
#[serde(transparent)]
struct Answer(Box<RawValue>);

async fn execute_python(
    environment: &PythonMathExec,
    interpreter: &mut Interpreter,
    ExecutePython { code }: ExecutePython,
) -> Result<Answer, ToolError> {
    match environment.execute(interpreter, &code).await {
        Ok(answer) => Ok(Answer(answer)),
        // What the model would do without its interpreter says nothing about it: the rollout is made
        // again.
        Err(failure) => panic!("{failure}"),
    }
}

impl PythonMathExec {
    /// Runs a piece of code. Fails if the sandbox does, not if the code does.
    async fn execute(
        &self,
        interpreter: &mut Interpreter,
        code: &str,
    ) -> Result<Box<RawValue>, String> {
        let Config { max_execution_time, output_max, .. } = &self.config;
        let mut execution = match interpreter.0.take() {
            Some(execution) => execution,
            None => {
                let started = self.pool.execute(self.pool.limits().clone()).await;
                started.map_err(|error| format!("{error}; {}", error.hint()))?
            }
        };
        let seconds = max_execution_time.duration();
        let request = json!({
            "code": code, "seconds": seconds.as_secs_f64(), "output_max": output_max.bytes(),
        });
        let limits = RequestLimits { wall: seconds + GRACE, cpu: seconds + GRACE };
        let exit = match execution.request(request.to_string().as_bytes(), &limits).await {
            Ok(answer) => {
                if let Some(answer) = reprinted(&answer) {
                    interpreter.0 = Some(execution);
                    return Ok(answer);
                }
                // Foreign code shares the driver's process, and has said something in its place.
                execution.kill().await.exit
            }
            Err(exit) => exit,
        };
        let message = match exit {
            Exit::TimedOut(Clock::Wall | Clock::Cpu) => "code timed-out".to_owned(),
            Exit::OutOfMemory => "out of memory".to_owned(),
            Exit::OutputLimit => "too much output".to_owned(),
            Exit::Exited { code } => format!("the interpreter exited with code {code}"),
            Exit::Signalled { signal } => format!("the interpreter was ended by signal {signal}"),
            Exit::Killed => "the interpreter was ended".to_owned(),
            Exit::Unconfined { reason } => return Err(reason),
            Exit::WorkerLost => return Err("the sandbox's worker died".to_owned()),
        };
        let answer = Printed {
            success: false,
            error_message: Some(format!("{message}; its variables are gone")),
            ..Printed::default()
        };
        Ok(answer.print())
    }
}

/// An answer of the interpreter, checked and in the form that FastAPI gives it.
#[derive(Default, Deserialize, Serialize)]
struct Printed {
    success: bool,
    stdout: String,
    stderr: String,
    error_message: Option<String>,
    result: Option<String>,
}

impl Printed {
    fn print(&self) -> Box<RawValue> {
        serde_json::value::to_raw_value(self).expect("it is plain data")
    }
}

fn reprinted(answer: &[u8]) -> Option<Box<RawValue>> {
    serde_json::from_slice::<Printed>(answer).ok().map(|printed| printed.print())
}

#[cfg(test)]
mod tests;
