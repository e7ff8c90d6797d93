//! `rehearsal verify`: recorded rollouts scored again, without a model.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use rehearsal::framework::recorder::failures_path;
use rehearsal::framework::rescore::{Rescore, RescoreError, RescoreProgress, RescoreSummary};
use rehearsal::prelude::*;

use crate::{Fatal, Sources, progress_bar, say};

pub(crate) const EXAMPLES: &str = "\
Example:
  rehearsal verify --config configs/multineedle.yaml --tasks tasks.jsonl \\
      --rollouts rollouts.jsonl --output out/rescored.jsonl

A rollout that Rehearsal recorded is paired with its task by its key, any other with the task of the
same line. Output rows are in input order. Where the verifier looks at the session's state, the
recorded tool calls are replayed against a fresh session.";

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    sources: Sources,
    /// The tasks: dataset rows.
    #[arg(long, value_name = "FILE")]
    tasks: PathBuf,
    /// The rollouts: rows with a `response`.
    #[arg(long, value_name = "FILE")]
    rollouts: PathBuf,
    /// Where the scored rows go.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The environment whose verifier scores [default: each rollout's own, or the only one].
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Replace an output that exists.
    #[arg(long)]
    overwrite: bool,
}

const PROGRESS: &str = "{bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  eta {eta}  {msg}";

pub(crate) async fn run(arguments: Verify) -> Result<ExitCode, Fatal> {
    let config = arguments.sources.load(&[("telemetry.prometheus", Some("null".into()))])?;
    let runtime = Runtime::start(config, &rehearsal::kinds()).await?;
    let rescore = Rescore {
        tasks: arguments.tasks,
        rollouts: arguments.rollouts,
        output: arguments.output,
        environment: arguments.environment,
        overwrite: arguments.overwrite,
    };
    let bar = progress_bar(PROGRESS);
    let show = |progress: RescoreProgress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes);
        bar.set_message(format!("{} rollouts", progress.rows));
    };
    let result = runtime.rescore(&rescore, show).await;
    bar.finish_and_clear();
    runtime.stop().await;
    let RescoreSummary { scored, left_out, failed, mean, changed } = result?;
    say(&format!(
        "{scored} rollouts scored, mean reward {mean:.3}; {changed} differ from their recorded reward; {left_out} left out"
    ));
    if failed > 0 {
        let failures = failures_path(&rescore.output);
        say(&format!("{failed} verifications failed; see {}", failures.display()));
    }
    Ok(if left_out > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

impl From<RescoreError> for Fatal {
    fn from(error: RescoreError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}
