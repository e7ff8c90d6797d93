//! Grading: one test after the other, up to the first that fails, and what is told about it.
//!
//! The program gets an input and answers; whether the answer is right is found out here.

use std::time::Duration;

use framework::cpu::CpuPool;
use framework::environment::EnvironmentError;
use framework::environment::python::{Json, text_of};
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::comparison::{Mismatch, compare};
use super::language::{Clocks, Language, Output, Program, Ran, Running, Started};
use super::unit_tests::{CallTest, Exam, StdinTest};
use super::values::{CallComparison, Value};

/// What a test came to, as records write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// `true`.
    Passed,
    /// `false`: a function returned something else.
    WrongValue,
    /// -1: the process ended in the middle.
    Gone,
    /// -2: a program printed something else.
    WrongAnswer,
    /// -3: it took too long.
    TimeLimit,
    /// -4: it failed, or cannot be run at all.
    Failed,
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Passed => serializer.serialize_bool(true),
            Self::WrongValue => serializer.serialize_bool(false),
            Self::Gone => serializer.serialize_i32(-1),
            Self::WrongAnswer => serializer.serialize_i32(-2),
            Self::TimeLimit => serializer.serialize_i32(-3),
            Self::Failed => serializer.serialize_i32(-4),
        }
    }
}

/// What a solution came to.
#[derive(Debug)]
pub(super) struct Grade {
    /// The tests, up to the first that failed.
    pub(super) codes: Vec<Code>,
    /// What is told about the last of them; nothing if the process ended in the middle.
    pub(super) metadata: Option<Metadata>,
}

impl Grade {
    /// Whether every test was passed. There is at least one.
    pub(super) fn is_passed(&self) -> bool {
        self.codes.iter().all(|code| *code == Code::Passed)
    }

    /// The process ended in the middle: whatever it had answered counts for nothing.
    fn gone(tests: usize) -> Self {
        Self { codes: vec![Code::Gone; tests], metadata: None }
    }

    /// It cannot be run.
    fn broken(text: &str) -> Self {
        let metadata = Failure {
            error_code: Some(-4),
            error_message: Some(format!("Error during testing: {text}")),
            ..Failure::default()
        };
        Self { codes: vec![Code::Failed], metadata: Some(Metadata::Failure(Box::new(metadata))) }
    }
}

/// What is told about a solution.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Metadata {
    Passed(Passed),
    Failure(Box<Failure>),
}

/// About one that passed.
#[derive(Debug, Serialize)]
pub(super) struct Passed {
    #[serde(rename = "execution time")]
    execution_time: f64,
}

/// About one that did not.
#[derive(Debug, Default, Serialize)]
pub(super) struct Failure {
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceback: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

/// A test that failed.
struct Failed {
    code: Code,
    metadata: Failure,
}

/// Either a test passed, or this is what it came to.
enum Tested {
    Passed,
    Failed(Box<Failed>),
    Gone,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// One test, and getting the program ready.
    pub(super) test: Clocks,
    /// All of it.
    pub(super) total: Duration,
}

/// Grades solutions.
#[derive(Debug)]
pub(super) struct Grader<'a> {
    pub(super) exam: &'a Exam,
    pub(super) deadlines: Deadlines,
    pub(super) comparison: CallComparison,
    /// For comparisons that take long.
    pub(super) cpu: &'a CpuPool,
}

/// Outputs and expectations longer than this are not compared on the shard.
const COMPARED_AT_ONCE: usize = 64 << 10;

