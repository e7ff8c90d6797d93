//! The `scripted` model: replies by rule on what the conversation holds.
//!
//! It needs no endpoint and no key, so it is the embedded default, the model of the tests, and one
//! end of the throughput benchmark. It keeps nothing between calls: what it says follows from the
//! conversation, the rollout's key and its `seed` alone, so runs reproduce and a retried call gets
//! the same reply.
//!
//! ```yaml
//! rules:
//!   - when: { step: 0, user: 'in (?<city>\w+)' }
//!     calls: [{ name: get_weather, arguments: { city: "{{ captures.city }}" } }]
//!   - when: { after: get_weather }
//!     say: "{{ output.weather_description }}"
//! ```
//!
//! Replies are [minijinja] templates over these variables:
//!
//! | Variable   | Holds |
//! |------------|-------|
//! | `user`     | the text of the last user message |
//! | `prompt`   | the text of the whole prompt, one message a line |
//! | `step`     | how many times the model has answered in this rollout |
//! | `output`   | the last tool output: parsed if it is JSON, else its text |
//! | `outputs`  | all tool outputs in order, each `{name, arguments, value}` |
//! | `captures` | the named groups of the rule's own regular expressions |
//! | `each`     | the named groups of the match that a call is repeated for |

mod conversation;
mod pattern;
mod reply;
mod rule;
mod template;

use std::fmt;
use std::time::Duration;

use framework::config::TimeSpan;
use framework::model::{Generate, Model, ModelError};
use framework::responses::{Item, Response, Usage};
use framework::task::RolloutKey;
use framework::wiring::{BuildError, Wiring};
use serde::{Deserialize, Serialize};

use conversation::Conversation;
use reply::Author;
use rule::Rule;
use template::{Context, Templates};

/// The model's `settings:`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Tried in order; the first whose `when` holds replies. A rule is passed over as well if its
    /// reply comes to nothing, because all it has is calls without a match.
    pub rules: Vec<RuleConfig>,
    /// How long a reply takes at least; a rule's own `latency` comes before it. Default: no time.
    #[serde(default)]
    pub latency: TimeSpan,
    /// How much longer a reply may take: uniformly drawn from nothing to this. Default: nothing.
    #[serde(default)]
    pub jitter: TimeSpan,
    /// Changes what `jitter` draws; the same seed draws the same for each rollout and step.
    #[serde(default)]
    pub seed: u64,
    /// Whether replies carry a usage, estimated as one token for four bytes of JSON. Default: no.
    #[serde(default)]
    pub usage: bool,
}

/// One rule: when it holds, and what it replies. It either fails, or says and calls something.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleConfig {
    /// What has to hold; empty holds always.
    pub when: When,
    /// A message, as a template.
    pub say: Option<String>,
    /// Function calls, after the message if there is one.
    pub calls: Vec<CallConfig>,
    /// Reports the reply as cut short for that reason, such as `max_output_tokens`.
    pub incomplete: Option<String>,
    /// Fails in this way instead of replying.
    pub fail: Option<Cause>,
    /// How long this reply takes at least.
    pub latency: Option<TimeSpan>,
}

/// What has to hold for a rule to reply: all of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// The model has answered this many times in this rollout.
    pub step: Option<usize>,
    /// The last item is the output of this tool.
    pub after: Option<String>,
    /// The last tool output's text matches this regular expression.
    pub output: Option<String>,
    /// The last user message matches this regular expression.
    pub user: Option<String>,
    /// The text of the whole prompt matches this regular expression.
    pub prompt: Option<String>,
}

/// A function call to reply with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallConfig {
    /// The tool's name, as a template.
    pub name: String,
    /// Its arguments. Strings in them are templates, and one that is a single `{{ expression }}`
    /// keeps the expression's type. A string in place of the whole is the text of the arguments, as
    /// a template; it need not be JSON.
    #[serde(default = "no_arguments")]
    pub arguments: serde_json::Value,
    /// Repeats the call for every match, in order.
    pub each: Option<Each>,
    /// An expression that has to be true for the call to be made, asked for every match.
    pub r#if: Option<String>,
}

fn no_arguments() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

/// The matches that a call is repeated for: a regular expression, by the text that it is looked for
/// in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Each {
    /// In the last user message.
    User(String),
    /// In the text of the whole prompt.
    Prompt(String),
    /// In a text of the script's own making.
    Text(Find),
}

/// A regular expression and a text to look for it in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// The text, as a template.
    pub of: String,
    /// The regular expression.
    pub find: String,
}

