//! What follows from what the judge says. No judge is asked here.

use framework::environment::Reward;
use framework::wiring::BuildError;

use super::Config;

/// The settings that decide about rewards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    use_per_record_regex: bool,
    length_threshold: Option<usize>,
    check_twice_swap: bool,
    reward_if_swap_fails: Reward,
    check_full_generation: bool,
    reward_if_full_generation_succeeds: Reward,
}

impl Rules {
    /// The rules of a configuration.
    ///
    /// # Errors
    /// Fails if a reward is not finite.
    pub(super) fn new(config: &Config) -> Result<Self, BuildError> {
        let reward = |key: &str, value| {
            Reward::new(value)
                .map_err(|error| BuildError::new(format_args!("`settings.{key}`: {error}")))
        };
        Ok(Self {
            use_per_record_regex: config.use_per_record_regex,
            length_threshold: config.extraction_length_threshold,
            check_twice_swap: config.check_twice_swap,
            reward_if_swap_fails: reward("reward_if_swap_fails", config.reward_if_swap_fails)?,
            check_full_generation: config.check_full_generation_on_fail,
            reward_if_full_generation_succeeds: reward(
                "reward_if_full_generation_succeeds",
                config.reward_if_full_generation_succeeds,
            )?,
        })
    }
}

/// What the rules need to know of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    rules: Rules,
    has_regex: bool,
    is_long: bool,
}

/// What comes after the judge's first verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
    /// Nothing; this is the reward.
    Done(Reward),
    /// The answers are judged again, exchanged: 1 if they are equivalent.
    Swap {
        /// The reward if they are not.
        otherwise: Reward,
    },
    /// All that the model said is judged: 0 if it is not equivalent.
    Rescue {
        /// The reward if it is.
        reward: Reward,
    },
}

impl Answer {
    /// A row with that expected answer; `has_own_regex` tells whether it brings one.
    pub(super) fn new(rules: Rules, expected_answer: &str, has_own_regex: bool) -> Self {
        let has_regex = has_own_regex && rules.use_per_record_regex;
        let exceeds = |threshold| expected_answer.chars().nth(threshold).is_some();
        let is_long = has_regex && rules.length_threshold.is_some_and(exceeds);
        Self { rules, has_regex, is_long }
    }

    /// Whether the row's own regular expression takes the place of the configuration's.
    pub(super) fn regex_counts(&self) -> bool {
        self.has_regex
    }

    /// Whether the answer is too long to be cut out; no regular expression is applied then.
    pub(super) fn is_long(&self) -> bool {
        self.is_long
    }

    /// What follows from the judge's first verdict.
    pub(super) fn after_first(&self, is_equal: bool) -> Next {
        let Rules { check_twice_swap, check_full_generation, .. } = self.rules;
        if is_equal && check_twice_swap && !self.is_long {
            return Next::Swap { otherwise: self.rules.reward_if_swap_fails };
        }
        if !is_equal && check_full_generation && self.has_regex && !self.is_long {
            return Next::Rescue { reward: self.rules.reward_if_full_generation_succeeds };
        }
        Next::Done(Reward::earned(is_equal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            use_per_record_regex: true,
            length_threshold: Some(5),
            check_twice_swap: true,
            reward_if_swap_fails: Reward::new(-1.0).unwrap(),
            check_full_generation: true,
            reward_if_full_generation_succeeds: Reward::new(0.5).unwrap(),
        }
    }

    #[test]
    fn every_case_of_the_table() {
        let swap = Next::Swap { otherwise: rules().reward_if_swap_fails };
        let rescue = Next::Rescue { reward: rules().reward_if_full_generation_succeeds };
        let (one, zero) = (Next::Done(Reward::ONE), Next::Done(Reward::ZERO));
        let all = rules();
        let no_swap = Rules { check_twice_swap: false, ..all };
        let no_rescue = Rules { check_full_generation: false, ..all };
        let no_regex = Rules { use_per_record_regex: false, ..all };
        let no_threshold = Rules { length_threshold: None, ..all };
        for (rules, expected_answer, has_regex, if_equal, if_not) in [
            (all, "short", true, swap, rescue),
            (all, "short", false, swap, zero),
            (all, "longer", true, one, zero),
            (all, "longer", false, swap, zero),
            (all, "äöüßé", true, swap, rescue),
            (no_swap, "short", true, one, rescue),
            (no_swap, "longer", true, one, zero),
            (no_rescue, "short", true, swap, zero),
            (no_rescue, "longer", true, one, zero),
            (no_regex, "short", true, swap, zero),
            (no_regex, "longer", true, swap, zero),
            (no_threshold, "longer", true, swap, rescue),
        ] {
            let answer = Answer::new(rules, expected_answer, has_regex);
            let case = format!("{rules:?} {expected_answer} {has_regex}");
            assert_eq!(answer.after_first(true), if_equal, "{case}");
            assert_eq!(answer.after_first(false), if_not, "{case}");
        }
    }
}
