//! `tool_loop`: asks the model, runs the tools it calls, and asks again, until it has said its last
//! word.
//!
//! The loop is NeMo Gym's `simple_agent`, with its later fixes: malformed arguments are answered
//! with text for the model, an incomplete response ends the loop before its calls run, usage adds up
//! over the calls. What differs: the loop is bounded by default, and the calls of one step run side
//! by side when the request allows it, their outputs in call order.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use framework::agent::{Agent, Attempt, Ports};
use framework::environment::Session;
use framework::responses::{
    CreateParams, FunctionCall, IncompleteReason, Item, Request, Response, Role, Usage,
};
use framework::rollout::{Culprit, Failure, Limit, Rollout, Timings};
use framework::wiring::{BuildError, Wiring};
use futures_util::future::try_join_all;
use serde::Deserialize;
use tokio::time::Instant;

/// Settings of `tool_loop`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Model calls before the rollout is cut short.
    pub max_steps: NonZeroU32,
    /// Output tokens, over all calls, after which the rollout is cut short. Counts only what the
    /// endpoint reports.
    pub max_output_tokens: Option<u64>,
    /// Seconds after which no further step begins, and the rollout is cut short.
    pub max_seconds: Option<NonZeroU32>,
    /// The longest tool output that the model sees, in bytes; the rest is cut off and said to be.
    pub tool_output_max: NonZeroU32,
}

impl Default for Config {
    fn default() -> Self {
        let number = |n| NonZeroU32::new(n).expect("not zero");
        Self {
            max_steps: number(64),
            max_output_tokens: None,
            max_seconds: None,
            tool_output_max: number(1 << 20),
        }
    }
}

/// The agent.
pub struct ToolLoop {
    config: Config,
    ports: Ports,
}

impl Agent for ToolLoop {
    const KIND: &'static str = "tool_loop";
    type Config = Config;

    fn new(config: Config, ports: Ports, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self { config, ports })
    }

    async fn attempt(&self, attempt: Attempt) -> Result<Rollout, Failure> {
        let started = Instant::now();
        let session = self.ports.environment.open(attempt.task.clone(), attempt.deadline).await?;
        let mut trajectory = Trajectory::new(&attempt, &session)?;
        let truncated = loop {
            match self.step(&attempt, &session, &mut trajectory).await? {
                Step::Again => {}
                Step::Done => break None,
                Step::Truncated(limit) => break Some(limit),
            }
            if let Some(limit) = self.limit_reached(&trajectory, started) {
                break Some(limit);
            }
        };
        let Trajectory { request, last, usage, steps, mut timings } = trajectory;
        let mut response = last.expect("every step leaves a response");
        response.output = request.history;
        response.usage = usage;
        let response = Arc::new(response);
        let verifying = Instant::now();
        let verdict = session.verify(response.clone(), attempt.deadline).await?;
        timings.verify = verifying.elapsed();
        timings.total = started.elapsed();
        Ok(Rollout { response, params: None, verdict, truncated, steps, timings })
    }
}

/// What has happened in a rollout so far.
struct Trajectory {
    request: Request,
    last: Option<Response>,
    usage: Option<Usage>,
    steps: u32,
    timings: Timings,
}

impl Trajectory {
    fn new(attempt: &Attempt, session: &Session) -> Result<Self, Failure> {
        let params = with_tools(&attempt.task.params, session)?;
        Ok(Self {
            request: Request { params, history: Vec::new() },
            last: None,
            usage: None,
            steps: 0,
            timings: Timings::default(),
        })
    }

    /// Adds what the model said.
    fn take(&mut self, mut response: Response) -> Said {
        self.steps += 1;
        self.usage = add_usage(self.usage, response.usage);
        let first = self.request.history.len();
        self.request.history.append(&mut response.output);
        let incomplete = response.incomplete.as_ref().map(limit_of);
        self.last = Some(response);
        if let Some(limit) = incomplete {
            return Said::Incomplete(limit);
        }
        let said = &self.request.history[first..];
        let spoke = said.iter().any(|item| item.is_message_of(Role::Assistant));
        let calls: Vec<_> = said.iter().filter_map(Item::as_function_call).cloned().collect();
        if calls.is_empty() && spoke { Said::LastWord } else { Said::Calls(calls) }
    }
}

/// The task's parameters, with the environment's tools if the task brings none of its own.
fn with_tools(params: &Arc<CreateParams>, session: &Session) -> Result<Arc<CreateParams>, Failure> {
    let Some(tools) = session.tools().filter(|_| !params.fields().contains("tools")) else {
        return Ok(params.clone());
    };
    let mut params = CreateParams::clone(params);
    let set = params.set("tools", tools.as_ref().to_owned());
    set.map_err(|error| Failure::permanent(Culprit::Agent, error))?;
    Ok(Arc::new(params))
}

