//! `kind_name`: a pantry, and a reward for taking from its shelf just what a recipe needs.
//!
//! | Tool | Takes | Answers |
//! |---|---|---|
//! | `take` | `item`, `count` | `left`, how many are left; or what is wrong, and then nothing is taken |
//!
//! A rollout earns 1 if what it has taken is what its row wants, neither more nor less; what the model
//! says about it does not matter. The verdict's extra `taken` is what was taken.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use framework::environment::{Environment, EnvironmentError, Reward, ToolError, Tools, Verdict};
use framework::responses::Response;
use framework::task::{Row, Target as AnyTarget, TargetError};
use framework::wiring::{BuildError, Wiring};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The environment's `settings:`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How much one call may take at most.
    pub take_max: NonZeroU32,
}

impl Default for Config {
    fn default() -> Self {
        Self { take_max: NonZeroU32::new(12).expect("it is not 0") }
    }
}

/// How many there are of each item.
type Items = BTreeMap<String, u32>;

/// What a row says beyond the prompt.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Target {
    /// What stands on the shelf at first.
    pub shelf: Items,
    /// What has to be taken; something that is there.
    pub wanted: Items,
}

/// The state of one rollout.
#[derive(Debug)]
pub struct Pantry {
    shelf: Items,
    taken: Items,
}

/// Takes an item from the shelf.
#[derive(Deserialize, JsonSchema)]
struct Take {
    /// The item, by its name on the shelf.
    item: String,
    /// How many of it.
    count: NonZeroU32,
}

/// What is left of the item.
#[derive(Serialize)]
struct Left {
    left: u32,
}

/// The environment; rollouts share its settings alone.
#[derive(Debug)]
pub struct KindName {
    config: Config,
}

impl Environment for KindName {
    const KIND: &'static str = "kind_name";
    type Config = Config;
    type Target = Target;
    type Session = Pantry;

    fn new(config: Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self { config })
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add("take", take);
    }

    async fn open(&self, target: &Target) -> Result<Pantry, EnvironmentError> {
        Ok(Pantry { shelf: target.shelf.clone(), taken: Items::new() })
    }

    async fn verify(
        &self,
        pantry: Pantry,
        target: &Target,
        _: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let is_right = pantry.taken == target.wanted;
        Ok(Verdict::new(Reward::earned(is_right)).with("taken", &pantry.taken))
    }

    fn target(row: &Row) -> Result<AnyTarget, TargetError> {
        let target: Target = row.read()?;
        let there = |item: &String| target.shelf.get(item).copied().unwrap_or(0);
        if target.wanted.is_empty() {
            return Err(TargetError::new("`wanted` is empty, and doing nothing would earn 1"));
        }
        match target.wanted.iter().find(|(item, count)| !(1..=there(item)).contains(*count)) {
            Some((item, count)) => Err(TargetError::new(format!(
                "`wanted` has {count} of `{item}`, and `shelf` {}",
                there(item)
            ))),
            None => Ok(AnyTarget::new(target)),
        }
    }
}

async fn take(
    environment: &KindName,
    pantry: &mut Pantry,
    Take { item, count }: Take,
) -> Result<Left, ToolError> {
    let most = environment.config.take_max;
    if count > most {
        return Err(ToolError::text(format!("no more than {most} at a time (`take_max`)")));
    }
    let there = pantry.shelf.get_mut(&item);
    let there = there.ok_or_else(|| ToolError::text(format!("there is no `{item}` here")))?;
    let left = there.checked_sub(count.get());
    let left = left.ok_or_else(|| ToolError::text(format!("only {there} of `{item}` are left")))?;
    *there = left;
    *pantry.taken.entry(item).or_default() += count.get();
    Ok(Left { left })
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework::environment::Trial;

    fn row(wanted: &str) -> String {
        let params = r#""responses_create_params":{"input":"Take them."}"#;
        format!(r#"{{{params},"shelf":{{"eggs":6,"lemons":2}},"wanted":{wanted}}}"#)
    }

    async fn open(settings: &str) -> Trial<KindName> {
        Trial::open(settings, &row(r#"{"eggs":2,"lemons":1}"#)).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_wanted_earns_1_and_less_or_more_earns_0() {
        let calls = [r#"{"item":"eggs","count":2}"#, r#"{"item":"lemons","count":1}"#];
        for (calls, expected) in [
            (&calls[..], Reward::ONE),
            (&calls[..1], Reward::ZERO),
            (&[calls[0], calls[1], calls[1]], Reward::ZERO),
            (&[], Reward::ZERO),
        ] {
            let mut trial = open("{}").await;
            for call in calls {
                trial.call("take", call).await;
            }
            assert_eq!(trial.verify().await.unwrap().reward, expected, "{calls:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_taken_is_said_and_stays() {
        let mut trial = open(r#"{"take_max":4}"#).await;
        for (arguments, expected) in [
            (r#"{"item":"figs","count":1}"#, "there is no `figs` here"),
            (r#"{"item":"eggs","count":5}"#, "no more than 4 at a time (`take_max`)"),
            (r#"{"item":"lemons","count":3}"#, "only 2 of `lemons` are left"),
            (r#"{"item":"lemons","count":2}"#, r#"{"left":0}"#),
        ] {
            assert_eq!(trial.call("take", arguments).await, expected);
        }
    }

    #[tokio::test]
    async fn a_row_that_wants_nothing_or_what_is_not_there_is_malformed() {
        for (wanted, expected) in [
            ("{}", "`wanted` is empty"),
            (r#"{"figs":1}"#, "`wanted` has 1 of `figs`, and `shelf` 0"),
            (r#"{"eggs":7}"#, "`wanted` has 7 of `eggs`, and `shelf` 6"),
            (r#"{"eggs":0}"#, "`wanted` has 0 of `eggs`"),
        ] {
            let Err(error) = Trial::<KindName>::open("{}", &row(wanted)).await else {
                panic!("{wanted} is a task")
            };
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    // The tests of the place follow here.
}
