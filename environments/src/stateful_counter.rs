//! `stateful_counter`: a counter per rollout, and a reward for the right count.
//!
//! Shows state that lives in a session (NeMo Gym: `stateful_counter`, later
//! `example_session_state_mgmt`). The verifier looks at the counter alone; what the model says about
//! it does not matter. The counter is an integer of any size, as Python's are.
//!
//! # Differs from NeMo Gym
//!
//! A session is opened before its first tool call, always and once, so there is no counter that
//! starts at 0 for want of a seed, and no rollout that scores 0 for want of a session. Argument
//! text that is not JSON is ignored by `get_counter_value`, as its server does; NeMo Gym's agent
//! would not get that far.

use framework::environment::python::Integer;
use framework::environment::{Environment, EnvironmentError, Reward, ToolError, Tools, Verdict};
use framework::responses::Response;
use framework::wiring::{BuildError, Wiring};
use num_bigint::BigInt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The environment's `settings:`; there are none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// What a row says beyond the prompt.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Target {
    /// The count that earns 1.
    pub expected_count: Integer,
    /// The count that the rollout starts with.
    pub initial_count: Integer,
}

/// Adds to the counter.
#[derive(Deserialize, JsonSchema)]
struct Increment {
    /// How much to add; less than 0 takes away.
    count: Integer,
}

#[derive(Serialize)]
struct Incremented {
    success: bool,
}

/// Tells the counter's value.
#[derive(Deserialize, JsonSchema)]
struct GetValue {}

#[derive(Serialize)]
struct Value {
    count: Integer,
}

/// The environment; it has nothing that rollouts share.
#[derive(Debug)]
pub struct StatefulCounter;

impl Environment for StatefulCounter {
    const KIND: &'static str = "stateful_counter";
    type Config = Config;
    type Target = Target;
    type Session = BigInt;

    fn new(_: Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add("increment_counter", increment);
        tools.add_shared("get_counter_value", get_value).ignoring_arguments();
    }

    async fn open(&self, target: &Target) -> Result<BigInt, EnvironmentError> {
        Ok(number(&target.initial_count))
    }

    async fn verify(
        &self,
        count: BigInt,
        target: &Target,
        _: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        Ok(Verdict::new(Reward::earned(count == number(&target.expected_count))))
    }
}

async fn increment(
    _: &StatefulCounter,
    counter: &mut BigInt,
    Increment { count }: Increment,
) -> Result<Incremented, ToolError> {
    *counter += number(&count);
    Ok(Incremented { success: true })
}

async fn get_value(
    _: &StatefulCounter,
    counter: &BigInt,
    GetValue {}: GetValue,
) -> Result<Value, ToolError> {
    let count = Integer::parse(&counter.to_string()).ok_or_else(too_long)?;
    Ok(Value { count })
}

fn number(integer: &Integer) -> BigInt {
    integer.as_str().parse().expect("an integer is decimal digits")
}

