//! `multiverse_math_hard`: calculations in a universe whose operations are subtly different.
//!
//! A model that computes in its head computes wrongly: it has to use the tools, step by step, and to
//! copy their results exactly (NeMo Gym: `multiverse_math_hard`, later `math_advanced_calculations`).
//! The reward is 1 if every number of `ground_truth` is among the solutions that the tools answered;
//! equality is exact, order and repetition do not count, and the model's own words are not read.
//! `return_constant` makes this easy to cheat for a model that guesses a number.
//!
//! Results are equal to the last bit where `f64`'s functions are those of glibc, as Python's are.
//!
//! # Differs from NeMo Gym
//!
//! A `ground_truth` may be a real list, as NeMo Gym declares but does not take; one that holds no
//! list is a malformed row, where NeMo Gym fails on it or scores 0. A `NaN` in it matches nothing,
//! which in Python depends on object identity. Solutions given as text in digits other than ASCII
//! are not read.

mod operation;

use framework::environment::python::{Float, Integer, Json};
use framework::environment::{
    Environment, EnvironmentError, Evidence, Reward, ToolError, Tools, Verdict,
};
use framework::responses::{Item, ItemKind, Response};
use framework::wiring::{BuildError, Wiring};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use operation::{OPERATIONS, Operation};

/// The environment's `settings:`; there are none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// What a row says beyond the prompt.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Target {
    /// The numbers that the tools must have answered.
    pub ground_truth: GroundTruth,
    /// The row's number in its dataset.
    pub id: Integer,
    /// How deep the expressions are nested.
    pub depth: Integer,
    /// How many expressions there are.
    pub breadth: Integer,
}

/// A list of numbers, written as JSON in a string.
#[derive(Debug)]
pub struct GroundTruth(Vec<Json>);

impl<'de> Deserialize<'de> for GroundTruth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match Json::deserialize(deserializer)? {
            Json::String(text) => Json::parse(&text).map_err(D::Error::custom)?,
            value => value,
        };
        let Json::Array(numbers) = value else {
            return Err(D::Error::custom("must be a list of numbers, written as JSON in a string"));
        };
        Ok(Self(numbers))
    }
}

impl JsonSchema for GroundTruth {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "GroundTruth".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"] })
    }
}

/// What every tool takes: all arguments that any of them has. Which belong to it, and which are
/// missing, is Python's to say, as in a call by keyword.
#[derive(Debug, Deserialize, JsonSchema)]
struct Arguments {
    a: Option<Float>,
    b: Option<Float>,
    radians: Option<Float>,
    base: Option<Float>,
}

#[derive(Serialize)]
struct Solution {
    solution: Float,
}

/// The environment; it has neither state nor settings.
#[derive(Debug)]
pub struct MultiverseMath;

impl Environment for MultiverseMath {
    const KIND: &'static str = "multiverse_math_hard";
    const EVIDENCE: Evidence = Evidence::Transcript;
    type Config = Config;
    type Target = Target;
    type Session = ();

