//! What a statistic needs of a recorded rollout, read without building the rest.
//!
//! Records of Rehearsal, of NeMo Gym's later versions (`_ng_task_index`) and of its first (no key at
//! all) are read. Without a key, rollouts of the same parameters are repeats of one task.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Which fields are read besides numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted<'a> {
    pub(super) answer: Option<&'a str>,
    pub(super) subset: Option<&'a str>,
}

/// One rollout.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) agent: String,
    pub(super) task: String,
    /// Which repeat of its task; `None` if only its place in the file tells.
    pub(super) repeat: Option<u32>,
    /// Numbers and truth values (as 0 and 1) of the top level and of `response.usage`.
    pub(super) numbers: Vec<(String, f64)>,
    pub(super) reward: f64,
    pub(super) answer: Option<String>,
    pub(super) subset: Option<String>,
    /// Tokens that the model wrote; bytes of its output where nobody counted.
    pub(super) length: u64,
    /// When the last response was made, in Unix seconds.
    pub(super) created_at: Option<f64>,
}

/// Whose rollout a line is, without its numbers: for lines that say what was to be done.
#[derive(Debug, PartialEq)]
pub(super) struct Key {
    pub(super) agent: String,
    pub(super) task: String,
    pub(super) repeat: Option<u32>,
}

/// Why a line is no rollout.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    #[error("not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it has no `reward`")]
    NoReward,
    #[error("it has no `response`")]
    NoResponse,
}

/// The agent of rollouts that name none.
const NO_AGENT: &str = "agent";
/// Who is to blame where nobody was named.
const UNKNOWN: &str = "unknown";

impl Record {
    pub(super) fn parse(line: &[u8], wanted: &Wanted<'_>) -> Result<Self, RecordError> {
        let mut parts = Parts::parse(line, wanted)?;
        let response = parts.response.take().ok_or(RecordError::NoResponse)?;
        let reward = parts.numbers.iter().find(|(name, _)| name == "reward");
        let reward = reward.ok_or(RecordError::NoReward)?.1;
        let Key { agent, task, repeat } = parts.key();
        let mut numbers = parts.numbers;
        numbers.extend(response.usage.unwrap_or_default().0);
        let tokens = numbers.iter().find(|(name, _)| name == "output_tokens");
        let bytes = response.output.map_or(0, |output| output.get().len() as u64);
        Ok(Self {
            agent,
            task,
            repeat,
            reward,
            answer: parts.answer,
            subset: parts.subset,
            length: tokens.map_or(bytes, |(_, tokens)| *tokens as u64),
            created_at: response.created_at.filter(|seconds| *seconds > 0.0),
            numbers,
        })
    }
}

impl Key {
    pub(super) fn parse(line: &[u8]) -> Result<Self, RecordError> {
        Ok(Parts::parse(line, &Wanted::default())?.key())
    }

    /// The key of a rollout that was given up, and who is to blame.
    pub(super) fn of_failure(line: &[u8]) -> Result<(Self, String), RecordError> {
        let mut parts = Parts::parse(line, &Wanted::default())?;
        let culprit = parts.provenance.failure.take().and_then(|failure| failure.culprit);
        Ok((parts.key(), culprit.unwrap_or_else(|| UNKNOWN.to_owned())))
    }
}

/// A line's parts, before they are put together.
#[derive(Default)]
struct Parts<'a> {
    params: Option<&'a RawValue>,
    response: Option<Response<'a>>,
    provenance: Provenance,
    agent_ref: AgentRef,
    task_index: Option<u64>,
    rollout_index: Option<u32>,
    numbers: Vec<(String, f64)>,
    answer: Option<String>,
    subset: Option<String>,
}

#[derive(Deserialize)]
struct Response<'a> {
    usage: Option<Numbers>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    created_at: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Provenance {
    task: Option<String>,
    repeat: Option<u32>,
    agent: Option<String>,
    failure: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    culprit: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AgentRef {
    name: Option<String>,
}

impl<'a> Parts<'a> {
    fn parse(line: &'a [u8], wanted: &Wanted<'_>) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        let parts = deserializer.deserialize_map(PartsVisitor(wanted))?;
        deserializer.end()?;
        Ok(parts)
    }

    fn key(&mut self) -> Key {
        let agent = self.provenance.agent.take().or_else(|| self.agent_ref.name.take());
        let index = self.task_index.map(|index| index.to_string());
        let task = self.provenance.task.take().or(index);
        Key {
            agent: agent.unwrap_or_else(|| NO_AGENT.to_owned()),
            task: task.unwrap_or_else(|| self.fingerprint()),
            repeat: self.provenance.repeat.or(self.rollout_index),
        }
    }

    /// A name made from the parameters.
    fn fingerprint(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.params.map(RawValue::get).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

struct PartsVisitor<'w>(&'w Wanted<'w>);

impl<'de> Visitor<'de> for PartsVisitor<'_> {
    type Value = Parts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts<'de>, A::Error> {
        let mut parts = Parts::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "responses_create_params" => parts.params = Some(map.next_value()?),
                "response" => parts.response = Some(map.next_value()?),
                "rehearsal" => parts.provenance = map.next_value()?,
                "agent_ref" => parts.agent_ref = map.next_value()?,
                "_ng_task_index" => parts.task_index = Some(map.next_value()?),
                "_ng_rollout_index" => parts.rollout_index = Some(map.next_value()?),
                name if name.starts_with("_ng_") => {
                    map.next_value::<IgnoredAny>()?;
                }
                name => {
                    let value = map.next_value::<Scalar>()?;
                    if self.0.answer == Some(name) {
                        parts.answer = value.to_text();
                    }
                    if self.0.subset == Some(name) {
                        parts.subset = value.to_text();
                    }
                    if let Some(number) = value.number() {
                        parts.numbers.push((key, number));
                    }
                }
            }
        }
        Ok(parts)
    }
}

