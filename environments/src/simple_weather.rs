//! `simple_weather`: one tool, no state, and a reward of 1 whatever happens.
//!
//! The smallest environment there is (NeMo Gym: `simple_weather`, later `example_single_tool_call`).
//! Its reward carries no signal, so it shows that a setup works and nothing else: even an empty
//! answer earns 1.
//!
//! # Differs from NeMo Gym
//!
//! In nothing but that the tool has a description.

use framework::environment::{
    Environment, EnvironmentError, Evidence, Reward, ToolError, Tools, Verdict,
};
use framework::responses::Response;
use framework::wiring::{BuildError, Wiring};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The environment's `settings:`; there are none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// What a row says beyond the prompt: nothing.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Target {}

/// Gets the weather in a city.
#[derive(Deserialize, JsonSchema)]
struct GetWeather {
    /// The city's name.
    city: String,
}

#[derive(Serialize)]
struct Weather {
    city: String,
    weather_description: String,
}

/// A world in which it is cold everywhere.
#[derive(Debug)]
pub struct SimpleWeather;

impl Environment for SimpleWeather {
    const KIND: &'static str = "simple_weather";
    const EVIDENCE: Evidence = Evidence::Transcript;
    type Config = Config;
    type Target = Target;
    type Session = ();

    fn new(_: Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add_shared("get_weather", get_weather);
    }

    async fn open(&self, _: &Target) -> Result<(), EnvironmentError> {
        Ok(())
    }

    async fn verify(&self, (): (), _: &Target, _: &Response) -> Result<Verdict, EnvironmentError> {
        Ok(Verdict::new(Reward::ONE))
    }
}

async fn get_weather(
    _: &SimpleWeather,
    (): &(),
    GetWeather { city }: GetWeather,
) -> Result<Weather, ToolError> {
    let weather_description = format!("The weather in {city} is cold.");
    Ok(Weather { city, weather_description })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trials;
    use framework::environment::Trial;

    const ROW: &str = r#"{"responses_create_params":{"input":"Is it warm?"}}"#;

    #[tokio::test]
    async fn the_weather_is_cold_in_every_city() {
        let mut trial = Trial::<SimpleWeather>::open("{}", ROW).await.unwrap();
        for (arguments, expected) in [
            (
                r#"{"city":"SF"}"#,
                r#"{"city":"SF","weather_description":"The weather in SF is cold."}"#,
            ),
            (
                r#"{"city":"Zürich","x":1}"#,
                r#"{"city":"Zürich","weather_description":"The weather in Zürich is cold."}"#,
            ),
            (r#"{"city":""}"#, r#"{"city":"","weather_description":"The weather in  is cold."}"#),
            (
                r#"{"city":1}"#,
                r#"{"detail":[{"type":"string_type","loc":["body","city"],"msg":"Input should be a valid string","input":1}]}"#,
            ),
            (
                "{}",
                r#"{"detail":[{"type":"missing","loc":["body","city"],"msg":"Field required","input":{}}]}"#,
            ),
        ] {
            assert_eq!(trial.call("get_weather", arguments).await, expected);
        }
        assert_eq!(trial.call("get_whether", "{}").await, r#"{"detail":"Not Found"}"#);
        assert_eq!(trial.verify().await.unwrap().reward, Reward::ONE);
    }

    #[tokio::test]
    async fn an_empty_answer_earns_1_too() {
        let trial = Trial::<SimpleWeather>::open("{}", ROW).await.unwrap();
        let verdict = trial.verify().await.unwrap();
        assert_eq!((verdict.reward, verdict.extras.is_empty()), (Reward::ONE, true));
    }

    #[tokio::test]
    async fn the_gold_answers_earn_1() {
        trials::gold_answers_earn_1::<SimpleWeather>().await;
    }

    #[tokio::test]
    async fn recorded_rollouts_of_nemo_gym_come_out_the_same() {
        trials::recorded_rollouts_agree::<SimpleWeather>(|_| Some(Vec::new())).await;
    }
}
