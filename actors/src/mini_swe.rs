//! `mini_swe`: solves issues of a repository through a shell, one command a step.
//!
//! The agent is only the talk: it asks the model, takes the one `bash` block out of the answer, has the
//! environment run it, and writes down what came of it for the model to read. Workspace, commands and
//! grading are the environment's, which has a tool `bash` that takes `{"command"}` and answers with JSON:
//!
//! | Key | Type | Says |
//! |---|---|---|
//! | `returncode` | int or null | how the command ended; null if it was stopped for time |
//! | `output` | text | what it printed, perhaps without its middle |
//! | `dropped_chars` | int, optional | how many characters are missing in the middle of `output` |
//! | `submission` | text, optional | the command handed the work in, and this is the patch |
//!
//! A rollout ends when work is handed in, or at a limit; it is scored either way.
//!
//! | The model's answer | What it reads next |
//! |---|---|
//! | one block | the exit code and the output, `prompts/mini_swe/observation.txt` |
//! | one block that runs too long | the command and what it printed, `timeout.txt` |
//! | the same block for the `collapse_limit`-th time in a row | that it repeats itself, `repeated.txt`; if it goes on, the rollout ends |
//! | no block, or several | how many were found, `format_error.txt` |
//!
//! The prompts are files of `prompts/mini_swe/`, in the notation of [minijinja]; `system_prompt` and
//! `task_prompt` replace the first two. A row with a prompt of its own keeps it.
//!
//! # Differs from NeMo Gym
//!
//! It has two agents, whose loop is that of mini-swe-agent; the one that answers in `bash` blocks is
//! meant here. There the guard against repetition sees only the first commands of a rollout, since its
//! memory loses its bound; here it sees the last ones of all. A rollout that a limit cuts short ends
//! without a further message, and its record names the limit. An answer that the model's own limit
//! cuts short ends the rollout, as in `tool_loop`. Retries of model calls are the model's own, within
//! its budget; an endpoint that stays away fails the rollout instead of ending it with reward 0. A
//! temperature of 0 is kept. Usage adds up over the calls (there: 0). Prompts are worded anew.
//!
//! Of its settings, `step_limit` and `collapse_limit` stand here; `step_timeout` and `eval_timeout`, `env`
//! (as `sandbox.backend`) and `cache_dir_template` (as `sandbox.image`) in those of the environment.
//! `concurrency` is `collect.max_in_flight`, `skip_if_exists` is `--resume`, and for `run_golden` a model
//! of kind `replay` says what solves the task.

mod prompts;
mod reply;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use framework::agent::{Agent, Attempt, Ports};
use framework::environment::Session;
use framework::responses::{CreateParams, FunctionCall, Item, Request, Response, Role, Usage};
use framework::rollout::{Culprit, Failure, Limit, Rollout, Timings};
use framework::task::Task;
use framework::wiring::{BuildError, Wiring};
use serde::Deserialize;
use tokio::time::Instant;

use crate::tool_loop::{add_usage, limit_of};
use prompts::Prompts;
use reply::{Ran, Reply};

/// Settings of `mini_swe`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Model calls before the rollout is cut short.
    pub step_limit: NonZeroU32,
    /// Cost of all calls, by `prices`, at which the rollout is cut short; 0 is no limit.
    pub cost_limit: f64,
    /// What the model's tokens cost. Default: nothing.
    pub prices: Prices,
    /// Seconds after which no further step begins, and the rollout is cut short.
    pub max_seconds: Option<NonZeroU32>,
    /// A command so often in a row is not run any more; 0 is never.
    pub collapse_limit: usize,
    /// A file with the system message. Default: `prompts/mini_swe/system.txt`, built in.
    pub system_prompt: Option<PathBuf>,
    /// A file with the first user message, with `{{ task }}` for the issue, `{{ submit_command }}` and
    /// `{{ workdir }}`. Default: `prompts/mini_swe/task.txt`, built in.
    pub task_prompt: Option<PathBuf>,
    /// What the first user message calls the working directory. Default: nothing.
    pub workdir: Option<String>,
}

/// What tokens cost: a currency's units for a million of them.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// Those that the model reads.
    pub input: f64,
    /// Those that it writes.
    pub output: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            step_limit: NonZeroU32::new(250).expect("it is not 0"),
            cost_limit: 3.0,
            prices: Prices::default(),
            max_seconds: None,
            collapse_limit: 3,
            system_prompt: None,
            task_prompt: None,
            workdir: None,
        }
    }
}

impl Prices {
    fn of(self, usage: Usage) -> f64 {
        let (input, output) = (usage.input_tokens as f64, usage.output_tokens as f64);
        (input * self.input + output * self.output) / 1e6
    }
}