/// The numbers of an object; what else it holds is passed over.
#[derive(Default)]
struct Numbers(Vec<(String, f64)>);

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumbersVisitor;
        impl<'de> Visitor<'de> for NumbersVisitor {
            type Value = Numbers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Numbers, A::Error> {
                let mut numbers = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Scalar>()? {
                    numbers.extend(value.number().map(|number| (name, number)));
                }
                Ok(Numbers(numbers))
            }
        }
        deserializer.deserialize_map(NumbersVisitor)
    }
}

/// A value, as far as a statistic looks at it.
#[derive(Debug, PartialEq)]
enum Scalar {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// A list or an object.
    Other,
}

impl Scalar {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(truth) => Some(f64::from(u8::from(*truth))),
            Self::Number(number) => Some(*number),
            Self::Null | Self::Text(_) | Self::Other => None,
        }
    }

    /// The value as an answer or the name of a subset; `None` where there is none.
    fn to_text(&self) -> Option<String> {
        match self {
            Self::Null | Self::Other => None,
            Self::Bool(truth) => Some(truth.to_string()),
            Self::Number(number) => Some(number.to_string()),
            Self::Text(text) => Some(text.clone()),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Record, RecordError> {
        Record::parse(line.as_bytes(), &Wanted { answer: Some("said"), subset: Some("level") })
    }

    #[test]
    fn a_record_of_our_own_names_itself() {
        let record = parse(
            r#"{"responses_create_params":{"input":"hi"},"ok":true,"note":"x","list":[1,{"a":2}],
            "said":"four","level":3,
            "response":{"output":[],"created_at":17.0,"usage":{"output_tokens":9,"details":{"a":1}}},
            "reward":0.5,"rehearsal":{"task":"solver/a/3","repeat":2,"agent":"solver","steps":4}}"#,
        )
        .unwrap();
        assert_eq!((record.agent.as_str(), record.task.as_str()), ("solver", "solver/a/3"));
        assert_eq!((record.repeat, record.reward, record.length), (Some(2), 0.5, 9));
        assert_eq!((record.answer.as_deref(), record.subset.as_deref()), (Some("four"), Some("3")));
        assert_eq!(record.created_at, Some(17.0));
        let names: Vec<_> = record.numbers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ok", "level", "reward", "output_tokens"]);
    }

    #[test]
    fn a_record_of_nemo_gym_names_itself_by_its_indices() {
        let record = parse(
            r#"{"_ng_task_index":7,"_ng_rollout_index":1,"_ng_attempt_index":2,"agent_ref":{"name":"a"},
            "reward":1,"response":{"output":[1,2]}}"#,
        )
        .unwrap();
        assert_eq!((record.agent.as_str(), record.task.as_str()), ("a", "7"));
        assert_eq!((record.repeat, record.length), (Some(1), 5));
        assert_eq!(record.numbers, [("reward".to_owned(), 1.0)]);
    }

    #[test]
    fn rollouts_without_a_key_are_told_apart_by_their_parameters() {
        let task = |input: &str| {
            let line = format!(
                r#"{{"responses_create_params":{{"input":"{input}"}},"reward":1,"response":{{}}}}"#
            );
            parse(&line).unwrap().task
        };
        assert_eq!(task("a"), task("a"));
        assert_ne!(task("a"), task("b"));
    }

    #[test]
    fn what_is_no_rollout_says_why() {
        for (line, reason) in [
            (
                "[]",
                "not a JSON object: invalid type: sequence, expected an object at line 1 column 0",
            ),
            ("{", "not a JSON object: EOF while parsing an object at line 1 column 1"),
            (r#"{"reward":1}"#, "it has no `response`"),
            (r#"{"response":{}}"#, "it has no `reward`"),
            (r#"{"response":{},"reward":"1"}"#, "it has no `reward`"),
        ] {
            assert_eq!(parse(line).unwrap_err().to_string(), reason, "{line}");
        }
    }
}
