//! `rehearsal verify`: recorded rollouts scored again, without a model.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use rehearsal::framework::rescore::{Rescore, RescoreError, RescoreProgress, RescoreSummary};
use rehearsal::prelude::*;
use tokio::sync::Notify;

use crate::summary::print_environments;
use crate::{Fatal, Sources, out, progress_bar, say};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rehearsal verify --config configs/quickstart.yaml --rollouts out/quickstart.jsonl \\
      --output out/rescored.jsonl --aggregate
  rehearsal verify --config configs/multineedle.yaml --tasks tasks.jsonl \\
      --rollouts nemo_gym_rollouts.jsonl --output out/rescored.jsonl
  rehearsal verify --config mine.yaml --rollouts out/mine.jsonl --failures-only \\
      --output out/rescued.jsonl

A rollout that Rehearsal recorded is scored by its own environment, with the task that its key names; \
one of NeMo Gym's by the environment of its `agent_ref`, or the only one, with the task of its \
`_ng_task_index`, or of its own line. Output rows are in input order. Where the verifier looks at the \
session's state, the recorded tool calls are replayed against a fresh session. An environment that looks \
at what is not recorded refuses, and says why.

Ctrl-C ends early and keeps what is finished; --append goes on from there, after a crash too.

Exit codes: 0, 1 and 2 as everywhere; 3 if rows were left out or their verification failed (the latter \
are in <output>_failures.jsonl); 130 if it was interrupted.";

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    sources: Sources,
    /// The rollouts: rows with a `response`.
    #[arg(long, value_name = "FILE")]
    rollouts: PathBuf,
    /// The tasks of all rollouts: dataset rows [default: the configuration's datasets].
    #[arg(long, value_name = "FILE")]
    tasks: Option<PathBuf>,
    /// Where the scored rows go.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The environment whose verifier scores [default: each rollout's own, or the only one].
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Score only rollouts whose verification failed, from <ROLLOUTS>_failures.jsonl.
    #[arg(long)]
    failures_only: bool,
    /// Add to an output that exists: rows whose key it holds are not scored again.
    #[arg(long, conflicts_with = "overwrite")]
    append: bool,
    /// Replace an output that exists.
    #[arg(long)]
    overwrite: bool,
    /// Score all the same where an environment cannot do so from a record alone; marks these rows.
    #[arg(long)]
    allow_unreproducible: bool,
    /// Print mean, deviation and pass@k of everything in the output, per environment.
    #[arg(long)]
    aggregate: bool,
    /// Print the closing summary, with that of --aggregate, as JSON on stdout.
    #[arg(long)]
    json: bool,
}

const PROGRESS: &str = "{bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  eta {eta}  {msg}";

pub(crate) async fn run(arguments: Verify) -> Result<ExitCode, Fatal> {
    let config = arguments.sources.load(&[("telemetry.prometheus", Some("null".into()))])?;
    let runtime = Runtime::start(config, &rehearsal::kinds()).await?;
    let summary = score(&runtime, &arguments).await;
    runtime.stop().await;
    let Some(summary) = summary? else { return Ok(ExitCode::from(130)) };
    print(&summary, &arguments);
    Ok(match summary {
        RescoreSummary { cancelled: true, .. } => ExitCode::from(130),
        RescoreSummary { left_out: 1.., .. } => ExitCode::from(3),
        _ => ExitCode::SUCCESS,
    })
}

/// Scores until all is done or it is interrupted; `None` if it was twice.
async fn score(
    runtime: &Runtime,
    arguments: &Verify,
) -> Result<Option<RescoreSummary>, RescoreError> {
    let rescoring = runtime.rescoring(&arguments.rescore())?;
    rescoring.check_output(&arguments.output)?;
    let recorder = JsonlRecorder::new(&arguments.output, arguments.existing())?;
    let bar = progress_bar(PROGRESS);
    let cancelled = Notify::new();
    let interrupted_twice = async {
        interrupt().await;
        bar.suspend(|| say("interrupted: giving up what is in flight, keeping what is finished"));
        cancelled.notify_one();
        interrupt().await;
    };
    let show = |progress| show(&bar, progress);
    let result = tokio::select! {
        result = rescoring.run(Arc::new(recorder), cancelled.notified(), show) => result.map(Some),
        () = interrupted_twice => Ok(None),
    };
    bar.finish_and_clear();
    result
}

/// Waits for Ctrl-C.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

fn show(bar: &ProgressBar, progress: RescoreProgress) {
    bar.set_length(progress.bytes_total);
    bar.set_position(progress.bytes);
    bar.set_message(format!("{} rollouts", progress.rows));
}

impl Verify {
    fn rescore(&self) -> Rescore {
        Rescore {
            rollouts: self.rollouts.clone(),
            tasks: self.tasks.clone(),
            environment: self.environment.clone(),
            failures_only: self.failures_only,
            allow_unreproducible: self.allow_unreproducible,
            aggregate: self.aggregate || self.json,
        }
    }

    fn existing(&self) -> Existing {
        match (self.append, self.overwrite) {
            (true, _) => Existing::Resume,
            (false, true) => Existing::Overwrite,
            (false, false) => Existing::Refuse,
        }
    }
}

fn print(summary: &RescoreSummary, arguments: &Verify) {
    let RescoreSummary { scored, mean, changed, left_out, failed, kept, passed_over, .. } = summary;
    let mean = if *scored > 0 { format!(", mean reward {mean:.3}") } else { String::new() };
    say(&format!(
        "{scored} rollouts scored{mean}; {changed} differ from their recorded reward; {left_out} left out"
    ));
    if scored + left_out + kept + passed_over == 0 {
        say(&format!("`{}` has no rows", arguments.rescore().read_path().display()));
    }
    if *kept > 0 {
        say(&format!("{kept} were in `{}` already", arguments.output.display()));
    }
    if *passed_over > 0 {
        say(&format!("{passed_over} failed otherwise than in their verification"));
    }
    if *failed > 0 {
        let failures = rehearsal::framework::recorder::failures_path(&arguments.output);
        say(&format!("{failed} verifications failed; see {}", failures.display()));
    }
    if arguments.aggregate {
        print_environments(&summary.environments);
    }
    if arguments.json {
        out(&serde_json::to_string(summary).expect("a summary serialises to JSON"));
    }
}

impl From<RescoreError> for Fatal {
    fn from(error: RescoreError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}