impl Grader<'_> {
    /// Grades a solution.
    ///
    /// # Errors
    /// Fails if the sandbox does.
    pub(super) async fn grade<L: Language>(
        &self,
        language: &L,
        code: &str,
    ) -> Result<Grade, EnvironmentError> {
        let function = match self.exam {
            Exam::Stdin(_) => None,
            Exam::Calls { name, .. } => Some(name.as_str()),
        };
        let Deadlines { test, total } = self.deadlines;
        let program = Program { code, function, clocks: test, test, total };
        let mut running = match language.start(program).await? {
            Started::Ready(running) => running,
            Started::Broken(text) => return Ok(Grade::broken(&text)),
            Started::Gone => return Ok(Grade::gone(self.exam.len())),
        };
        self.run(&mut running).await
    }

    async fn run(&self, running: &mut impl Running) -> Result<Grade, EnvironmentError> {
        let mut codes = Vec::new();
        let mut took = Duration::ZERO;
        let end = Instant::now() + self.deadlines.total;
        for index in 0..self.exam.len() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Grade::gone(self.exam.len()));
            }
            let started = Instant::now();
            let Clocks { cpu, wall } = self.deadlines.test;
            let clocks = Clocks { cpu, wall: wall.min(left) };
            let tested = self.test(running, index, clocks).await?;
            took += started.elapsed();
            match tested {
                Tested::Passed => codes.push(Code::Passed),
                Tested::Failed(failed) => {
                    let Failed { code, metadata } = *failed;
                    // Where nothing can be compared, the reference gives up on all of it.
                    if metadata.inputs.is_none() {
                        codes.clear();
                    }
                    codes.push(code);
                    let metadata = Some(Metadata::Failure(Box::new(metadata)));
                    return Ok(Grade { codes, metadata });
                }
                Tested::Gone => return Ok(Grade::gone(self.exam.len())),
            }
        }
        let execution_time = took.as_secs_f64();
        Ok(Grade { codes, metadata: Some(Metadata::Passed(Passed { execution_time })) })
    }

    async fn test(
        &self,
        running: &mut impl Running,
        index: usize,
        clocks: Clocks,
    ) -> Result<Tested, EnvironmentError> {
        let (input, described) = match self.exam {
            Exam::Stdin(tests) => (&tests[index].input, described_text(&tests[index])),
            Exam::Calls { tests, .. } => (&tests[index].input, described_call(&tests[index])),
        };
        let failed = |code, metadata| Tested::Failed(Box::new(Failed { code, metadata }));
        Ok(match running.run(input, clocks).await? {
            Ran::Output(output) => match self.exam {
                Exam::Stdin(tests) => self.judge_text(&tests[index], output).await,
                Exam::Calls { tests, .. } => self.judge_value(&tests[index], &output),
            },
            Ran::Raised { error, traceback, output } => {
                let metadata = Failure {
                    output: Some(cut(&output)),
                    error: Some(error),
                    traceback,
                    error_code: Some(-4),
                    error_message: Some("Runtime Error".to_owned()),
                    ..described
                };
                failed(Code::Failed, metadata)
            }
            Ran::TimedOut => {
                let metadata = Failure {
                    error: Some("TimeoutException()".to_owned()),
                    error_code: Some(-3),
                    error_message: Some("Time Limit Exceeded".to_owned()),
                    ..described
                };
                failed(Code::TimeLimit, metadata)
            }
            Ran::Gone => Tested::Gone,
        })
    }

    async fn judge_text(&self, test: &StdinTest, output: Output) -> Tested {
        let printed = output.text;
        let is_long = printed.len() + test.expected.len() > COMPARED_AT_ONCE;
        let (printed, compared) = if is_long {
            let expected = test.expected.clone();
            let compare = move || {
                let compared = compare(&printed, &expected);
                (printed, compared)
            };
            self.cpu.run(compare).await
        } else {
            let compared = compare(&printed, &test.expected);
            (printed, compared)
        };
        let message = match compared {
            Ok(()) => return Tested::Passed,
            Err(Mismatch::LineCount) => "Wrong answer: mismatched output length".to_owned(),
            Err(Mismatch::Line { index, printed, expected }) => {
                let (printed, expected) = (cut(&printed), cut(&expected));
                format!("Wrong answer at output_line_idx={index}: {printed} != {expected}")
            }
            Err(Mismatch::Undecided) => {
                let grade = Failure {
                    error_code: Some(-4),
                    error_message: Some(
                        "Error during testing: [<class 'decimal.InvalidOperation'>]".to_owned(),
                    ),
                    ..Failure::default()
                };
                return Tested::Failed(Box::new(Failed { code: Code::Failed, metadata: grade }));
            }
        };
        let metadata = Failure {
            output: Some(cut(&printed)),
            error_code: Some(-2),
            error_message: Some(message),
            ..described_text(test)
        };
        Tested::Failed(Box::new(Failed { code: Code::WrongAnswer, metadata }))
    }

    fn judge_value(&self, test: &CallTest, output: &Output) -> Tested {
        let value = Value::parse(&output.text);
        if value.is_some_and(|value| value.is(&test.expected, self.comparison)) {
            return Tested::Passed;
        }
        let metadata = Failure {
            output: Some(cut(output.shown.as_deref().unwrap_or_default())),
            error_code: Some(-2),
            error_message: Some("Wrong Answer".to_owned()),
            ..described_call(test)
        };
        Tested::Failed(Box::new(Failed { code: Code::WrongValue, metadata }))
    }
}

/// A test as records show it.
fn described_text(test: &StdinTest) -> Failure {
    let (inputs, expected) = (Some(cut(&test.input)), Some(cut(&test.expected)));
    Failure { inputs, expected, ..Failure::default() }
}

fn described_call(test: &CallTest) -> Failure {
    let arguments = text_of(&Json::Array(test.arguments.clone()));
    let (inputs, expected) = (Some(cut(&arguments)), Some(cut(&text_of(&test.expected))));
    Failure { inputs, expected, ..Failure::default() }
}

/// The longest text that stands in a record whole, in characters.
const SHOWN_MAX: usize = 300;

/// The text, or its beginning and its end.
fn cut(text: &str) -> String {
    if text.chars().nth(SHOWN_MAX).is_none() {
        return text.to_owned();
    }
    let half = SHOWN_MAX / 2;
    let place = |(index, _): (usize, char)| index;
    let head = text.char_indices().nth(half).map_or(text.len(), place);
    let tail = text.char_indices().rev().nth(half - 1).map_or(0, place);
    format!("{}...(truncated) ...{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_keep_150_characters_at_either_end() {
        let exactly = "é".repeat(300);
        assert_eq!(cut(&exactly), exactly);
        let longer = format!("{}x{}", "a".repeat(150), "b".repeat(150));
        let expected = format!("{}...(truncated) ...{}", "a".repeat(150), "b".repeat(150));
        assert_eq!(cut(&longer), expected);
    }
}