/// What the model said in a step.
enum Said {
    /// Less than it was about to.
    Incomplete(Limit),
    /// That these tools be called; none, if it has only thought.
    Calls(Vec<FunctionCall>),
    /// A message without calls.
    LastWord,
}

/// How a step leaves the loop.
enum Step {
    Again,
    Done,
    Truncated(Limit),
}

impl ToolLoop {
    async fn step(
        &self,
        attempt: &Attempt,
        session: &Session,
        trajectory: &mut Trajectory,
    ) -> Result<Step, Failure> {
        let asked = Instant::now();
        let request = trajectory.request.clone();
        let model = &self.ports.model;
        let answer = model.generate(request, attempt.key.clone(), attempt.deadline).await;
        let response = answer.map_err(|error| model.failure(error))?;
        trajectory.timings.model += asked.elapsed();
        let calls = match trajectory.take(response) {
            Said::Incomplete(limit) => return Ok(Step::Truncated(limit)),
            Said::Calls(calls) if !calls.is_empty() => calls,
            Said::Calls(_) => return Ok(Step::Again),
            Said::LastWord => return Ok(Step::Done),
        };
        let called = Instant::now();
        let outputs = self.run_calls(attempt, session, &calls).await?;
        trajectory.timings.tools += called.elapsed();
        trajectory.request.history.extend(outputs);
        Ok(Step::Again)
    }

    /// Runs the calls of one step; outputs are in call order.
    async fn run_calls(
        &self,
        attempt: &Attempt,
        session: &Session,
        calls: &[FunctionCall],
    ) -> Result<Vec<Item>, Failure> {
        let run = |call| self.run_call(attempt, session, call);
        match calls {
            [call] => Ok(vec![run(call).await?]),
            _ if attempt.task.params.parallel_tool_calls() => {
                try_join_all(calls.iter().map(run)).await
            }
            _ => {
                let mut outputs = Vec::with_capacity(calls.len());
                for call in calls {
                    outputs.push(run(call).await?);
                }
                Ok(outputs)
            }
        }
    }

    async fn run_call(
        &self,
        attempt: &Attempt,
        session: &Session,
        call: &FunctionCall,
    ) -> Result<Item, Failure> {
        let mut output = session.call(call, attempt.deadline).await?;
        cut(&mut output, self.config.tool_output_max.get() as usize);
        Ok(Item::function_call_output(&call.call_id, &output))
    }

    fn limit_reached(&self, trajectory: &Trajectory, started: Instant) -> Option<Limit> {
        let tokens = trajectory.usage.map_or(0, |usage| usage.output_tokens);
        let seconds = self.config.max_seconds.map(|max| Duration::from_secs(max.get().into()));
        if trajectory.steps >= self.config.max_steps.get() {
            Some(Limit::Steps)
        } else if self.config.max_output_tokens.is_some_and(|max| tokens >= max) {
            Some(Limit::Tokens)
        } else if seconds.is_some_and(|max| started.elapsed() >= max) {
            Some(Limit::Time)
        } else {
            None
        }
    }
}

/// The limit that made a model stop short.
pub(crate) fn limit_of(reason: &IncompleteReason) -> Limit {
    match reason {
        IncompleteReason::ContentFilter => Limit::ContentFilter,
        IncompleteReason::MaxOutputTokens | IncompleteReason::Other(_) => Limit::ModelOutput,
    }
}

/// The sum of two usages. A call without usage is skipped, so that one silent answer does not erase the sum.
pub(crate) fn add_usage(sum: Option<Usage>, usage: Option<Usage>) -> Option<Usage> {
    match (sum, usage) {
        (Some(sum), Some(usage)) => Some(sum.plus(usage)),
        (sum, usage) => sum.or(usage),
    }
}

/// Cuts text to at most `max` bytes, at a character's boundary, and says so.
fn cut(text: &mut String, max: usize) {
    if text.len() <= max {
        return;
    }
    let length = text.len();
    let end = (0..=max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text.push_str(&format!("… [cut: {length} bytes, {max} shown]"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_outputs_are_cut_at_a_character() {
        let mut text = "aé".repeat(3);
        cut(&mut text, 5);
        assert_eq!(text, "aéa… [cut: 9 bytes, 5 shown]");
        let mut short = String::from("short");
        cut(&mut short, 5);
        assert_eq!(short, "short");
    }

    #[test]
    fn usage_of_silent_calls_is_skipped() {
        let usage = Usage { total_tokens: 3, ..Usage::default() };
        assert_eq!(add_usage(Some(usage), None), Some(usage));
        assert_eq!(add_usage(None, None), None);
        assert_eq!(add_usage(Some(usage), Some(usage)).map(|sum| sum.total_tokens), Some(6));
    }
}