    fn new(_: Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    fn tools(tools: &mut Tools<Self>) {
        for operation in &OPERATIONS {
            let run = async |_: &Self, (): &(), arguments| solve(operation, &arguments);
            let tool = tools.add_shared(operation.name, run).described(operation.description);
            (operation.offer)(tool);
        }
        tools.on_unknown(|_| ToolError::detail("Function not found"));
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
        let is_output = |item: &&Item| *item.kind() == ItemKind::FunctionCallOutput;
        let outputs = response.output.iter().filter(is_output);
        let solutions: Vec<Json> =
            outputs.map(|output| solution(output).unwrap_or(Json::Null)).collect();
        let is_solved = |truth: &Json| solutions.iter().any(|solution| solution.equals(truth));
        Ok(Verdict::new(Reward::earned(target.ground_truth.0.iter().all(is_solved))))
    }
}

fn solve(operation: &Operation, arguments: &Arguments) -> Result<Solution, ToolError> {
    let Arguments { a, b, radians, base } = arguments;
    let supplied = [("a", a), ("b", b), ("radians", radians), ("base", base)];
    let supplied = supplied.into_iter().filter_map(|(name, value)| Some((name, (*value)?.0)));
    let solution = operation.call(&supplied.collect::<Vec<_>>())?;
    if !solution.is_finite() {
        return Err(ToolError::text(
            "\"ValueError('Out of range float values are not JSON compliant')\"",
        ));
    }
    Ok(Solution { solution: Float(solution) })
}

/// The number that a tool output has as its solution, if it has one: `float(json(output)["solution"])`.
fn solution(output: &Item) -> Option<Json> {
    let text: String = output.field("output")?;
    let value = match Json::parse(&text).ok()?.get("solution")? {
        Json::Float(value) => *value,
        Json::Integer(value) => Some(value.to_float()).filter(|value| value.is_finite())?,
        Json::Bool(value) => f64::from(u8::from(*value)),
        Json::String(text) => float_of_text(text)?,
        Json::Null | Json::Array(_) | Json::Object(_) => return None,
    };
    Some(Json::Float(value))
}

/// Python's `float` of a text: spaces around it, and single underscores between digits.
fn float_of_text(text: &str) -> Option<f64> {
    let is_space = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    let text = text.trim_matches(is_space);
    let digit_at = |index: Option<usize>| {
        index.and_then(|index| text.as_bytes().get(index)).is_some_and(u8::is_ascii_digit)
    };
    let mut underscores = text.match_indices('_');
    let well_placed =
        underscores.all(|(index, _)| digit_at(index.checked_sub(1)) && digit_at(Some(index + 1)));
    if well_placed { text.replace('_', "").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trials;
    use framework::environment::Trial;
    use serde_json::{Value, json};

    async fn open(ground_truth: &str) -> Trial<MultiverseMath> {
        let params = r#""responses_create_params":{"input":"?"}"#;
        let row =
            format!(r#"{{{params},"id":0,"depth":1,"breadth":"1","ground_truth":{ground_truth}}}"#);
        Trial::open("{}", &row).await.unwrap()
    }

    #[tokio::test]
    async fn every_tool_answers_as_pythons_does() {
        let mut trial = open("\"[]\"").await;
        for (tool, arguments, expected) in [
            ("add", r#"{"a":7.5,"b":1.2}"#, r#"{"solution":9.899999999999999}"#),
            ("add", r#"{"a":"3","b":true,"x":1,"base":null}"#, r#"{"solution":5.2}"#),
            ("subtract", r#"{"a":9,"b":9}"#, r#"{"solution":-3.0}"#),
            ("multiply", r#"{"a":1,"b":9}"#, r#"{"solution":9.9}"#),
            ("multiply", r#"{"a":-0.0,"b":5}"#, r#"{"solution":-0.0}"#),
            ("divide", r#"{"a":1,"b":1}"#, r#"{"solution":0.5}"#),
            ("sin", r#"{"radians":5}"#, r#"{"solution":0.28366218546322625}"#),
            ("cos", r#"{"radians":0}"#, r#"{"solution":0.0}"#),
            ("power", r#"{"a":4,"b":4}"#, r#"{"solution":4096.0}"#),
            ("log", r#"{"a":100,"base":8.5}"#, r#"{"solution":2.0}"#),
            ("pi", "{}", r#"{"solution":2.718281828459045}"#),
            ("negate", r#"{"a":7}"#, r#"{"solution":7.0}"#),
            ("return_constant", r#"{"a":1e22}"#, r#"{"solution":1e+22}"#),
            ("return_constant", r#"{"a":0.00000011}"#, r#"{"solution":1.1e-07}"#),
            (
                "return_constant",
                r#"{"a":10000000000000002}"#,
                r#"{"solution":1.0000000000000002e+16}"#,
            ),
        ] {
            assert_eq!(trial.call(tool, arguments).await, expected, "{tool} {arguments}");
        }
    }

    #[tokio::test]
    async fn every_error_has_pythons_words() {
        const NOT_COMPLIANT: &str =
            r#""ValueError('Out of range float values are not JSON compliant')""#;
        let detail = |text: &str| json!({ "detail": text }).to_string();
        let mut trial = open("\"[]\"").await;
        for (tool, arguments, expected) in [
            ("modulo", "{}", detail("Function not found")),
            ("add", r#"{"a":1}"#, detail("add() missing 1 required positional argument: 'b'")),
            ("add", "{}", detail("add() missing 2 required positional arguments: 'a' and 'b'")),
            (
                "add",
                r#"{"a":null,"b":1}"#,
                detail("add() missing 1 required positional argument: 'a'"),
            ),
            ("add", r#"{"base":1}"#, detail("add() got an unexpected keyword argument 'base'")),
            ("pi", r#"{"a":1}"#, detail("pi() got an unexpected keyword argument 'a'")),
            (
                "sin",
                r#"{"a":1,"radians":1}"#,
                detail("sin() got an unexpected keyword argument 'a'"),
            ),
            ("log", r#"{"a":1,"b":1}"#, detail("log() got an unexpected keyword argument 'b'")),
            ("divide", r#"{"a":1,"b":0}"#, detail("float division by zero")),
            ("log", r#"{"a":5,"base":-0.5}"#, detail("float division by zero")),
            ("log", r#"{"a":0,"base":2}"#, detail("math domain error")),
            ("log", r#"{"a":2,"base":-1.5}"#, detail("math domain error")),
            ("sin", r#"{"radians":"inf"}"#, detail("math domain error")),
            ("power", r#"{"a":0,"b":-3}"#, detail("0.0 cannot be raised to a negative power")),
            ("power", r#"{"a":1e200,"b":1}"#, detail("(34, 'Numerical result out of range')")),
            ("multiply", r#"{"a":1e308,"b":10}"#, NOT_COMPLIANT.to_owned()),
            ("add", r#"{"a":NaN,"b":1}"#, NOT_COMPLIANT.to_owned()),
        ] {
            assert_eq!(trial.call(tool, arguments).await, expected, "{tool} {arguments}");
        }
        let answer = trial.call("add", r#"{"a":"x","b":[]}"#).await;
        assert!(answer.contains(r#""type":"float_parsing","loc":["body","a"]"#), "{answer}");
        assert!(answer.contains(r#""type":"float_type","loc":["body","b"]"#), "{answer}");
        let answer = trial.call("power", r#"{"a":-8,"b":0.5}"#).await;
        assert!(answer.contains("1 validation error for MultiVerseMathHardResponse"), "{answer}");
    }

    async fn reward(ground_truth: &str, outputs: &[&str]) -> Reward {
        let mut trial = open(ground_truth).await;
        for output in outputs {
            trial.play(Item::function_call_output("call", output)).await;
        }
        trial.verify().await.unwrap().reward
    }

    #[tokio::test]
    async fn every_true_number_must_be_among_the_outputs() {
        for (ground_truth, outputs, earned) in [
            (r#""[5.2]""#, vec![r#"{"solution": 5.2}"#], true),
            (r#""[5.2, 1]""#, vec![r#"{"solution":1.0}"#, r#"{"solution":5.2}"#], true),
            (r#""[5.2, 5.2]""#, vec![r#"{"solution":5.2}"#], true),
            (r#""[5.2]""#, vec![r#"{"solution":5.2000000000000001}"#], true),
            (r#""[5.2]""#, vec![r#"{"solution":5.200000000000001}"#], false),
            (r#""[5.2]""#, vec![r#"{"answer":5.2}"#, "5.2", "[]", "oops", ""], false),
            (r#""[5.2]""#, vec![], false),
            (r#""[]""#, vec![], true),
            ("[5.2]", vec![r#"{"solution":5.2}"#], true),
            (
                r#""[1, true, -0.0]""#,
                vec![r#"{"solution":" 1_0e-1 "}"#, r#"{"solution":false}"#],
                true,
            ),
            (r#""[10]""#, vec![r#"{"solution":"1__0"}"#, r#"{"solution":"10_"}"#], false),
            (r#""[null]""#, vec![r#"{"detail":"float division by zero"}"#], true),
            (r#""[null]""#, vec![r#"{"solution":1}"#], false),
            (r#""[Infinity]""#, vec![r#"{"solution":1e999}"#], true),
            (r#""[NaN]""#, vec![r#"{"solution":NaN}"#], false),
            (r#""[\"1\"]""#, vec![r#"{"solution":"1"}"#], false),
            (r#""[9007199254740993]""#, vec![r#"{"solution":9007199254740993}"#], false),
        ] {
            let wanted = Reward::earned(earned);
            assert_eq!(reward(ground_truth, &outputs).await, wanted, "{ground_truth} {outputs:?}");
        }
    }

    #[tokio::test]
    async fn a_malformed_row_is_an_error_that_names_its_keys() {
        for (truth, expected) in [
            (r#""oops""#, "`ground_truth`: Value error, JSONDecodeError('Expecting value: line 1"),
            (r#""5""#, "`ground_truth`: Value error, must be a list of numbers"),
            ("5", "`ground_truth`: Value error, must be a list of numbers"),
            (r#""[1]","depth":3.25"#, "`depth`: Input should be a valid integer, got a number"),
        ] {
            let row = format!(
                r#"{{"responses_create_params":{{"input":"?"}},"id":1,"depth":1,"breadth":1,"ground_truth":{truth}}}"#
            );
            let error = Trial::<MultiverseMath>::open("{}", &row).await.err().unwrap().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[tokio::test]
    async fn the_gold_answers_earn_1_and_silence_earns_less() {
        trials::gold_answers_earn_1::<MultiverseMath>().await;
        trials::silence_earns_less::<MultiverseMath>().await;
    }

    /// The truths of the recorded prompts `(a + b)`, `a ** b` and `sin(a)`, by the formulas.
    fn truth_of(prompt: &str) -> Option<f64> {
        let is_digit = |c: char| c.is_ascii_digit() || c == '.';
        let words = prompt.split(|c| !is_digit(c)).filter_map(|word| word.parse::<f64>().ok());
        match words.collect::<Vec<_>>()[..] {
            [a] if prompt.contains("sin(") => Some(a.cos()),
            [a, b] if prompt.contains("**") => Some(a.powf(b + 2.0)),
            [a, b] if prompt.contains(" + ") => Some(a + b + 1.2),
            _ => None,
        }
    }

    #[tokio::test]
    async fn recorded_rollouts_of_nemo_gym_come_out_the_same() {
        trials::recorded_rollouts_agree::<MultiverseMath>(|prompt| {
            let ground_truth: Value = format!("[{}]", truth_of(prompt)?).into();
            let number = |name| (name, Value::from(1));
            Some(vec![
                ("ground_truth", ground_truth),
                number("id"),
                number("depth"),
                number("breadth"),
            ])
        })
        .await;
    }
}
