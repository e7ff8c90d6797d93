//! What the index keeps of a line: 48 bytes, and names that rollouts share.
//!
//! Lines are read in part only. What a line has in an unexpected shape counts as not there, so that
//! as much as possible can be looked at; what is no JSON object, or neither a rollout nor a task, is
//! malformed.

use std::hash::{DefaultHasher, Hash, Hasher};

use indexmap::IndexSet;
use serde::de::Deserializer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How a rollout ended, as far as its line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ending {
    /// It has a reward.
    Scored,
    /// A limit cut it short, and it has a reward.
    Truncated,
    /// It was given up.
    Failed,
    /// It has a response and no reward.
    Unscored,
    /// It is a row of a dataset: nobody has tried it yet.
    Task,
}

impl Ending {
    pub(super) const ALL: [Self; 5] =
        [Self::Scored, Self::Truncated, Self::Failed, Self::Unscored, Self::Task];
}

/// A line of a file. What is not there is a value that no line has: see the methods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) offset: u64,
    pub(super) length: u32,
    /// Its number, from 1.
    pub(super) line: u32,
    /// Its place among [`Names::tasks`].
    pub(super) task: u32,
    repeat: u32,
    reward: f32,
    tokens: u32,
    seconds: f32,
    created_at: u32,
    steps: u16,
    /// Its place among [`Names::origins`].
    pub(super) origin: u16,
    pub(super) ending: Ending,
    /// Its place among [`Names::reasons`].
    pub(super) reason: u8,
    /// Whether nobody counted tokens, so that they are bytes.
    pub(super) are_bytes: bool,
}

const _: () = assert!(size_of::<Entry>() == 48, "a million lines are 48 MB");

impl Entry {
    pub(super) fn repeat(&self) -> Option<u32> {
        (self.repeat != u32::MAX).then_some(self.repeat)
    }

    pub(super) fn reward(&self) -> Option<f32> {
        (!self.reward.is_nan()).then_some(self.reward)
    }

    /// Tokens that the model wrote; bytes of its output where nobody counted.
    pub(super) fn tokens(&self) -> Option<u32> {
        (self.tokens != u32::MAX).then_some(self.tokens)
    }

    /// How long it took.
    pub(super) fn seconds(&self) -> Option<f32> {
        (!self.seconds.is_nan()).then_some(self.seconds)
    }

    /// When its last response was made, in Unix seconds.
    pub(super) fn created_at(&self) -> Option<u32> {
        (self.created_at != 0).then_some(self.created_at)
    }

    /// Model calls.
    pub(super) fn steps(&self) -> Option<u16> {
        (self.steps != u16::MAX).then_some(self.steps)
    }
}

/// Whose rollout it is; empty where nobody is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) agent: String,
    pub(super) environment: String,
}

/// Names, each once. Entries say them by number; number 0 of origins and reasons is that of none.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) tasks: IndexSet<Box<str>>,
    pub(super) origins: IndexSet<Origin>,
    /// Culprits of failures and limits that cut rollouts short.
    pub(super) reasons: IndexSet<Box<str>>,
}

impl Default for Names {
    fn default() -> Self {
        let none = ("".into(), Origin::default());
        Self {
            tasks: IndexSet::new(),
            origins: [none.1].into_iter().collect(),
            reasons: [none.0].into_iter().collect(),
        }
    }
}

impl Names {
    pub(super) fn task(&mut self, name: &str) -> u32 {
        let known = self.tasks.get_index_of(name);
        known.unwrap_or_else(|| self.tasks.insert_full(name.into()).0) as u32
    }

    fn origin(&mut self, origin: Origin) -> u16 {
        let number = self.origins.insert_full(origin).0;
        number.try_into().unwrap_or(0)
    }

    fn reason(&mut self, name: &str) -> u8 {
        let known = self.reasons.get_index_of(name);
        let number = known.unwrap_or_else(|| self.reasons.insert_full(name.into()).0);
        number.try_into().unwrap_or(0)
    }

    /// Takes the names of a part in, and gives its entries the numbers they have here.
    pub(super) fn adopt(&mut self, part: &Self, entries: &mut [Entry]) {
        let tasks: Vec<_> = part.tasks.iter().map(|name| self.task(name)).collect();
        let origins: Vec<_> =
            part.origins.iter().map(|origin| self.origin(origin.clone())).collect();
        let reasons: Vec<_> = part.reasons.iter().map(|name| self.reason(name)).collect();
        for entry in entries {
            entry.task = tasks[entry.task as usize];
            entry.origin = origins[usize::from(entry.origin)];
            entry.reason = reasons[usize::from(entry.reason)];
        }
    }
}

