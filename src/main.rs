//! The `rehearsal` command.
//!
//! Data goes to stdout, everything for people to stderr; progress shows on a terminal only.

mod collect;
mod export;
mod prepare;
mod profile;
mod tree;
mod verify;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rehearsal::framework::config::{Config, Problems};
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
    #[command(after_help = collect::EXAMPLES)]
    Collect(collect::Collect),
    /// Load a configuration, wire it, and report all problems at once.
    Check(Sources),
    /// Print the configuration that results from all layers, secrets masked.
    Config(Sources),
    /// List the kinds of models, environments and agents that configurations can name.
    Kinds,
    /// Score recorded rollouts again, without a model.
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Verify),
    /// Check datasets row by row, measure them, and put them together into files for training.
    #[command(after_help = prepare::EXAMPLES)]
    Prepare(prepare::Prepare),
    /// Make training examples of recorded rollouts: chats (SFT) or preference pairs (DPO).
    #[command(after_help = export::EXAMPLES)]
    Export(export::Export),
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
        Command::Collect(arguments) => collect::run(arguments).await,
        Command::Check(sources) => check_configuration(&sources).await,
        Command::Config(sources) => print_configuration(&sources),
        Command::Kinds => Ok(print_kinds()),
        Command::Verify(arguments) => verify::run(arguments).await,
        Command::Prepare(arguments) => prepare::run(arguments).await,
        Command::Export(arguments) => export::run(arguments).await,
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

fn progress_bar(template: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    ProgressBar::with_draw_target(None, target).with_style(style)
}

/// Runs work that is not to hold up the runtime. Ctrl-C raises its flag, and the next one ends everything.
async fn interruptible<T: Send + 'static>(
    work: impl FnOnce(Arc<AtomicBool>) -> T + Send + 'static,
) -> T {
    let interrupted = Arc::new(AtomicBool::new(false));
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    // The signal is listened for from its first poll, which must come before the work.
    tokio::select! {
        biased;
        _ = &mut interrupt => std::process::exit(130),
        () = std::future::ready(()) => {}
    }
    let flag = interrupted.clone();
    let mut working = tokio::task::spawn_blocking(move || work(flag));
    loop {
        tokio::select! {
            done = &mut working => match done {
                Ok(done) => return done,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
            _ = &mut interrupt => {
                if interrupted.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                interrupt.set(tokio::signal::ctrl_c());
            }
        }
    }
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

#[expect(clippy::print_stderr, reason = "what people read goes to stderr")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Prints data. A reader that has seen enough, such as `head`, is no error.
fn out(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
