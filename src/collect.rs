//! `rehearsal collect`: rollouts over datasets, one JSON line each.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use rehearsal::framework::collection::{CollectError, Snapshot};
use rehearsal::framework::recorder::{Recorder, RecorderError};
use rehearsal::framework::rollout::Culprit;
use rehearsal::framework::runtime::check;
use rehearsal::prelude::*;

use crate::summary::print_environments;
use crate::{Fatal, Sources, out, progress_bar, say};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rehearsal collect --config configs/quickstart.yaml
  rehearsal collect --config configs/simple_weather.yaml --repeats 16 --output out/weather.jsonl
  rehearsal collect --config configs/simple_weather.yaml --resume
  rehearsal collect --config mine.yaml --set models.policy.settings.model=my-model

Failed rollouts are tried again, then written to <output>_failures.jsonl; they never become a reward. \
Ctrl-C ends early and keeps what is finished; --resume goes on from there, after a crash too.

Exit codes: 0, 1 and 2 as everywhere; 3 if rows were left out or rollouts failed; 130 if it was \
interrupted.";

#[derive(Args)]
pub(crate) struct Collect {
    #[command(flatten)]
    sources: Sources,
    /// Where rollouts go [default: the configuration's collect.output].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Go on with an output that exists: what it holds is not made again.
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace an output that exists.
    #[arg(long)]
    overwrite: bool,
    /// Rollouts per task [default: collect.repeats].
    #[arg(long, value_name = "N", value_parser = at_least_1::<NonZeroU32>)]
    repeats: Option<NonZeroU32>,
    /// At most that many tasks of each dataset [default: collect.limit].
    #[arg(long, value_name = "N", value_parser = at_least_1::<NonZeroUsize>)]
    limit: Option<NonZeroUsize>,
    /// Rollouts in flight at a time [default: collect.max_in_flight].
    #[arg(long, value_name = "N", value_parser = at_least_1::<NonZeroUsize>)]
    max_in_flight: Option<NonZeroUsize>,
    /// Print the closing summary as JSON on stdout.
    #[arg(long)]
    json: bool,
}

fn at_least_1<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "it must be a whole number of at least 1".to_owned())
}

pub(crate) async fn run(arguments: Collect) -> Result<ExitCode, Fatal> {
    let quoted = |path: &PathBuf| serde_json::Value::from(path.display().to_string()).to_string();
    let config = arguments.sources.load(&[
        ("collect.output", arguments.output.as_ref().map(quoted)),
        ("collect.repeats", arguments.repeats.map(|n| n.to_string())),
        ("collect.limit", arguments.limit.map(|n| n.to_string())),
        ("collect.max_in_flight", arguments.max_in_flight.map(|n| n.to_string())),
    ])?;
    let existing = match (arguments.resume, arguments.overwrite) {
        (true, _) => Existing::Resume,
        (false, true) => Existing::Overwrite,
        (false, false) => Existing::Refuse,
    };
    check(&config, &rehearsal::kinds())?;
    let Some(output) = config.collect.as_ref().map(|spec| config.resolve(&spec.output)) else {
        return Err(no_collect());
    };
    let recorder = JsonlRecorder::new(&output, existing)?;
    let runtime = Runtime::start(config, &rehearsal::kinds()).await?;
    if let Some(address) = runtime.metrics_address() {
        say(&format!(
            "metrics: http://{address}/metrics, actors: rehearsal tree --address {address}"
        ));
    }
    let progress = Arc::new(Progress::default());
    let collection = runtime.collection()?;
    let failures = recorder.failures().to_owned();
    let recorder: Arc<dyn Recorder> = Arc::new(recorder);
    let collecting = runtime.collect(collection, recorder, progress.clone());
    let result = watch(&progress, collecting).await;
    runtime.stop().await;
    let Some(result) = result else { return Ok(ExitCode::from(130)) };
    let summary = result?;
    print_summary(&summary, &output, &failures);
    if arguments.json {
        out(&serde_json::to_string(&summary).expect("a summary serialises to JSON"));
    }
    Ok(match summary {
        Summary { cancelled: true, .. } => ExitCode::from(130),
        _ if summary.failures() + summary.rejected > 0 => ExitCode::from(3),
        _ => ExitCode::SUCCESS,
    })
}

/// Shows progress and listens for Ctrl-C while a collection runs. The second one does not wait for its
/// result: a file system that does not answer may hold it up for ever.
async fn watch<T>(progress: &Progress, collecting: impl Future<Output = T>) -> Option<T> {
    let bar = progress_bar(PROGRESS);
    let mut interval = tokio::time::interval(Duration::from_millis(100));
    tokio::pin!(collecting);
    loop {
        tokio::select! {
            biased;
            result = &mut collecting => {
                bar.finish_and_clear();
                return Some(result);
            }
            _ = tokio::signal::ctrl_c() => {
                if progress.is_cancelled() {
                    bar.finish_and_clear();
                    say("interrupted again: leaving at once, what was synced is kept");
                    return None;
                }
                bar.suspend(|| say("interrupted: giving up what is in flight, keeping what is finished"));
                progress.cancel();
            }
            _ = interval.tick() => show(&bar, &progress.snapshot()),
        }
    }
}

const PROGRESS: &str = "{bar:24} {pos}/{len} rollouts  {per_sec}  eta {eta}  {msg}";

fn show(bar: &ProgressBar, snapshot: &Snapshot) {
    if let Some(total) = snapshot.total {
        bar.set_length(total.saturating_sub(snapshot.kept));
    }
    bar.set_position(snapshot.ended());
    let reward = snapshot.reward_mean.map(|mean| format!("reward {mean:.3}  "));
    let failed = Culprit::ALL.iter().zip(&snapshot.failed).filter(|(_, count)| **count > 0);
    let failed: Vec<_> = failed.map(|(culprit, count)| format!("{culprit} {count}")).collect();
    let failed =
        if failed.is_empty() { String::new() } else { format!("failed: {}", failed.join(", ")) };
    bar.set_message(format!("{}{failed}", reward.unwrap_or_default()));
}

fn print_summary(summary: &Summary, output: &Path, failures: &Path) {
    let seconds = summary.seconds;
    let rate = summary.scored as f64 / seconds.max(1e-9);
    let kept = if summary.kept > 0 {
        format!(" (and {} kept from before)", summary.kept)
    } else {
        String::new()
    };
    say(&format!(
        "{} rollouts in {seconds:.2} s, {rate:.0}/s{kept} -> {}",
        summary.scored,
        output.display()
    ));
    if !summary.environments.is_empty() {
        print_environments(&summary.environments);
    }
    if summary.cancelled {
        say("it is not complete: the same command with `--resume` goes on");
    } else if summary.scored + summary.kept + summary.failures() + summary.rejected == 0 {
        say("the datasets have no rows");
    }
    if summary.truncated > 0 {
        say(&format!("{} rollouts were cut short by a limit", summary.truncated));
    }
    for (culprit, count) in &summary.failed {
        say(&format!("{count} rollouts failed: {culprit}; see {}", failures.display()));
    }
    if summary.rejected > 0 {
        say(&format!("{} malformed rows were left out", summary.rejected));
    }
}

fn no_collect() -> Fatal {
    let hint = "write `collect: { output: out/rollouts.jsonl }`, or give `--output`";
    Fatal { message: "there is no `collect` section".into(), hint: Some(hint.into()) }
}

impl From<RecorderError> for Fatal {
    fn from(error: RecorderError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<CollectError> for Fatal {
    fn from(error: CollectError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}