/// Why a line is malformed.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it has neither `response` nor `responses_create_params`")]
    NoRollout,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    responses_create_params: Option<&'a RawValue>,
    response: Option<Response<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    reward: Option<f32>,
    #[serde(default, deserialize_with = "lenient")]
    rehearsal: Option<Provenance>,
    #[serde(default, deserialize_with = "lenient")]
    agent_ref: Option<AgentRef>,
    #[serde(default, deserialize_with = "lenient", rename = "_ng_task_index")]
    task_index: Option<u64>,
    #[serde(default, deserialize_with = "lenient", rename = "_ng_rollout_index")]
    rollout_index: Option<u32>,
    #[serde(default, deserialize_with = "lenient", rename = "_ng_failure_class")]
    failure_class: Option<String>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<Usage>,
    #[serde(default, deserialize_with = "lenient")]
    created_at: Option<f64>,
}

#[derive(Deserialize)]
struct Usage {
    output_tokens: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Provenance {
    task: Option<String>,
    repeat: Option<u32>,
    agent: Option<String>,
    environment: Option<String>,
    outcome: Option<Ending>,
    limit: Option<String>,
    failure: Option<Failure>,
    steps: Option<u32>,
    timings: Option<Timings>,
}

#[derive(Deserialize)]
struct Failure {
    culprit: Option<String>,
}

#[derive(Deserialize)]
struct Timings {
    total: Option<f32>,
}

#[derive(Deserialize)]
struct AgentRef {
    name: Option<String>,
}

/// A value of the expected shape, or nothing.
fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(value.get()).unwrap_or(None))
}

impl Entry {
    /// Says where the line stands.
    pub(super) fn at(self, offset: u64, length: u32, line: u32) -> Self {
        Self { offset, length, line, ..self }
    }

    /// Reads a line; [`at`](Self::at) says where it stands.
    pub(super) fn parse(text: &[u8], names: &mut Names) -> Result<Self, LineError> {
        let line: Line<'_> = serde_json::from_slice(text)?;
        if line.response.is_none() && line.responses_create_params.is_none() {
            return Err(LineError::NoRollout);
        }
        let ending = line.ending();
        let task = line.task(names);
        let Line { response, reward, rehearsal, agent_ref, rollout_index, failure_class, .. } =
            line;
        let rehearsal = rehearsal.unwrap_or_default();
        let culprit = rehearsal.failure.and_then(|failure| failure.culprit);
        let reason = culprit.or(rehearsal.limit).or(failure_class).unwrap_or_default();
        let agent = rehearsal.agent.or_else(|| agent_ref?.name).unwrap_or_default();
        let environment = rehearsal.environment.unwrap_or_default();
        let counted = response.as_ref().and_then(|response| response.usage.as_ref()?.output_tokens);
        let bytes = response
            .as_ref()
            .and_then(|response| response.output)
            .map(|output| u32::try_from(output.get().len()).unwrap_or(u32::MAX));
        let seconds = rehearsal.timings.and_then(|timings| timings.total);
        let created_at = response.and_then(|response| response.created_at);
        Ok(Self {
            offset: 0,
            length: 0,
            line: 0,
            task,
            repeat: rehearsal.repeat.or(rollout_index).unwrap_or(u32::MAX),
            reward: reward.filter(|reward| reward.is_finite()).unwrap_or(f32::NAN),
            tokens: counted.or(bytes).unwrap_or(u32::MAX),
            seconds: seconds.unwrap_or(f32::NAN),
            created_at: created_at.unwrap_or(0.0) as u32,
            steps: rehearsal
                .steps
                .map_or(u16::MAX, |steps| steps.min(u32::from(u16::MAX - 1)) as u16),
            origin: names.origin(Origin { agent, environment }),
            ending,
            reason: names.reason(&reason),
            are_bytes: counted.is_none(),
        })
    }
}