/// A way to fail, named as in `rehearsal_model_requests_total{status}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// No answer in time.
    Timeout,
    /// Nobody there.
    Connection,
    /// Too many requests.
    RateLimited,
    /// Overloaded or broken for now.
    Unavailable,
    /// The key was refused.
    Authentication,
    /// No such model.
    UnknownModel,
    /// The conversation is too long.
    ContextLength,
    /// The request is refused as such.
    BadRequest,
    /// The answer is not a response.
    Malformed,
}

/// A model that replies by rule.
#[derive(Debug)]
pub struct Scripted {
    author: Author,
    rules: Vec<Rule>,
    templates: Templates,
    config: Config,
}

impl Model for Scripted {
    const KIND: &'static str = "scripted";
    type Config = Config;

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        Self::compile(config, wiring.name())
            .map_err(|Problems(found)| BuildError::new(found.join("; ")))
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        let (reply, latency) = self.take(message);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        reply
    }
}

impl Scripted {
    fn compile(config: Config, name: &str) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut templates = Templates::default();
        if config.rules.is_empty() {
            problems.add("rules", "there is none, so nothing could be answered");
        }
        let compile = |(index, rule): (usize, &RuleConfig)| {
            let path = format!("rules[{index}]");
            Rule::new(&path, rule, &mut templates, &mut problems)
        };
        let rules = config.rules.iter().enumerate().map(compile).collect();
        if !problems.0.is_empty() {
            return Err(problems);
        }
        Ok(Self { author: Author::new(name), rules, templates, config })
    }

    /// What is replied, and how long that takes.
    /// The reply to a request, and how long it is to take. The request itself need not wait along.
    fn take(&self, message: Generate) -> (Result<Response, ModelError>, Duration) {
        self.reply(&Conversation::new(&message.request), &message.key)
    }

    fn reply(
        &self,
        conversation: &Conversation<'_>,
        key: &RolloutKey,
    ) -> (Result<Response, ModelError>, Duration) {
        for rule in &self.rules {
            let Some(captures) = rule.holds(conversation) else { continue };
            let context = Context { conversation, captures: &captures, each: None };
            let reply = self.author.write(&rule.reply, &self.templates, &context, key);
            let Some(reply) = reply.transpose() else { continue };
            let latency = self.latency(rule, conversation.step(), key);
            return (reply.map(|response| self.with_usage(response, conversation)), latency);
        }
        (Err(self.no_reply(conversation)), Duration::ZERO)
    }

    fn latency(&self, rule: &Rule, step: usize, key: &RolloutKey) -> Duration {
        let latency = rule.latency.unwrap_or(self.config.latency).duration();
        if self.config.jitter.is_zero() {
            return latency;
        }
        let drawn = reply::hash(key, self.config.seed ^ step as u64);
        let fraction = (drawn >> 11) as f64 / (1_u64 << 53) as f64;
        latency + self.config.jitter.duration().mul_f64(fraction)
    }

    fn with_usage(&self, mut response: Response, conversation: &Conversation<'_>) -> Response {
        if self.config.usage {
            let input_tokens = tokens(conversation.items());
            let output_tokens = tokens(response.output.iter());
            let total_tokens = input_tokens + output_tokens;
            response.usage =
                Some(Usage { input_tokens, output_tokens, total_tokens, ..Usage::default() });
        }
        response
    }

    fn no_reply(&self, conversation: &Conversation<'_>) -> ModelError {
        let reason = format!(
            "no rule of `{}` holds at step {}, where the last item is {}; a last rule without \
             `when` would answer everything",
            self.author.name(),
            conversation.step(),
            conversation.last_item(),
        );
        ModelError::NoReply { reason }
    }
}

/// An estimate: a token is about four bytes of JSON.
fn tokens<'a>(items: impl Iterator<Item = &'a Item>) -> u64 {
    let bytes: usize = items.map(|item| item.json().get().len()).sum();
    bytes as u64 / 4
}

