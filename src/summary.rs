//! The closing table of rewards, as `collect` and `verify --aggregate` print it.

use std::collections::BTreeMap;

use rehearsal::framework::collection::EnvironmentSummary;

use crate::say;

/// Prints what the rewards of each environment come to.
pub(crate) fn print_environments(environments: &BTreeMap<String, EnvironmentSummary>) {
    let width = environments.keys().map(String::len).max().unwrap_or(0).max(11);
    say(&format!("{:width$}  tasks  rollouts   mean    std  pass@k", "environment"));
    for (name, environment) in environments {
        let ks = environment.pass_at.iter().enumerate().map(|(index, share)| (index + 1, share));
        let pass = ks.filter(|(k, _)| shown(*k, environment.pass_at.len()));
        let pass = pass.map(|(k, share)| format!("{k}: {share:.3}"));
        say(&format!(
            "{name:width$}  {:>5}  {:>8}  {:.3}  {:.3}  {}",
            environment.tasks,
            environment.rollouts,
            environment.mean,
            environment.standard_deviation,
            pass.collect::<Vec<_>>().join("  "),
        ));
    }
}

/// Of many values of k, the powers of four and the last are shown.
fn shown(k: usize, last: usize) -> bool {
    (k.is_power_of_two() && k.trailing_zeros().is_multiple_of(2)) || k == last
}
