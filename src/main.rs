//! The `rehearsal` command.
//!
//! Data goes to stdout, everything for people to stderr; progress shows on a terminal only.

mod profile;
mod tree;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rehearsal::framework::collection::Snapshot;
use rehearsal::framework::config::{Config, Problems};
use rehearsal::framework::recorder::failures_path;
use rehearsal::framework::rescore::{Rescore, RescoreError, RescoreProgress, RescoreSummary};
use rehearsal::framework::rollout::Culprit;
use rehearsal::framework::runtime::{RuntimeError, check};
use rehearsal::prelude::*;

/// Rollouts allocate on one thread and free on another; mimalloc does that at half of glibc's cost.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs reinforcement-learning rollouts of LLM agents as supervised actors in one process.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    everything was done
  1    it could not be done; the message says why
  2    the command line is wrong
  3    it was done, but some rows were left out or some rollouts failed
  130  it was interrupted; `collect --resume` goes on from there";

#[derive(Subcommand)]
enum Command {
    /// Run rollouts over datasets and write one JSON line per rollout.
    #[command(after_help = COLLECT_EXAMPLES)]
    Collect(Collect),
    /// Load a configuration, wire it, and report all problems at once.
    Check(Sources),
    /// Print the configuration that results from all layers, secrets masked.
    Config(Sources),
    /// List the kinds of models, environments and agents that configurations can name.
    Kinds,
    /// Score recorded rollouts again, without a model.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Verify),
    /// Say what recorded rollouts come to: means, pass@k, confidence, comparison, plots.
    #[command(after_help = profile::EXAMPLES)]
    Profile(profile::Profile),
    /// Show the actors of a running process: states, restarts, queues, what each is busy with.
    #[command(after_help = tree::EXAMPLES)]
    Tree(tree::Tree),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  rehearsal completions bash > ~/.local/share/bash-completion/completions/rehearsal"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

const COLLECT_EXAMPLES: &str = "\
Examples:
  rehearsal collect --config configs/quickstart.yaml
  rehearsal collect --config configs/simple_weather.yaml --repeats 16 --output out/weather.jsonl
  rehearsal collect --config configs/simple_weather.yaml --resume
  rehearsal collect --config mine.yaml --set models.policy.settings.model=my-model

Failed rollouts are tried again, then written to <output>_failures.jsonl; they never become a reward.
Ctrl-C ends early and keeps what is finished; --resume goes on from there.";

const VERIFY_EXAMPLES: &str = "\
Example:
  rehearsal verify --config configs/multineedle.yaml --tasks tasks.jsonl \\
      --rollouts rollouts.jsonl --output out/rescored.jsonl

A rollout that Rehearsal recorded is paired with its task by its key, any other with the task of the
same line. Output rows are in input order. Where the verifier looks at the session's state, the
recorded tool calls are replayed against a fresh session.";

/// Where the configuration comes from. Later layers win: files in order, `env.yaml` in the working
/// directory, variables REHEARSAL__A__B, --set.
#[derive(Args)]
struct Sources {
    /// A configuration file; give it more than once to lay one over the other.
    #[arg(short, long, value_name = "FILE", required = true)]
    config: Vec<PathBuf>,
    /// Set a key, the value read as YAML: --set collect.repeats=4
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Args)]
struct Collect {
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
    #[arg(long, value_name = "N")]
    repeats: Option<std::num::NonZeroU32>,
    /// At most that many tasks of each dataset [default: collect.limit].
    #[arg(long, value_name = "N")]
    limit: Option<std::num::NonZeroUsize>,
    /// Rollouts in flight at a time [default: collect.max_in_flight].
    #[arg(long, value_name = "N")]
    max_in_flight: Option<std::num::NonZeroUsize>,
    /// Print the closing summary as JSON on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Verify {
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

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(log_filter())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false)
        .without_time()
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Fatal::from(RuntimeError::from(error)).report(),
    };
    match runtime.block_on(run(Cli::parse().command)) {
        Ok(code) => code,
        Err(fatal) => fatal.report(),
    }
}

/// `RUST_LOG`, or warnings.
fn log_filter() -> tracing_subscriber::EnvFilter {
    tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"))
}

async fn run(command: Command) -> Result<ExitCode, Fatal> {
    match command {
        Command::Collect(arguments) => collect(arguments).await,
        Command::Check(sources) => check_configuration(&sources).await,
        Command::Config(sources) => print_configuration(&sources),
        Command::Kinds => Ok(print_kinds()),
        Command::Verify(arguments) => verify(arguments).await,
        Command::Profile(arguments) => profile::run(&arguments),
        Command::Tree(arguments) => tree::show(arguments).await,
        Command::Completions { shell } => Ok(print_completions(shell)),
    }
}

impl Sources {
    fn load(&self, more: &[(&str, Option<String>)]) -> Result<Config, Problems> {
        let mut loader = Loader::new();
        for path in &self.config {
            loader = loader.file(path);
        }
        loader = loader.working_directory(".").environment(std::env::vars());
        for set in &self.set {
            loader = loader.set(set);
        }
        for (key, value) in more {
            if let Some(value) = value {
                loader = loader.set(format!("{key}={value}"));
            }
        }
        loader.load()
    }
}