/// Everything that is wrong with the settings, so that one look mends them all.
#[derive(Debug, Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, path: &str, problem: impl fmt::Display) {
        self.0.push(format!("`settings.{path}`: {problem}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use framework::responses::{CreateParams, Request, Role};
    use framework::task::TaskId;
    use serde_json::json;
    use tokio::time::Instant;

    use super::*;

    fn scripted(settings: serde_json::Value) -> Result<Scripted, Problems> {
        Scripted::compile(serde_json::from_value(settings).unwrap(), "policy")
    }

    fn key(repeat: u32) -> RolloutKey {
        RolloutKey { task: TaskId::from("solver/example/1"), repeat }
    }

    /// Plays a rollout whose tools answer as told, and returns its history.
    fn play(
        model: &Scripted,
        prompt: CreateParams,
        tool: impl Fn(&str, &str) -> String,
    ) -> Vec<Item> {
        let mut request = Request { params: Arc::new(prompt), history: vec![] };
        loop {
            let response = model.reply(&Conversation::new(&request), &key(0)).0.unwrap();
            request.history.extend(response.output.iter().cloned());
            let calls: Vec<_> = response.output.iter().filter_map(Item::as_function_call).collect();
            if calls.is_empty() {
                return request.history;
            }
            for call in calls {
                let output = tool(&call.name, &call.arguments);
                request.history.push(Item::function_call_output(&call.call_id, &output));
            }
        }
    }

    fn arguments(history: &[Item]) -> Vec<(&str, &str)> {
        let calls = history.iter().filter_map(Item::as_function_call);
        calls.map(|call| (&*call.name, &*call.arguments)).collect()
    }

    fn first_error(settings: serde_json::Value) -> ModelError {
        let request = Request { params: Arc::new(CreateParams::user("hi")), history: vec![] };
        let model = scripted(settings).unwrap();
        model.reply(&Conversation::new(&request), &key(0)).0.unwrap_err()
    }

    #[test]
    fn a_captured_city_is_asked_for_and_its_weather_said() {
        let model = scripted(json!({"rules": [
            {"when": {"step": 0, "user": r"in (?<city>\w+)"},
             "calls": [{"name": "get_weather", "arguments": {"city": "{{ captures.city }}"}}]},
            {"when": {"after": "get_weather"}, "say": "So: {{ output.weather }}"},
        ]}));
        let tool = |_: &str, _: &str| json!({"weather": "it's <cold>"}).to_string();
        let history = play(&model.unwrap(), CreateParams::user("humidity in sf"), tool);
        assert_eq!(arguments(&history), [("get_weather", r#"{"city":"sf"}"#)]);
        assert_eq!(history.last().unwrap().text(), "So: it's <cold>");
    }

    #[test]
    fn a_call_is_repeated_for_each_match_in_order() {
        let model = scripted(json!({"rules": [
            {"when": {"step": 0}, "calls": [{
                "name": "add", "arguments": {"count": "{{ each.n | int }}"},
                "each": {"user": r"add (?<n>\d+)"},
            }]},
            {"when": {"after": "add"}, "calls": [{"name": "get"}]},
            {"when": {"step": 2}, "say": "{{ outputs[-1].value }} after {{ outputs | length }}"},
        ]}));
        let prompt = CreateParams::user("add 1 then add 2 then get");
        let history = play(&model.unwrap(), prompt, |_, _| "5".to_owned());
        assert_eq!(
            arguments(&history),
            [("add", r#"{"count":1}"#), ("add", r#"{"count":2}"#), ("get", "{}")]
        );
        assert_eq!(history.last().unwrap().text(), "5 after 3");
    }

    #[test]
    fn calls_are_made_for_matches_that_qualify_and_their_outputs_become_a_list() {
        let model = scripted(json!({"rules": [
            {"when": {"step": 0}, "calls": [{
                "name": "value", "arguments": {"of": "{{ each.synonym }}"},
                "each": {"prompt": "'(?<term>[^']+)' is '(?<synonym>[^']+)'"},
                "if": "each.term | lower in user",
            }]},
            {"when": {"after": "value"}, "calls": [{"name": "extract", "arguments":
                {"values": "{{ outputs | map(attribute='value.v') | list }}"}}]},
            {"say": "{{ output }}"},
        ]}));
        let prompt = r#"{"input":[{"role":"system","content":"'Hot' is 'Warm'\n'Cold' is 'Icy'\n'Hot' is 'Tepid'"},
            {"role":"user","content":"how hot?"}]}"#;
        let tool = |_: &str, arguments: &str| json!({"v": arguments.len()}).to_string();
        let history = play(&model.unwrap(), CreateParams::parse(prompt).unwrap(), tool);
        assert_eq!(arguments(&history)[2], ("extract", r#"{"values":[13,14]}"#));
    }

    #[test]
    fn the_same_rollout_gets_the_same_reply_and_items_without_templates_are_shared() {
        let model = scripted(json!({"rules": [{"say": "hello"}], "usage": true})).unwrap();
        let request = Request { params: Arc::new(CreateParams::user("hi")), history: vec![] };
        let conversation = Conversation::new(&request);
        let reply = |repeat| model.reply(&conversation, &key(repeat)).0.unwrap();
        let (first, again, other) = (reply(0), reply(0), reply(1));
        assert_eq!(first.id, again.id);
        assert_ne!(first.id, other.id);
        assert!(std::ptr::eq(first.output[0].json(), other.output[0].json()));
        assert_eq!(first.usage.unwrap().total_tokens, 12 + 33);
    }

    #[test]
    fn a_reply_can_be_cut_short_or_hold_arguments_that_are_no_json() {
        let model = scripted(json!({"rules": [{
            "say": "", "incomplete": "max_output_tokens",
            "calls": [{"name": "f", "arguments": "{\"step\": {{ step }}"}],
        }]}));
        let request = Request { params: Arc::new(CreateParams::user("hi")), history: vec![] };
        let reply = model.unwrap().reply(&Conversation::new(&request), &key(0)).0.unwrap();
        assert_eq!(reply.incomplete.unwrap().as_str(), "max_output_tokens");
        assert_eq!(arguments(&reply.output), [("f", "{\"step\": 0")]);
    }

    #[test]
    fn a_rule_fails_as_told() {
        for cause in ["timeout", "connection", "rate_limited", "unavailable", "authentication"] {
            assert_eq!(first_error(json!({"rules": [{"fail": cause}]})).status(), cause);
        }
        for cause in ["unknown_model", "context_length", "bad_request", "malformed"] {
            assert_eq!(first_error(json!({"rules": [{"fail": cause}]})).status(), cause);
        }
    }

    #[test]
    fn without_a_reply_the_error_says_what_the_script_saw() {
        let cases = [
            (
                json!({"when": {"step": 1}, "say": "x"}),
                "holds at step 0, where the last item is a message of the user",
            ),
            (json!({"when": {"output": ""}, "say": "x"}), "no rule of `policy` holds"),
            (json!({"say": "{{ output.x }}"}), "undefined value (in rules[0].say:1)"),
            (json!({"say": "{{ captures.x }}"}), "undefined value"),
            (json!({"calls": [{"name": "f", "each": {"user": "z"}}]}), "no rule of `policy`"),
        ];
        for (rule, expected) in cases {
            let error = first_error(json!({"rules": [rule]})).to_string();
            assert!(error.contains(expected), "{rule}: {error}");
        }
    }

    #[test]
    fn all_problems_of_a_script_are_named_at_the_start() {
        let settings = json!({"rules": [
            {"when": {"user": "(?<a>", "prompt": "x"}, "say": "{{ city }}"},
            {"when": {"user": "(?<a>x)", "prompt": "(?<a>y)"}, "say": "{{ "},
            {},
            {"fail": "timeout", "say": "x"},
        ]});
        let Problems(found) = scripted(settings).unwrap_err();
        let expected = [
            "`settings.rules[0].when.user`: regex parse error",
            "`settings.rules[0].say`: unknown variable `city`; there are `user`",
            "`settings.rules[1].when.prompt`: another regular expression has a group `a`",
            "`settings.rules[1].say`: syntax error",
            "`settings.rules[2]`: it has neither `say`, `calls` nor `fail`",
            "`settings.rules[3]`: a rule that fails cannot",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
        assert_eq!(scripted(json!({"rules": []})).unwrap_err().0.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn latency_and_jitter_take_the_same_time_for_the_same_rollout() {
        let settings = json!({"rules": [{"say": "x"}], "latency": "1s", "jitter": "10s"});
        let model = scripted(settings).unwrap();
        let params = Arc::new(CreateParams::parse(r#"{"input":[]}"#).unwrap());
        let request = Request { params, history: vec![Item::message(Role::User, "hi")] };
        let mut took = vec![];
        for repeat in [0, 0, 1] {
            let started = Instant::now();
            let deadline = started + Duration::from_secs(60);
            let (request, caller) = (request.clone(), std::sync::Arc::from("agents/solver"));
            let message = Generate { request, key: key(repeat), caller, deadline };
            model.generate(message).await.unwrap();
            took.push(started.elapsed());
        }
        assert_eq!(took[0], took[1]);
        assert_ne!(took[0], took[2]);
        assert!(took.iter().all(|took| (1..=11).contains(&took.as_secs())), "{took:?}");
    }
}