impl Line<'_> {
    fn ending(&self) -> Ending {
        let said = self.rehearsal.as_ref().and_then(|rehearsal| rehearsal.outcome);
        match (said, &self.response, self.reward) {
            (Some(said), _, _) => said,
            _ if self.failure_class.is_some() => Ending::Failed,
            (None, None, _) => Ending::Task,
            (None, Some(_), None) => Ending::Unscored,
            (None, Some(_), Some(_)) => Ending::Scored,
        }
    }

    /// The task's number. Without a name, rollouts of the same parameters are of one task.
    fn task(&self, names: &mut Names) -> u32 {
        let named = self.rehearsal.as_ref().and_then(|rehearsal| rehearsal.task.as_deref());
        if let Some(name) = named {
            return names.task(name);
        }
        if let Some(index) = self.task_index {
            return names.task(&index.to_string());
        }
        let mut hasher = DefaultHasher::new();
        self.responses_create_params.map(RawValue::get).hash(&mut hasher);
        names.task(&format!("prompt-{:016x}", hasher.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> (Entry, Names) {
        let mut names = Names::default();
        let entry = Entry::parse(line.as_bytes(), &mut names).unwrap();
        (entry, names)
    }

    #[test]
    fn a_record_of_our_own_says_everything() {
        let (entry, names) = parse(
            r#"{"responses_create_params":{"input":"hi"},"response":{"output":[],"created_at":17.5,
            "usage":{"output_tokens":9}},"reward":0.5,"rehearsal":{"task":"solver/a/3","repeat":2,
            "attempt":1,"agent":"solver","environment":"math","outcome":"truncated","limit":"steps",
            "steps":4,"timings":{"model":1.0,"tools":0.5,"verify":0.1,"total":1.75}}}"#,
        );
        assert_eq!((entry.repeat(), entry.reward(), entry.tokens()), (Some(2), Some(0.5), Some(9)));
        assert_eq!((entry.steps(), entry.seconds()), (Some(4), Some(1.75)));
        assert_eq!((entry.created_at(), entry.ending), (Some(17), Ending::Truncated));
        assert_eq!(&*names.tasks[entry.task as usize], "solver/a/3");
        assert_eq!(names.origins[usize::from(entry.origin)].environment, "math");
        assert_eq!(&*names.reasons[usize::from(entry.reason)], "steps");
    }

    #[test]
    fn rollouts_of_nemo_gym_and_rows_of_datasets_are_told_by_what_they_have() {
        let (entry, names) = parse(
            r#"{"_ng_task_index":7,"_ng_rollout_index":1,"agent_ref":{"name":"a"},"reward":1,
            "response":{"output":[1,2]}}"#,
        );
        assert_eq!((&*names.tasks[0], entry.repeat()), ("7", Some(1)));
        assert_eq!(
            (entry.tokens(), entry.are_bytes, entry.ending),
            (Some(5), true, Ending::Scored)
        );
        assert_eq!(names.origins[usize::from(entry.origin)].agent, "a");
        let (entry, _) = parse(r#"{"_ng_failure_class":"judge_failed","response":{},"reward":0}"#);
        assert_eq!(entry.ending, Ending::Failed);
        let (entry, _) = parse(r#"{"responses_create_params":{"input":[]},"answer":4}"#);
        assert_eq!((entry.ending, entry.reward(), entry.tokens()), (Ending::Task, None, None));
    }

    #[test]
    fn what_has_an_odd_shape_is_not_there_and_what_is_no_rollout_says_why() {
        let (entry, _) =
            parse(r#"{"response":{"usage":3},"reward":"1","rehearsal":[],"agent_ref":"x"}"#);
        assert_eq!((entry.reward(), entry.ending), (None, Ending::Unscored));
        let mut names = Names::default();
        for line in ["[]", "{", "{}", "\u{0}", r#"{"reward":1}"#] {
            assert!(Entry::parse(line.as_bytes(), &mut names).is_err(), "{line}");
        }
    }

    #[test]
    fn parts_that_are_put_together_keep_their_names() {
        let mut whole = Names::default();
        whole.task("x");
        let line =
            r#"{"response":{},"rehearsal":{"task":"y","agent":"a","failure":{"culprit":"model"}}}"#;
        let (entry, part) = parse(line);
        let mut entries = [entry];
        whole.adopt(&part, &mut entries);
        assert_eq!(&*whole.tasks[entries[0].task as usize], "y");
        assert_eq!(whole.origins[usize::from(entries[0].origin)].agent, "a");
        assert_eq!(&*whole.reasons[usize::from(entries[0].reason)], "model");
    }
}