/// The agent.
pub struct MiniSwe {
    config: Config,
    prompts: Prompts,
    ports: Ports,
}

impl Agent for MiniSwe {
    const KIND: &'static str = "mini_swe";
    type Config = Config;

    fn new(config: Config, ports: Ports, _: &Wiring) -> Result<Self, BuildError> {
        for (key, number) in [
            ("cost_limit", config.cost_limit),
            ("prices.input", config.prices.input),
            ("prices.output", config.prices.output),
        ] {
            if !(number.is_finite() && number >= 0.0) {
                return Err(BuildError::new(format_args!("`{key}` is {number}, not 0 or more")));
            }
        }
        let prompts = Prompts::new(config.system_prompt.as_deref(), config.task_prompt.as_deref())?;
        Ok(Self { config, prompts, ports })
    }

    async fn attempt(&self, attempt: Attempt) -> Result<Rollout, Failure> {
        let started = Instant::now();
        let params = self.opening(&attempt.task)?;
        let session = self.ports.environment.open(attempt.task.clone(), attempt.deadline).await?;
        let mut talk = Talk::new(params);
        let truncated = loop {
            if let Some(limit) = self.limit_reached(&talk, started) {
                break Some(limit);
            }
            match self.step(&attempt, &session, &mut talk).await? {
                Step::Again => {}
                Step::Submitted => break None,
                Step::Truncated(limit) => break Some(limit),
            }
        };
        let Talk { request, last, usage, steps, mut timings, .. } = talk;
        let mut response = last.expect("the first step comes before any limit");
        response.output = request.history;
        response.usage = usage;
        let response = Arc::new(response);
        let verifying = Instant::now();
        let verdict = session.verify(response.clone(), attempt.deadline).await?;
        timings.verify = verifying.elapsed();
        timings.total = started.elapsed();
        let params = Some(request.params);
        Ok(Rollout { response, params, verdict, truncated, steps, timings })
    }
}

/// What has been said in a rollout so far.
struct Talk {
    request: Request,
    last: Option<Response>,
    usage: Option<Usage>,
    steps: u32,
    cost: f64,
    timings: Timings,
    repeated: Repeated,
}

impl Talk {
    fn new(params: Arc<CreateParams>) -> Self {
        Self {
            request: Request { params, history: Vec::new() },
            last: None,
            usage: None,
            steps: 0,
            cost: 0.0,
            timings: Timings::default(),
            repeated: Repeated::default(),
        }
    }

    /// Has the model read a text next.
    fn tell(&mut self, text: &str) {
        self.request.history.push(user_message(text));
    }
}

/// The command given last, and how often in a row.
#[derive(Default)]
struct Repeated {
    command: String,
    times: usize,
    /// The model has been told, and has not done anything else since.
    is_warned: bool,
}

/// What to do with a command in view of those before it.
#[derive(Debug, PartialEq)]
enum Repetition {
    None,
    Warn,
    End,
}

impl Repeated {
    /// Takes note of a command.
    fn given(&mut self, command: &str, limit: usize) -> Repetition {
        if self.command == command {
            self.times += 1;
        } else {
            *self = Self { command: command.to_owned(), times: 1, is_warned: false };
        }
        if limit == 0 || self.times < limit {
            Repetition::None
        } else if std::mem::replace(&mut self.is_warned, true) {
            Repetition::End
        } else {
            Repetition::Warn
        }
    }
}

/// How a step leaves the loop.
enum Step {
    Again,
    Submitted,
    Truncated(Limit),
}

/// A message to the model, as NeMo Gym records it.
fn user_message(text: &str) -> Item {
    let message = serde_json::json!({
        "content": [{ "text": text, "type": "input_text" }],
        "role": "user",
        "status": "completed",
        "type": "message",
    });
    Item::parse(&message.to_string()).expect("it is a message")
}

impl MiniSwe {
    /// The task's parameters with the messages that open the talk.
    fn opening(&self, task: &Task) -> Result<Arc<CreateParams>, Failure> {
        if !task.params.input().is_empty() {
            return Ok(task.params.clone());
        }
        let issue = task.extras.get("problem_statement");
        let issue = issue.and_then(|text| serde_json::from_str::<String>(text.get()).ok());
        let issue = issue.ok_or_else(|| {
            let reason = "the row has neither a prompt nor a `problem_statement`";
            Failure::permanent(Culprit::Agent, reason)
        })?;
        let opening = self.prompts.opening(&issue, self.config.workdir.as_deref());
        let (system, user) = opening.map_err(|error| Failure::permanent(Culprit::Agent, error))?;
        let input = vec![Item::message(Role::System, &system), Item::message(Role::User, &user)];
        Ok(Arc::new(task.params.with_input(input)))
    }