/// What Python says about a number that it is not to print.
fn too_long() -> ToolError {
    ToolError::text(
        "\"ValueError('Exceeds the limit (4300 digits) for integer string conversion; use \
         sys.set_int_max_str_digits() to increase the limit')\"",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trials;
    use framework::environment::Trial;
    use proptest::prelude::*;

    fn row(initial: &str, expected: &str) -> String {
        let params = r#""responses_create_params":{"input":"Count."}"#;
        format!(r#"{{{params},"initial_count":{initial},"expected_count":{expected}}}"#)
    }

    async fn open(initial: &str, expected: &str) -> Trial<StatefulCounter> {
        Trial::open("{}", &row(initial, expected)).await.unwrap()
    }

    #[tokio::test]
    async fn sessions_count_apart() {
        let (mut a, mut b) = (open("0", "2").await, open("0", "7").await);
        for (of_a, tool, arguments, expected) in [
            (true, "get_counter_value", "{}", r#"{"count":0}"#),
            (true, "increment_counter", r#"{"count":2}"#, r#"{"success":true}"#),
            (true, "get_counter_value", "{}", r#"{"count":2}"#),
            (false, "increment_counter", r#"{"count":4}"#, r#"{"success":true}"#),
            (false, "get_counter_value", "{}", r#"{"count":4}"#),
            (false, "increment_counter", r#"{"count":3}"#, r#"{"success":true}"#),
            (false, "get_counter_value", "{}", r#"{"count":7}"#),
            (true, "get_counter_value", "{}", r#"{"count":2}"#),
        ] {
            let trial = if of_a { &mut a } else { &mut b };
            assert_eq!(trial.call(tool, arguments).await, expected);
        }
        assert_eq!(a.verify().await.unwrap().reward, Reward::ONE);
        assert_eq!(b.verify().await.unwrap().reward, Reward::ONE);
    }

    #[tokio::test]
    async fn the_count_at_the_end_earns_the_reward() {
        for (initial, steps, expected, earned) in [
            ("3", ["1", "2"], "6", true),
            ("3", ["1", "2"], "7", false),
            ("0", ["0", "0"], "0", true),
            ("5", ["-2", "-3"], "0", true),
            ("\" 3.0 \"", ["\"1_0\"", "true"], "14.0", true),
            ("0", ["1e3", "2.0"], "1002", true),
        ] {
            let mut trial = open(initial, expected).await;
            for step in steps {
                trial.call("increment_counter", &format!(r#"{{"count":{step}}}"#)).await;
            }
            let verdict = trial.verify().await.unwrap();
            assert_eq!(verdict.reward, Reward::earned(earned), "{initial} {steps:?}");
            assert!(verdict.extras.is_empty());
        }
    }

    #[tokio::test]
    async fn a_wrong_increment_is_explained_and_changes_nothing() {
        let mut trial = open("1", "1").await;
        for (arguments, error) in [
            ("{}", r#""type":"missing","loc":["body","count"]"#),
            (r#"{"count":2.5}"#, r#""type":"int_from_float""#),
            (r#"{"count":"two"}"#, r#""type":"int_parsing""#),
            (r#"{"count":null}"#, r#""type":"int_type""#),
            ("count=2", "JSONDecodeError('Expecting value: line 1 column 1 (char 0)')"),
        ] {
            let answer = trial.call("increment_counter", arguments).await;
            assert!(answer.contains(error), "{arguments}: {answer}");
        }
        assert_eq!(trial.call("get_counter_value", "{}").await, r#"{"count":1}"#);
        assert_eq!(trial.verify().await.unwrap().reward, Reward::ONE);
    }

    #[tokio::test]
    async fn asking_for_the_value_takes_any_arguments() {
        let mut trial = open("8", "8").await;
        for arguments in ["{}", "", "null", "[1]", r#"{"count":5}"#, "not JSON"] {
            assert_eq!(trial.call("get_counter_value", arguments).await, r#"{"count":8}"#);
        }
    }

    #[tokio::test]
    async fn a_count_may_be_of_any_size() {
        let big = "1000000000000000000000000000001";
        let mut trial = open("1", &format!("\"{big}\"")).await;
        let arguments = format!(r#"{{"count":{}}}"#, "1000000000000000000000000000000");
        trial.call("increment_counter", &arguments).await;
        let value = trial.call("get_counter_value", "{}").await;
        assert_eq!(value, format!(r#"{{"count":{big}}}"#));
        assert_eq!(trial.verify().await.unwrap().reward, Reward::ONE);
    }

    #[tokio::test]
    async fn a_count_too_long_to_print_is_an_answer_not_a_crash() {
        let nines = "9".repeat(4300);
        let mut trial = open(&nines, "0").await;
        trial.call("increment_counter", r#"{"count":1}"#).await;
        let answer = trial.call("get_counter_value", "{}").await;
        assert!(answer.starts_with("\"ValueError('Exceeds the limit (4300 digits)"), "{answer}");
        assert_eq!(trial.verify().await.unwrap().reward, Reward::ZERO);
    }

    #[tokio::test]
    async fn a_malformed_row_is_an_error_that_names_its_keys() {
        let row = r#"{"responses_create_params":{"input":"Count."},"initial_count":0.5}"#;
        let error = Trial::<StatefulCounter>::open("{}", row).await.err().unwrap().to_string();
        let expected = "`expected_count`: Field required; `initial_count`: Input should be a valid \
            integer, got a number with a fractional part";
        assert_eq!(error, expected);
    }

    proptest! {
        #[test]
        fn the_order_of_increments_does_not_matter(
            initial: i64,
            mut steps in prop::collection::vec(any::<i64>(), 0..8),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let sum: i128 = i128::from(initial) + steps.iter().map(|step| i128::from(*step)).sum::<i128>();
            for _ in 0..2 {
                let reward = runtime.block_on(async {
                    let mut trial = open(&initial.to_string(), &sum.to_string()).await;
                    for step in &steps {
                        trial.call("increment_counter", &format!(r#"{{"count":{step}}}"#)).await;
                    }
                    trial.verify().await.unwrap().reward
                });
                prop_assert_eq!(reward, Reward::ONE);
                steps.reverse();
            }
        }
    }

    #[tokio::test]
    async fn the_gold_answers_earn_1_and_silence_earns_less() {
        trials::gold_answers_earn_1::<StatefulCounter>().await;
        trials::silence_earns_less::<StatefulCounter>().await;
    }

    #[tokio::test]
    async fn recorded_rollouts_of_nemo_gym_come_out_the_same() {
        // In the tasks of `add a then add b …` the counter starts at b + 1.
        trials::recorded_rollouts_agree::<StatefulCounter>(|prompt| {
            let numbers: Vec<i64> =
                prompt.split(' ').filter_map(|word| word.parse().ok()).collect();
            let [first, second] = numbers[..] else { return None };
            let initial = second + 1;
            Some(vec![
                ("initial_count", initial.into()),
                ("expected_count", (initial + first + second).into()),
            ])
        })
        .await;
    }
}