async fn collect(arguments: Collect) -> Result<ExitCode, Fatal> {
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
        return Err(Fatal::no_collect());
    };
    let recorder = JsonlRecorder::new(&output, existing).map_err(Fatal::from_recorder)?;
    let runtime = Runtime::start(config, &rehearsal::kinds()).await?;
    if let Some(address) = runtime.metrics_address() {
        say(&format!(
            "metrics: http://{address}/metrics, actors: rehearsal tree --address {address}"
        ));
    }
    let progress = Arc::new(Progress::default());
    let collection = runtime.collection().map_err(Fatal::from_collect)?;
    let failures = recorder.failures().to_owned();
    let recorder: Arc<dyn rehearsal::framework::recorder::Recorder> = Arc::new(recorder);
    let collecting = runtime.collect(collection, recorder, progress.clone());
    let result = watch(&progress, collecting).await;
    runtime.stop().await;
    let Some(result) = result else { return Ok(ExitCode::from(130)) };
    let summary = result.map_err(Fatal::from_collect)?;
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
    let bar = progress_bar(COLLECT_PROGRESS);
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

const COLLECT_PROGRESS: &str = "{bar:24} {pos}/{len} rollouts  {per_sec}  eta {eta}  {msg}";
const VERIFY_PROGRESS: &str = "{bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  eta {eta}  {msg}";

fn progress_bar(template: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    ProgressBar::with_draw_target(None, target).with_style(style)
}

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
    let width = summary.environments.keys().map(String::len).max().unwrap_or(0).max(11);
    say(&format!("{:width$}  tasks  rollouts   mean    std  pass@k", "environment"));
    for (name, environment) in &summary.environments {
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

/// Of many values of k, the powers of four and the last are shown.
fn shown(k: usize, last: usize) -> bool {
    (k.is_power_of_two() && k.trailing_zeros().is_multiple_of(2)) || k == last
}

async fn check_configuration(sources: &Sources) -> Result<ExitCode, Fatal> {
    let config = sources.load(&[("telemetry.prometheus", Some("null".into()))])?;
    check(&config, &rehearsal::kinds())?;
    let runs_code = |kind: &str| rehearsal::environments::sandbox::KINDS.contains(&kind);
    if config.environments.values().any(|environment| runs_code(&environment.kind)) {
        say(rehearsal::environments::sandbox::Machine::this().to_string().trim_end());
    }
    // What settings mean together is known once the components are built; what is odd is said then.
    Runtime::start(config, &rehearsal::kinds()).await?.stop().await;
    say("the configuration is good");
    Ok(ExitCode::SUCCESS)
}

fn print_configuration(sources: &Sources) -> Result<ExitCode, Fatal> {
    let config = sources.load(&[])?;
    out(&config.to_masked_yaml());
    Ok(ExitCode::SUCCESS)
}

fn print_kinds() -> ExitCode {
    let names = rehearsal::kinds().names();
    for (section, names) in
        [("models", names.models), ("environments", names.environments), ("agents", names.agents)]
    {
        for name in names {
            out(&format!("{section}\t{name}"));
        }
    }
    ExitCode::SUCCESS
}

fn print_completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rehearsal", &mut script);
    out(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}

async fn verify(arguments: Verify) -> Result<ExitCode, Fatal> {
    let config = arguments.sources.load(&[("telemetry.prometheus", Some("null".into()))])?;
    let runtime = Runtime::start(config, &rehearsal::kinds()).await?;
    let rescore = Rescore {
        tasks: arguments.tasks,
        rollouts: arguments.rollouts,
        output: arguments.output,
        environment: arguments.environment,
        overwrite: arguments.overwrite,
    };
    let bar = progress_bar(VERIFY_PROGRESS);
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

/// An error that ends the command.
struct Fatal {
    message: String,
    hint: Option<String>,
}

impl Fatal {
    fn report(self) -> ExitCode {
        say(&format!("error: {}", self.message));
        if let Some(hint) = self.hint {
            say(&format!("hint: {hint}"));
        }
        ExitCode::FAILURE
    }

    fn no_collect() -> Self {
        let hint = "write `collect: { output: out/rollouts.jsonl }`, or give `--output`";
        Self { message: "there is no `collect` section".into(), hint: Some(hint.into()) }
    }

    fn from_recorder(error: rehearsal::framework::recorder::RecorderError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }

    fn from_collect(error: rehearsal::framework::collection::CollectError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<Problems> for Fatal {
    fn from(problems: Problems) -> Self {
        Self { message: problems.to_string(), hint: problems.hint() }
    }
}

impl From<RuntimeError> for Fatal {
    fn from(error: RuntimeError) -> Self {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Self { message, hint: error.hint() }
    }
}

impl From<RescoreError> for Fatal {
    fn from(error: RescoreError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

#[expect(clippy::print_stderr, reason = "what people read goes to stderr")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Prints data. A reader that has seen enough, such as `head`, is no error.
fn out(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
