//! `rehearsal export`: recorded rollouts as what trainers read.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand, ValueEnum};
use rehearsal::actors::export::{
    Dpo, Export as Exporting, ExportError, ExportProgress, ExportSummary, Reasoning, Sft, SftShape,
};

use crate::{Fatal, interruptible, out, progress_bar, say};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rehearsal export sft out/rollouts.jsonl --output out/sft.jsonl
  rehearsal export sft out/rollouts.jsonl --output out/sft.parquet --min-reward 0.5 --reasoning think
  rehearsal export dpo out/rollouts.jsonl --output out/dpo.jsonl --gap 0.5 --pairs-per-task 4

Both write the conversational formats that TRL and other trainers read, with tool calls and tools, and on
the assistant's messages the token ids and log-probabilities that were recorded. The output is JSONL, or by
its ending .jsonl.zst or .parquet. `rehearsal prepare` reads such files as tasks.";

const SFT_EXAMPLES: &str = "\
Examples:
  rehearsal export sft out/rollouts.jsonl --output out/sft.jsonl
  rehearsal export sft out/a.jsonl out/b.jsonl --output out/sft.jsonl --shape prompt-completion --with-task";

const DPO_EXAMPLES: &str = "\
Examples:
  rehearsal export dpo out/rollouts.jsonl --output out/dpo.jsonl
  rehearsal export dpo out/rollouts.jsonl --output out/dpo.jsonl --gap 0.5 --pairs-per-task 4

The same rollouts give the same pairs: the largest gap first, each rollout as seldom as can be.";

const PROGRESS: &str = "{bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  eta {eta}  {msg}";

#[derive(Args)]
pub(crate) struct Export {
    #[command(subcommand)]
    into: Into,
}

#[derive(Subcommand)]
enum Into {
    /// Successful rollouts as chats, for supervised fine-tuning.
    #[command(after_help = SFT_EXAMPLES)]
    Sft(SftArguments),
    /// Pairs of a better and a worse rollout of one task, for preference optimisation.
    #[command(after_help = DPO_EXAMPLES)]
    Dpo(DpoArguments),
}

#[derive(Args)]
struct SftArguments {
    #[command(flatten)]
    common: Common,
    /// Rollouts with a lower reward are passed over.
    #[arg(long, value_name = "REWARD", default_value = "1", allow_negative_numbers = true)]
    min_reward: f64,
    /// What an example looks like.
    #[arg(long, value_enum, default_value_t)]
    shape: ShapeName,
}

#[derive(Args)]
struct DpoArguments {
    #[command(flatten)]
    common: Common,
    /// The better reward is at least so much above the worse.
    #[arg(long, value_name = "REWARD", default_value = "0.5")]
    gap: f64,
    /// Pairs of one task, at most.
    #[arg(long, value_name = "N", default_value = "1")]
    pairs_per_task: NonZeroUsize,
}

#[derive(Args)]
struct Common {
    /// Rollout files, Rehearsal's or NeMo Gym's.
    #[arg(value_name = "FILE", required = true)]
    rollouts: Vec<PathBuf>,
    /// Where the examples go.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace an output that exists.
    #[arg(long)]
    overwrite: bool,
    /// Where the model's reasoning goes.
    #[arg(long, value_enum, default_value_t)]
    reasoning: ReasoningName,
    /// Leave token ids and log-probabilities out.
    #[arg(long)]
    no_tokens: bool,
    /// Keep what else stands in the records, such as what the verifier needs: the file can then serve as
    /// a dataset.
    #[arg(long)]
    with_task: bool,
    /// Take rollouts that ran into a limit, too.
    #[arg(long)]
    truncated: bool,
    /// Print the closing summary as JSON on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum ShapeName {
    /// `messages`.
    #[default]
    Messages,
    /// `prompt` and `completion`.
    PromptCompletion,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum ReasoningName {
    /// In the field `reasoning_content`, where chat templates look for it.
    #[default]
    Field,
    /// In the text, between <think> and </think>.
    Think,
    /// Left out.
    Drop,
}

pub(crate) async fn run(arguments: Export) -> Result<ExitCode, Fatal> {
    match arguments.into {
        Into::Sft(SftArguments { common, min_reward, shape }) => {
            let shape = match shape {
                ShapeName::Messages => SftShape::Messages,
                ShapeName::PromptCompletion => SftShape::PromptCompletion,
            };
            let sft = Sft { export: common.export(), min_reward, shape };
            finish(&common, move |watch| sft.run(watch)).await
        }
        Into::Dpo(DpoArguments { common, gap, pairs_per_task }) => {
            let dpo = Dpo { export: common.export(), gap, pairs_per_task };
            finish(&common, move |watch| dpo.run(watch)).await
        }
    }
}

impl Common {
    fn export(&self) -> Exporting {
        Exporting {
            overwrite: self.overwrite,
            reasoning: match self.reasoning {
                ReasoningName::Field => Reasoning::Field,
                ReasoningName::Think => Reasoning::Think,
                ReasoningName::Drop => Reasoning::Drop,
            },
            tokens: !self.no_tokens,
            with_task: self.with_task,
            truncated: self.truncated,
            ..Exporting::new(self.rollouts.clone(), &self.output)
        }
    }
}

type Watch<'a> = &'a mut dyn FnMut(ExportProgress) -> ControlFlow<()>;

/// Runs an export with its progress shown, and says what it came to.
async fn finish(
    common: &Common,
    export: impl FnOnce(Watch<'_>) -> Result<ExportSummary, ExportError> + Send + 'static,
) -> Result<ExitCode, Fatal> {
    let bar = progress_bar(PROGRESS);
    let shown = bar.clone();
    let exported = interruptible(move |interrupted: Arc<AtomicBool>| {
        export(&mut |progress| {
            let ExportProgress { rollouts, examples, bytes, bytes_total } = progress;
            shown.set_length(bytes_total);
            shown.set_position(bytes);
            shown.set_message(format!("{rollouts} rollouts, {examples} examples"));
            match interrupted.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
    })
    .await;
    bar.finish_and_clear();
    let summary = match exported {
        Err(error @ ExportError::Cancelled) => {
            say(&error.to_string());
            return Ok(ExitCode::from(130));
        }
        exported => exported?,
    };
    let ExportSummary { rollouts, tasks, examples, passed_over, left_out } = summary;
    let output = common.output.display();
    let of_tasks = if tasks > 0 { format!(" of {tasks} tasks") } else { String::new() };
    say(&format!(
        "{output}: {examples} examples from {rollouts} rollouts{of_tasks}; {passed_over} passed over, {left_out} left out"
    ));
    if common.json {
        out(&serde_json::to_string(&summary).expect("a summary serialises to JSON"));
    }
    Ok(if left_out > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

impl From<ExportError> for Fatal {
    fn from(error: ExportError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}
