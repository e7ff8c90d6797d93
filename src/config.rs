//! `rehearsal config`: what a configuration comes to, or what one of NeMo Gym's translates to.

use std::process::ExitCode;

use clap::Args;
use rehearsal::framework::config::{Oddity, Translation, Warning};

use crate::{Fatal, Sources, is_override, out, say};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rehearsal config --config configs/simple_weather.yaml --set collect.repeats=4
  rehearsal config --from-nemo resources_servers/mcqa/configs/mcqa.yaml \\
      responses_api_models/vllm_model/configs/vllm_model.yaml > mcqa.yaml
  rehearsal config --from-nemo '+config_paths=[a.yaml,b.yaml]' ++policy_model_name=my-model

--from-nemo prints a file of our own form. What has no counterpart is in its comments and on stderr, and
the exit code is then 3. No secret is printed: comments say what `env.yaml` has to hold. The other
commands take NeMo Gym's files and overrides as they are.";

#[derive(Args)]
pub(crate) struct Configuration {
    #[command(flatten)]
    sources: Sources,
    /// Translate configurations of NeMo Gym's, laid one over the other; overrides may follow.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "config")]
    from_nemo: Vec<String>,
}

pub(crate) fn print(arguments: Configuration) -> Result<ExitCode, Fatal> {
    let Configuration { mut sources, from_nemo } = arguments;
    if from_nemo.is_empty() {
        let config = sources.load(&[])?;
        config.warnings().iter().for_each(warn);
        out(&config.to_masked_yaml());
        return Ok(ExitCode::SUCCESS);
    }
    let (overrides, files): (Vec<_>, Vec<_>) =
        from_nemo.into_iter().partition(|argument| is_override(argument));
    sources.config = files.into_iter().map(Into::into).collect();
    sources.overrides.splice(..0, overrides);
    let Translation { yaml, warnings, .. } = sources.loader(&[]).translate()?;
    warnings.iter().for_each(warn);
    out(yaml.trim_end());
    Ok(if is_complete(&warnings) { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

/// Whether nothing of a configuration of NeMo Gym's was left out that means something.
pub(crate) fn is_complete(warnings: &[Warning]) -> bool {
    !warnings.iter().any(|warning| matches!(warning.oddity, Oddity::NoCounterpart { .. }))
}

fn warn(warning: &Warning) {
    say(&format!("warning: {warning}"));
}