    fn limit_reached(&self, talk: &Talk, started: Instant) -> Option<Limit> {
        let seconds = self.config.max_seconds.map(|max| Duration::from_secs(max.get().into()));
        let costs = self.config.cost_limit > 0.0 && talk.cost >= self.config.cost_limit;
        if talk.steps >= self.config.step_limit.get() {
            Some(Limit::Steps)
        } else if costs {
            Some(Limit::Cost)
        } else if talk.steps > 0 && seconds.is_some_and(|max| started.elapsed() >= max) {
            Some(Limit::Time)
        } else {
            None
        }
    }

    async fn step(
        &self,
        attempt: &Attempt,
        session: &Session,
        talk: &mut Talk,
    ) -> Result<Step, Failure> {
        let said = match self.ask(attempt, talk).await? {
            Said::Text(text) => text,
            Said::Incomplete(limit) => return Ok(Step::Truncated(limit)),
        };
        let command = match Reply::parse(&said) {
            Reply::Command(command) => command,
            Reply::Malformed { found } => {
                talk.tell(&self.prompts.format_error(found));
                return Ok(Step::Again);
            }
        };
        match talk.repeated.given(&command, self.config.collapse_limit) {
            Repetition::None => self.run(attempt, session, talk, &command).await,
            Repetition::Warn => {
                talk.tell(&self.prompts.repeated(&command, talk.repeated.times));
                Ok(Step::Again)
            }
            Repetition::End => Ok(Step::Truncated(Limit::Repetition)),
        }
    }

    /// Has the model say something.
    async fn ask(&self, attempt: &Attempt, talk: &mut Talk) -> Result<Said, Failure> {
        let asked = Instant::now();
        let (model, request) = (&self.ports.model, talk.request.clone());
        let answer = model.generate(request, attempt.key.clone(), attempt.deadline).await;
        let mut response = answer.map_err(|error| model.failure(error))?;
        talk.timings.model += asked.elapsed();
        talk.steps += 1;
        talk.usage = add_usage(talk.usage, response.usage);
        talk.cost += response.usage.map_or(0.0, |usage| self.config.prices.of(usage));
        let texts = response.output.iter().filter(|item| item.is_message_of(Role::Assistant));
        let text = texts.map(Item::text).collect();
        talk.request.history.append(&mut response.output);
        let incomplete = response.incomplete.as_ref().map(limit_of);
        talk.last = Some(response);
        Ok(incomplete.map_or(Said::Text(text), Said::Incomplete))
    }

    /// Has the environment run a command, and tells the model what came of it.
    async fn run(
        &self,
        attempt: &Attempt,
        session: &Session,
        talk: &mut Talk,
        command: &str,
    ) -> Result<Step, Failure> {
        let called = Instant::now();
        let call = FunctionCall {
            call_id: format!("call_{}", talk.steps).as_str().into(),
            name: "bash".into(),
            arguments: serde_json::json!({ "command": command }).to_string().as_str().into(),
        };
        let answer = session.call(&call, attempt.deadline).await?;
        talk.timings.tools += called.elapsed();
        let ran = Ran::parse(&answer).ok_or_else(|| {
            let reason = "the tool `bash` does not answer as that of environment `mini_swe` does";
            Failure::permanent(Culprit::Agent, reason)
        })?;
        if let Some(patch) = &ran.submission {
            talk.tell(patch);
            return Ok(Step::Submitted);
        }
        talk.tell(&self.prompts.observation(command, &ran));
        Ok(Step::Again)
    }
}

/// What the model said in a step.
enum Said {
    Text(String),
    /// Less than it was about to.
    Incomplete(Limit),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_refused_once_it_repeats_and_the_next_time_ends_it() {
        let mut repeated = Repeated::default();
        let mut given = |command| repeated.given(command, 3);
        assert_eq!(given("ls"), Repetition::None);
        assert_eq!(given("ls"), Repetition::None);
        assert_eq!(given("pwd"), Repetition::None);
        assert_eq!(given("ls"), Repetition::None);
        assert_eq!(given("ls"), Repetition::None);
        assert_eq!(given("ls"), Repetition::Warn, "also far from the first command");
        assert_eq!(given("ls"), Repetition::End);
        assert_eq!(given("pwd"), Repetition::None);
        let mut never = Repeated::default();
        assert!((0..9).all(|_| never.given("ls", 0) == Repetition::None));
    }

    #[test]
    fn tokens_cost_what_the_prices_say() {
        let usage = Usage { input_tokens: 2_000_000, output_tokens: 500_000, ..Usage::default() };
        assert_eq!(Prices { input: 1.5, output: 8.0 }.of(usage), 7.0);
        assert_eq!(Prices::default().of(usage), 0.0);
    }
}
