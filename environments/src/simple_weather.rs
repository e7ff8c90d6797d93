//! stub
use framework::environment::*;
use framework::responses::Response;
use framework::wiring::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
/// stub
pub struct SimpleWeather;
/// stub
#[derive(Deserialize, JsonSchema)]
pub struct City {
    city: String,
}
/// stub
#[derive(Serialize)]
pub struct W {
    city: String,
    weather_description: String,
}
/// t
#[derive(Deserialize, JsonSchema)]
pub struct Target {}
async fn get_weather(_: &SimpleWeather, _: &mut (), a: City) -> Result<W, ToolError> {
    let weather_description = format!("The weather in {} is cold.", a.city);
    Ok(W { city: a.city, weather_description })
}
impl Environment for SimpleWeather {
    const KIND: &'static str = "simple_weather";
    type Config = serde::de::IgnoredAny;
    type Target = Target;
    type Session = ();
    fn new(_: Self::Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }
    fn tools(tools: &mut Tools<Self>) {
        tools.add("get_weather", get_weather);
    }
    async fn open(&self, _: &Target) -> Result<(), EnvironmentError> {
        Ok(())
    }
    async fn verify(&self, _: (), _: &Target, _: &Response) -> Result<Verdict, EnvironmentError> {
        Ok(Verdict::new(Reward::ONE))
    }
}
