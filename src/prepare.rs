//! `rehearsal prepare`: datasets checked, measured, and put together for training.

use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use rehearsal::actors::export::to_task;
use rehearsal::framework::prepare::{
    Mode, Prepare as Preparation, PrepareError, PreparePhase, PrepareProgress, PrepareSummary,
    TypeSummary,
};
use rehearsal::framework::rows::{Format, RowsError};

use crate::{Fatal, Sources, bar_style, interruptible, out, progress_bar, say};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rehearsal prepare --config configs/simple_weather.yaml --mode example --output out/prepared
  rehearsal prepare --config mine.yaml --output data/prepared --shuffle --seed 7 --repeats 16
  rehearsal prepare --config mine.yaml --output data/prepared --strict --format parquet
  rehearsal prepare --config mine.yaml --output data/prepared --json | jq .types[0].metrics

Writes <type>.jsonl (every row with its agent_ref), <type>_metrics.json, and <type>_rejected.jsonl with the
lines that are no tasks of their environment and why. Each dataset's own metrics stand beside it. A dataset
is JSONL, or by its ending .jsonl.zst or .parquet; rows may also be a trainer's (`messages`, or `prompt`).
Nothing that was there is replaced before everything is done.";

/// How each phase is shown.
const READING: &str = "{bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  eta {eta}  {msg}";
const SHUFFLING: &str = "{bar:24} {pos}/{len} rows shuffled  eta {eta}  {msg}";
const MEASURING: &str = "{spinner} measuring for {elapsed}  {msg}";
/// How often the sign of life moves where nothing is counted.
const TICK: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(crate) struct Prepare {
    #[command(flatten)]
    sources: Sources,
    /// The folder that the files go to.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// Which datasets are prepared.
    #[arg(long, value_enum, default_value_t)]
    mode: ModeName,
    /// Only the datasets of this agent; may be given more than once.
    #[arg(long = "agent", value_name = "NAME")]
    agents: Vec<String>,
    /// Fail if any row is malformed; nothing but the list of them is written.
    #[arg(long)]
    strict: bool,
    /// Also leave out rows that NeMo Gym refuses although Rehearsal takes them.
    #[arg(long)]
    nemo_gym: bool,
    /// Write each row so often, times the `repeats` of its dataset.
    #[arg(long, value_name = "N", default_value = "1")]
    repeats: NonZeroU32,
    /// Shuffle the rows of each type.
    #[arg(long)]
    shuffle: bool,
    /// The seed of the order: the same on every machine.
    #[arg(long, value_name = "N", default_value = "0", requires = "shuffle")]
    seed: u64,
    /// The format of the rows.
    #[arg(long, value_enum, default_value_t)]
    format: FormatName,
    /// Replace stored metrics that say something else.
    #[arg(long)]
    overwrite_metrics: bool,
    /// Neither read nor write metrics beside the datasets.
    #[arg(long)]
    no_dataset_metrics: bool,
    /// Print the closing summary as JSON on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum ModeName {
    /// Those of type train and validation.
    #[default]
    #[value(alias = "train_preparation")]
    Train,
    /// Those of type example.
    #[value(alias = "example_validation")]
    Example,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum FormatName {
    /// JSON Lines.
    #[default]
    Jsonl,
    /// JSON Lines, compressed by Zstandard.
    #[value(name = "jsonl.zst", alias = "zst")]
    JsonlZst,
    /// Apache Parquet: a column a key, JSON where a key holds lists or objects.
    Parquet,
}

pub(crate) async fn run(arguments: Prepare) -> Result<ExitCode, Fatal> {
    let preparation = Preparation {
        mode: match arguments.mode {
            ModeName::Train => Mode::Train,
            ModeName::Example => Mode::Example,
        },
        agents: arguments.agents.clone(),
        format: match arguments.format {
            FormatName::Jsonl => Format::Jsonl,
            FormatName::JsonlZst => Format::JsonlZst,
            FormatName::Parquet => Format::Parquet,
        },
        repeats: arguments.repeats,
        shuffle: arguments.shuffle.then_some(arguments.seed),
        strict: arguments.strict,
        nemo_gym: arguments.nemo_gym,
        dataset_metrics: !arguments.no_dataset_metrics,
        overwrite_metrics: arguments.overwrite_metrics,
        convert: Some(to_task),
        ..Preparation::new(&arguments.output)
    };
    let config = arguments.sources.load(&[])?;
    let bar = progress_bar(READING);
    let mut shown = Shown { bar: bar.clone(), template: READING };
    let prepared = interruptible(move |interrupted: Arc<AtomicBool>| {
        preparation.run(&config, &rehearsal::kinds(), |progress| {
            shown.show(progress);
            match interrupted.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
    })
    .await;
    bar.finish_and_clear();
    let summary = match prepared {
        Err(error @ PrepareError::Cancelled) => {
            say(&error.to_string());
            return Ok(ExitCode::from(130));
        }
        prepared => prepared?,
    };
    print_summary(&summary);
    if arguments.json {
        out(&serde_json::to_string(&summary).expect("a summary serialises to JSON"));
    }
    let rejected: u64 = summary.types.iter().map(|prepared| prepared.rejected).sum();
    Ok(if rejected > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// A bar that is about one phase at a time.
struct Shown {
    bar: ProgressBar,
    template: &'static str,
}

impl Shown {
    fn show(&mut self, progress: PrepareProgress) {
        let PrepareProgress { phase, lines, rejected, bytes, bytes_total } = progress;
        let (template, position, length) = match phase {
            PreparePhase::Reading => (READING, bytes, bytes_total),
            PreparePhase::Shuffling { rows, rows_total } => (SHUFFLING, rows, rows_total),
            PreparePhase::Measuring => (MEASURING, 0, 0),
        };
        let is_another = self.template != template;
        if is_another {
            self.template = template;
            self.bar.set_style(bar_style(template));
            self.bar.reset();
        }
        self.bar.set_length(length);
        self.bar.set_position(position);
        self.bar.set_message(format!("{lines} rows, {rejected} left out"));
        match (is_another, phase) {
            (false, _) => {}
            (true, PreparePhase::Measuring) => self.bar.enable_steady_tick(TICK),
            (true, PreparePhase::Reading | PreparePhase::Shuffling { .. }) => {
                self.bar.disable_steady_tick();
                // What was done before the phase began says nothing of its speed.
                self.bar.reset_eta();
            }
        }
    }
}

fn print_summary(summary: &PrepareSummary) {
    for prepared in &summary.types {
        let TypeSummary { path, rows, tasks, rejected, rejected_path, .. } = prepared;
        say(&format!("{}: {rows} rows of {tasks} tasks", path.display()));
        if let Some(list) = rejected_path {
            say(&format!("{}: {rejected} lines were left out", list.display()));
        }
    }
    if let Some(first) = &summary.first_refused {
        let count = summary.refused_by_nemo_gym;
        say(&format!(
            "note: NeMo Gym would refuse {count} of them, such as {first}; `--nemo-gym` leaves them out"
        ));
    }
}

impl From<PrepareError> for Fatal {
    fn from(error: PrepareError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<RowsError> for Fatal {
    fn from(error: RowsError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}
