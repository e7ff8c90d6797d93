//! What a language needs to be able to do: start a program, and run it on one input after another.

mod cpp;
mod python;

use std::time::Duration;

use framework::environment::EnvironmentError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sandbox::{Clock, Execution, Exit, RequestLimits};

pub(super) use cpp::Cpp;
pub use cpp::CppSettings;
pub(super) use python::Python;

/// The languages that solutions may be written in.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LanguageName {
    /// Python 3, run by the sandbox's interpreter.
    #[default]
    Python,
    /// C++, compiled by `cpp.compiler`.
    Cpp,
}

impl LanguageName {
    /// Whether functions can be called in it, and not only programs run.
    pub(super) fn has_calls(self) -> bool {
        match self {
            Self::Python => true,
            Self::Cpp => false,
        }
    }
}

/// What a test may use of a processor's time, and in all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
}

impl Clocks {
    fn limits(self) -> RequestLimits {
        RequestLimits { wall: self.wall, cpu: self.cpu }
    }
}

/// A solution, and how it is run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program<'a> {
    pub(super) code: &'a str,
    /// The function to call; none for programs that read their input.
    pub(super) function: Option<&'a str>,
    /// What getting ready may take.
    pub(super) clocks: Clocks,
    /// What one test may take.
    pub(super) test: Clocks,
    /// From its start to the end of its last test.
    pub(super) total: Duration,
}

/// A language.
pub(super) trait Language {
    /// A program that is ready to be run.
    type Running: Running;

    /// Gets a program ready.
    ///
    /// # Errors
    /// Fails if the sandbox does; whatever is wrong with the program is no error.
    async fn start(&self, program: Program<'_>)
    -> Result<Started<Self::Running>, EnvironmentError>;
}

/// What became of a program that was to be got ready.
#[derive(Debug)]
pub(super) enum Started<R> {
    /// It is ready.
    Ready(R),
    /// It cannot be run, and this is why.
    Broken(String),
    /// Its process has ended.
    Gone,
}

/// A program that is ready. It knows of its inputs only what it has been given, and of the expected
/// outputs nothing.
pub(super) trait Running {
    /// Runs it on one input.
    ///
    /// # Errors
    /// Fails if the sandbox does.
    async fn run(&mut self, input: &str, clocks: Clocks) -> Result<Ran, EnvironmentError>;
}

/// What came of a run.
#[derive(Debug)]
pub(super) enum Ran {
    /// It ended well, and this came out.
    Output(Output),
    /// It ended badly.
    Raised { error: String, traceback: Option<String>, output: String },
    /// It was stopped for time.
    TimedOut,
    /// Its process ended in the middle.
    Gone,
}

/// What came out of a run.
#[derive(Debug)]
pub(super) struct Output {
    /// What it printed, or the JSON of what it returned.
    pub(super) text: String,
    /// What it returned, for people.
    pub(super) shown: Option<String>,
}

/// A program in the sandbox, behind a driver that answers each frame with a line of JSON and, after it,
/// what came out.
#[derive(Debug)]
pub(super) struct Driven(Execution);

/// What a driver is told first.
#[derive(Debug, Serialize)]
struct Opening<'a> {
    code: &'a str,
    mode: &'static str,
    name: Option<&'a str>,
    output_max: u64,
    compiler: &'a [String],
    /// Seconds of processor time that one run may take, for drivers that run other programs.
    cpu_secs: u64,
}

/// The line of JSON. All of it may be a lie of the program's, and so is as long as it pleases.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Head {
    error: Option<String>,
    traceback: Option<String>,
    shown: Option<String>,
    timed_out: bool,
}

/// The longest text of an error that goes into a record, in characters.
const ERROR_MAX: usize = 4000;

impl Driven {
    /// Gets a program ready.
    async fn start(
        mut execution: Execution,
        opening: &Opening<'_>,
        clocks: Clocks,
    ) -> Result<Started<Self>, EnvironmentError> {
        let frame = serde_json::to_vec(opening).expect("it is plain data");
        match execution.request(&frame, &clocks.limits()).await {
            Ok(answer) => Ok(match read(&answer) {
                Some((Head { error: Some(error), .. }, _)) => Started::Broken(bounded(error)),
                Some(_) => Started::Ready(Self(execution)),
                None => Started::Gone,
            }),
            Err(exit) => match Ending::of(exit)? {
                // As the reference has it: an exception that says nothing.
                Ending::TimedOut => Ok(Started::Broken(String::new())),
                Ending::OutputLimit | Ending::Gone => Ok(Started::Gone),
            },
        }
    }
}

impl Running for Driven {
    async fn run(&mut self, input: &str, clocks: Clocks) -> Result<Ran, EnvironmentError> {
        let answer = match self.0.request(input.as_bytes(), &clocks.limits()).await {
            Ok(answer) => answer,
            Err(exit) => {
                return Ok(match Ending::of(exit)? {
                    Ending::TimedOut => Ran::TimedOut,
                    Ending::Gone => Ran::Gone,
                    Ending::OutputLimit => Ran::Raised {
                        error: "more came out than `sandbox.output` allows".to_owned(),
                        traceback: None,
                        output: String::new(),
                    },
                });
            }
        };
        let Some((head, output)) = read(&answer) else { return Ok(Ran::Gone) };
        if head.timed_out {
            return Ok(Ran::TimedOut);
        }
        let text = String::from_utf8_lossy(output).into_owned();
        Ok(match head.error {
            Some(error) => Ran::Raised {
                error: bounded(error),
                traceback: head.traceback.map(bounded),
                output: text,
            },
            None => Ran::Output(Output { text, shown: head.shown }),
        })
    }
}

fn read(answer: &[u8]) -> Option<(Head, &[u8])> {
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    Some((serde_json::from_slice(&answer[..end]).ok()?, &answer[end + 1..]))
}

fn bounded(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(ERROR_MAX) {
        text.truncate(end);
    }
    text
}

/// How the process of a program ended, as far as the program itself is to blame.
enum Ending {
    TimedOut,
    OutputLimit,
    Gone,
}

impl Ending {
    /// Sorts the ends of a process.
    ///
    /// # Errors
    /// Fails if the sandbox is to blame: then nothing is known of the program.
    fn of(exit: Exit) -> Result<Self, EnvironmentError> {
        match exit {
            Exit::TimedOut(Clock::Wall | Clock::Cpu) => Ok(Self::TimedOut),
            Exit::OutputLimit => Ok(Self::OutputLimit),
            Exit::Exited { .. } | Exit::Signalled { .. } | Exit::OutOfMemory | Exit::Killed => {
                Ok(Self::Gone)
            }
            Exit::Unconfined { .. } => {
                Err(EnvironmentError::permanent(format_args!("the sandbox: {exit:?}")))
            }
            Exit::WorkerLost => Err(EnvironmentError::temporary("the sandbox's worker was lost")),
        }
    }
}
