//! `multineedle`: look up the values of a term's synonyms and submit them in their order.
//!
//! Exercises several dependent tool calls and attention to order in a long prompt (NeMo Gym:
//! `multineedle`, later `example_multi_step`). A synonym's value is the sum of its code points. The
//! verifier reads the last `extract_synonym_values` call of the transcript, whether or not that call
//! succeeded; the "minefield" is the term itself, whose value a hasty model submits.
//!
//! The verdict's extras:
//!
//! | Name | Type | Says |
//! |---|---|---|
//! | `parsed_synonym_values` | list of int | what was submitted |
//! | `accuracy` | bool | it is what was expected; this alone earns 1 |
//! | `set_overlap` | float | distinct values that are in both, per expected value |
//! | `original_term_minefield_hit` | bool | the term or its value was submitted |
//! | `order_instruction_following_failure` | bool | all values are there, yet something is wrong |
//!
//! # Differs from NeMo Gym
//!
//! Where it answers 500 because of what the model submitted (arguments that are not JSON, no list
//! of numbers in them), the submission counts as empty and earns 0. A row that expects no values at
//! all is malformed; NeMo Gym divides by zero on it.

use framework::environment::python::{Integer, Json, lax};
use framework::environment::{
    Environment, EnvironmentError, Evidence, Reward, ToolError, Tools, Verdict,
};
use framework::responses::{Item, Response};
use framework::wiring::{BuildError, Wiring};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// The environment's `settings:`; there are none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// What a row says beyond the prompt.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Target {
    /// The row's number in its dataset.
    pub id: Integer,
    /// The values that earn 1, in their order; at least one.
    #[serde(deserialize_with = "at_least_one")]
    pub expected_synonym_values: Vec<Integer>,
    /// The synonyms that have these values.
    pub expected_synonyms: Vec<String>,
    /// The term that the synonyms stand for.
    pub minefield_label: String,
    /// The term's own value.
    pub minefield_label_value: Integer,
}

fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Integer>, D::Error> {
    let values = Vec::deserialize(deserializer)?;
    if values.is_empty() { Err(D::Error::custom("must not be empty")) } else { Ok(values) }
}

/// Looks up the value of a synonym.
#[derive(Deserialize, JsonSchema)]
struct GetSynonymValue {
    /// The synonym, spelled as in the list.
    synonym: String,
}

#[derive(Serialize)]
struct SynonymValue {
    synonym_value: u64,
}

/// Submits the values of the synonyms of the term that the question is about.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "the verifier reads the submission from the transcript")]
struct ExtractSynonymValues {
    /// The values, in the order of the list.
    synonym_values: Vec<Integer>,
}

#[derive(Serialize)]
struct Extracted {
    success: bool,
}

/// The environment; it has neither state nor settings.
#[derive(Debug)]
pub struct Multineedle;

/// The tool whose last call is the submission.
const EXTRACT: &str = "extract_synonym_values";

impl Environment for Multineedle {
    const KIND: &'static str = "multineedle";
    const EVIDENCE: Evidence = Evidence::Transcript;
    type Config = Config;
    type Target = Target;
    type Session = ();

    fn new(_: Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add_shared("get_synonym_value", get_synonym_value);
        tools.add_shared(EXTRACT, extract_synonym_values);
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
        let submission = Submission::last_of(response).unwrap_or_default();
        Ok(submission.verdict(target))
    }
}

async fn get_synonym_value(
    _: &Multineedle,
    (): &(),
    GetSynonymValue { synonym }: GetSynonymValue,
) -> Result<SynonymValue, ToolError> {
    Ok(SynonymValue { synonym_value: synonym.chars().map(u64::from).sum() })
}

async fn extract_synonym_values(
    _: &Multineedle,
    (): &(),
    _: ExtractSynonymValues,
) -> Result<Extracted, ToolError> {
    Ok(Extracted { success: true })
}

/// What the model submitted.
#[derive(Default)]
struct Submission {
    /// As it stands in the arguments.
    values: Vec<Json>,
    /// As integers.
    parsed: Vec<Integer>,
}

impl Submission {
    /// The submission of the last call; `None` if there is none, or it is no list of numbers.
    fn last_of(response: &Response) -> Option<Self> {
        let calls = response.output.iter().rev().filter_map(Item::as_function_call);
        let call = calls.into_iter().find(|call| &*call.name == EXTRACT)?;
        let arguments = Json::parse(&call.arguments).ok()?;
        let Json::Array(values) = arguments.get("synonym_values")? else { return None };
        let parsed = values.iter().map(|value| lax::integer(value).ok()).collect::<Option<_>>()?;
        Some(Self { values: values.clone(), parsed })
    }

    /// Whether a value was submitted; text that says a number is not that number here.
    fn has(&self, value: &Integer) -> bool {
        let value = Json::Integer(value.clone());
        self.values.iter().any(|submitted| submitted.equals(&value))
    }

    fn verdict(&self, target: &Target) -> Verdict {
        let expected = &target.expected_synonym_values;
        let accuracy =
            self.values.len() == expected.len()
                && self.values.iter().zip(expected).all(|(submitted, expected)| {
                    submitted.equals(&Json::Integer(expected.clone()))
                });
        let is_first = |index: usize| !expected[..index].contains(&expected[index]);
        let found =
            (0..expected.len()).filter(|index| is_first(*index) && self.has(&expected[*index]));
        let set_overlap = found.count() as f64 / expected.len() as f64;
        let label = Json::String(target.minefield_label.as_str().into());
        let hits_minefield = self.has(&target.minefield_label_value)
            || self.values.iter().any(|submitted| submitted.equals(&label));
        Verdict::new(Reward::earned(accuracy))
            .with("parsed_synonym_values", &self.parsed)
            .with("accuracy", &accuracy)
            .with("set_overlap", &set_overlap)
            .with("original_term_minefield_hit", &hits_minefield)
            .with("order_instruction_following_failure", &(!accuracy && set_overlap == 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trials;
    use framework::environment::Trial;
    use serde_json::{Value, json};

    fn row(expected: &str) -> String {
        let params = r#""responses_create_params":{"input":"?"},"id":"7""#;
        let labels = r#""expected_synonyms":["a","b"],"minefield_label":"Hot""#;
        let values = format!(r#""expected_synonym_values":{expected},"minefield_label_value":299"#);
        format!("{{{params},{labels},{values}}}")
    }

    async fn open(expected: &str) -> Trial<Multineedle> {
        Trial::open("{}", &row(expected)).await.unwrap()
    }

    #[tokio::test]
    async fn a_value_is_the_sum_of_the_code_points() {
        let mut trial = open("[711,407]").await;
        for (arguments, expected) in [
            (r#"{"synonym":"Blazing"}"#, r#"{"synonym_value":711}"#),
            (r#"{"synonym":"Hot"}"#, r#"{"synonym_value":299}"#),
            (r#"{"synonym":"hot"}"#, r#"{"synonym_value":331}"#),
            (r#"{"synonym":""}"#, r#"{"synonym_value":0}"#),
            (r#"{"synonym":"é😀"}"#, r#"{"synonym_value":128745}"#),
        ] {
            assert_eq!(trial.call("get_synonym_value", arguments).await, expected);
        }
        let answer = trial.call("get_synonym_value", r#"{"synonym":5}"#).await;
        assert!(answer.contains(r#""type":"string_type""#), "{answer}");
    }

    #[tokio::test]
    async fn a_submission_needs_a_list_of_numbers() {
        let mut trial = open("[711,407]").await;
        for (values, expected) in [
            ("[711,407]", r#"{"success":true}"#),
            ("[]", r#"{"success":true}"#),
            (r#"["1",true,2.0]"#, r#"{"success":true}"#),
            (r#""x""#, r#""type":"list_type","loc":["body","synonym_values"]"#),
            ("[1.5]", r#""type":"int_from_float","loc":["body","synonym_values",0]"#),
        ] {
            let arguments = format!(r#"{{"synonym_values":{values}}}"#);
            let answer = trial.call(EXTRACT, &arguments).await;
            assert!(answer.contains(expected), "{values}: {answer}");
        }
    }

    async fn extras_of(expected: &str, submissions: &[&str]) -> (Reward, Value) {
        let mut trial = open(expected).await;
        for arguments in submissions {
            trial.call(EXTRACT, arguments).await;
        }
        let verdict = trial.verify().await.unwrap();
        (verdict.reward, serde_json::to_value(&verdict.extras).unwrap())
    }

    /// Expected and submitted values, then the extras in their order. Accuracy is the reward.
    type Case = (&'static str, &'static str, Value, bool, f64, bool, bool);

    fn cases() -> [Case; 16] {
        [
            ("[711,407]", "[711,407]", json!([711, 407]), true, 1.0, false, false),
            ("[711,407]", "[711.0,407]", json!([711, 407]), true, 1.0, false, false),
            ("[1,0]", "[true,false]", json!([1, 0]), true, 1.0, false, false),
            ("[\"711\",407.0]", "[711,407]", json!([711, 407]), true, 1.0, false, false),
            ("[711,407]", "[407,711]", json!([407, 711]), false, 1.0, false, true),
            ("[711,407]", "[711,407,407]", json!([711, 407, 407]), false, 1.0, false, true),
            ("[711,407]", "[711,407,1]", json!([711, 407, 1]), false, 1.0, false, true),
            ("[711,407]", "[711]", json!([711]), false, 0.5, false, false),
            ("[711,407]", "[299,711]", json!([299, 711]), false, 0.5, true, false),
            ("[711,407]", "[]", json!([]), false, 0.0, false, false),
            ("[711,711]", "[711,711]", json!([711, 711]), true, 0.5, false, false),
            ("[711,711]", "[711]", json!([711]), false, 0.5, false, false),
            ("[711,407]", r#"["711","407"]"#, json!([711, 407]), false, 0.0, false, false),
            ("[711,407]", r#"["299"]"#, json!([299]), false, 0.0, false, false),
            ("[299]", "[299]", json!([299]), true, 1.0, true, false),
            (
                "[9007199254740993]",
                "[9007199254740992.0]",
                json!([9007199254740992_u64]),
                false,
                0.0,
                false,
                false,
            ),
        ]
    }

    #[tokio::test]
    async fn values_are_compared_in_their_order_and_as_numbers() {
        for (expected, submitted, parsed, accuracy, overlap, minefield, order) in cases() {
            let arguments = format!(r#"{{"synonym_values":{submitted}}}"#);
            let (reward, extras) = extras_of(expected, &[&arguments]).await;
            let wanted = json!({
                "parsed_synonym_values": parsed, "accuracy": accuracy, "set_overlap": overlap,
                "original_term_minefield_hit": minefield, "order_instruction_following_failure": order
            });
            assert_eq!(extras.to_string(), wanted.to_string(), "{expected} {submitted}");
            assert_eq!(reward, Reward::earned(accuracy), "{expected} {submitted}");
        }
    }

    #[tokio::test]
    async fn a_malformed_submission_counts_as_empty() {
        for arguments in [
            "",
            "[711,407]",
            "{}",
            "null",
            r#"{"synonym_values":null}"#,
            r#"{"synonym_values":"Hot"}"#,
            r#"{"synonym_values":{}}"#,
            r#"{"synonym_values":[[711],407]}"#,
            r#"{"synonym_values":["Hot"]}"#,
            r#"{"synonym_values":[711,null]}"#,
            r#"{"synonym_values":[711.5,407]}"#,
            r#"{"synonym_values":[NaN]}"#,
        ] {
            let (reward, extras) = extras_of("[711,407]", &[arguments]).await;
            let wanted = json!({
                "parsed_synonym_values": [], "accuracy": false, "set_overlap": 0.0,
                "original_term_minefield_hit": false, "order_instruction_following_failure": false
            });
            assert_eq!((reward, &extras), (Reward::ZERO, &wanted), "{arguments}");
        }
    }

    #[tokio::test]
    async fn the_last_submission_counts_even_if_it_is_worse() {
        let (right, wrong) = (r#"{"synonym_values":[711,407]}"#, r#"{"synonym_values":[1]}"#);
        assert_eq!(extras_of("[711,407]", &[wrong, right]).await.0, Reward::ONE);
        assert_eq!(extras_of("[711,407]", &[right, wrong]).await.0, Reward::ZERO);
        assert_eq!(extras_of("[711,407]", &[right, "oops"]).await.0, Reward::ZERO);
    }

    #[tokio::test]
    async fn a_malformed_row_is_an_error_that_names_its_keys() {
        for (row, expected) in [
            (row("[]"), "`expected_synonym_values`: Value error, must not be empty"),
            (row("[1.5]"), "`expected_synonym_values[0]`: Input should be a valid integer, got"),
            (
                r#"{"responses_create_params":{"input":"?"},"id":1}"#.to_owned(),
                "`expected_synonym_values`: Field required; `expected_synonyms`: Field required; \
                 `minefield_label`: Field required; `minefield_label_value`: Field required",
            ),
        ] {
            let error = Trial::<Multineedle>::open("{}", &row).await.err().unwrap().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[tokio::test]
    async fn the_gold_answers_earn_1_and_silence_earns_less() {
        trials::gold_answers_earn_1::<Multineedle>().await;
        trials::silence_earns_less::<Multineedle>().await;
    }

    #[tokio::test]
    async fn recorded_rollouts_of_nemo_gym_come_out_the_same() {
        // All recorded prompts are about the same term.
        trials::recorded_rollouts_agree::<Multineedle>(|_| {
            Some(vec![
                ("id", json!(0)),
                ("expected_synonyms", json!(["Blazing", "Warm"])),
                ("expected_synonym_values", json!([711, 407])),
                ("minefield_label", json!("Hot")),
                ("minefield_label_value", json!(299)),
            ])
        })
        .await;
    }
}
