//! The `rehearsal` command.
//!
//! Data goes to stdout, everything for people to stderr; progress shows on a terminal only.

mod collect;
mod config;
mod export;
mod man;
mod new;
mod prepare;
mod profile;
mod summary;
mod tree;
mod verify;
mod view;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::error::ErrorKind;
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
  3    it was done, but some rows were left out, some rollouts failed, or something in a
       configuration of NeMo Gym's has no counterpart (`check`, `config --from-nemo`)
  130  it was interrupted; `collect --resume` or `verify --append` goes on from there

`rehearsal help COMMAND` says more about each, with examples.";

#[derive(Subcommand)]
enum Command {
    /// Run rollouts over datasets and write one JSON line per rollout.
    #[command(after_help = collect::EXAMPLES)]
    Collect(collect::Collect),
    /// Load a configuration, wire it, and report all problems at once.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Sources),
    /// Print the configuration that results from all layers, secrets masked; or translate one of NeMo
    /// Gym's.
    #[command(after_help = config::EXAMPLES)]
    Config(config::Configuration),
    /// List the kinds of models, environments and agents that configurations can name.
    #[command(after_help = KINDS_EXAMPLES)]
    Kinds,
    /// Write something new to begin with, ready to compile.
    #[command(subcommand)]
    New(new::New),
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
    /// Look at recorded rollouts in the browser: filters, transcripts, repeats side by side, charts.
    #[command(after_help = view::EXAMPLES)]
    View(view::View),
    /// Show the actors of a running process: states, restarts, queues, what each is busy with.
    #[command(after_help = tree::EXAMPLES)]
    Tree(tree::Tree),
    /// Print a completion script for a shell.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print a manual page, or write all of them into a folder.
    #[command(after_help = man::EXAMPLES)]
    Man(man::Man),
}

const CHECK_EXAMPLES: &str = "\
Examples:
  rehearsal check --config configs/quickstart.yaml
  rehearsal check --config configs/simple_weather.yaml --config configs/models/vllm.yaml
  rehearsal check --config mine.yaml --set collect.repeats=4

Components are built as for a collection, but no model is asked and no file is written. Where an \
environment runs code, it says what the machine's sandbox gives.

Exit codes: 0 if the configuration is good; 1 if it is not; 2 if the command line is wrong; 3 if something \
in a configuration of NeMo Gym's has no counterpart.";

const KINDS_EXAMPLES: &str = "\
Examples:
  rehearsal kinds
  rehearsal kinds | grep ^environments

One kind a line: the section of the configuration, a tab, the kind.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  rehearsal completions bash > ~/.local/share/bash-completion/completions/rehearsal
  rehearsal completions zsh > ~/.zfunc/_rehearsal
  rehearsal completions fish > ~/.config/fish/completions/rehearsal.fish

A new shell reads it. Commands, flags, their values and file names are completed.";

/// Where the configuration comes from. Later layers win: files in order, `env.yaml` in the working
/// directory, variables REHEARSAL__A__B, --set, overrides.
#[derive(Args)]
struct Sources {
    /// A configuration file, ours or NeMo Gym's; give it more than once to lay one over the other.
    #[arg(short, long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Set a key, the value read as YAML: --set collect.repeats=4
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Overrides as NeMo Gym takes them: +key=value, ++key=value, key=value, ~key; also
    /// '+config_paths=[a.yaml,b.yaml]' in place of --config.
    #[arg(value_name = "OVERRIDE", value_parser = read_override)]
    overrides: Vec<String>,
}

/// Whether an argument is an override rather than a file.
fn is_override(argument: &str) -> bool {
    argument.starts_with(['+', '~']) || argument.contains('=')
}

fn read_override(argument: &str) -> Result<String, String> {
    match is_override(argument) {
        true => Ok(argument.to_owned()),
        false => Err("overrides are `+key=value`, `++key=value`, `key=value`, `~key`".to_owned()),
    }
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
    match runtime.block_on(run(Cli::parse_from(arguments()).command)) {
        Ok(code) => code,
        Err(fatal) => fatal.report(),
    }
}

/// The command line; `+h=true` and `+help=true` ask for help, as in NeMo Gym.
fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os().map(|argument| match argument.to_str() {
        Some("+h=true" | "+help=true") => "--help".into(),
        Some(_) | None => argument,
    })
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
        Command::Config(arguments) => config::print(arguments),
        Command::Kinds => Ok(print_kinds()),
        Command::Verify(arguments) => verify::run(arguments).await,
        Command::Prepare(arguments) => prepare::run(arguments).await,
        Command::Export(arguments) => export::run(arguments).await,
        Command::Profile(arguments) => profile::run(&arguments),
        Command::View(arguments) => view::run(arguments).await,
        Command::Tree(arguments) => tree::show(arguments).await,
        Command::New(arguments) => new::run(&arguments),
        Command::Completions { shell } => Ok(print_completions(shell)),
        Command::Man(arguments) => man::run(&arguments),
    }
}

impl Sources {
    fn load(&self, more: &[(&str, Option<String>)]) -> Result<Config, Problems> {
        self.loader(more).load()
    }

    fn loader(&self, more: &[(&str, Option<String>)]) -> Loader {
        let names_files = |text: &str| text.trim_start_matches('+').starts_with("config_paths");
        let is_listed = self.overrides.iter().any(|argument| names_files(argument))
            || std::fs::read_to_string("env.yaml").is_ok_and(|text| text.lines().any(names_files));
        if self.config.is_empty() && !is_listed {
            let missing = "no configuration is given: `--config <FILE>`";
            Cli::command().error(ErrorKind::MissingRequiredArgument, missing).exit();
        }
        let mut loader = Loader::new().kinds(&rehearsal::kinds());
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
        self.overrides.iter().fold(loader, |loader, argument| loader.overriding(argument))
    }
}

fn progress_bar(template: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    ProgressBar::with_draw_target(None, target).with_style(bar_style(template))
}

fn bar_style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is well-formed")
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
    let walls = rehearsal::environments::sandbox::walls(&config);
    if !walls.is_empty() {
        say(walls.trim_end());
    }
    let is_complete = config::is_complete(config.warnings());
    // What settings mean together is known once the components are built; what is odd is said then.
    Runtime::start(config, &rehearsal::kinds()).await?.stop().await;
    if !is_complete {
        say("the configuration is good, but for what is left out");
        return Ok(ExitCode::from(3));
    }
    say("the configuration is good");
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

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = include_str!("../docs/commands.md");

    fn commands(command: &clap::Command) -> Vec<clap::Command> {
        let below = command.get_subcommands().filter(|below| below.get_name() != "help");
        let below = below.flat_map(commands);
        std::iter::once(command.clone()).chain(below).collect()
    }

    /// The command lines in a text: what follows `rehearsal`, up to a redirection.
    fn command_lines(text: &str) -> Vec<Vec<String>> {
        let joined = text.replace("\\\n", " ");
        let lines = joined.lines().filter_map(|line| {
            let (before, line) = line.split_once("rehearsal ")?;
            let is_command = before
                .trim_start_matches(['$', ' '])
                .split_whitespace()
                .all(|word| word.contains('='));
            is_command.then(|| format!("rehearsal {line}"))
        });
        lines.map(|line| words(&line)).collect()
    }

    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
        for c in line.chars().chain([' ']) {
            match (c, quote) {
                ('\'' | '"', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                ('|' | '>' | '&', None) if word.is_empty() => return words,
                (' ', None) if !word.is_empty() => words.push(std::mem::take(&mut word)),
                (' ', None) => {}
                (c, _) => word.push(c),
            }
        }
        words
    }

    #[track_caller]
    fn assert_all_parse(text: &str) -> usize {
        let lines = command_lines(text);
        for line in &lines {
            if let Err(error) = Cli::try_parse_from(line) {
                assert_eq!(error.exit_code(), 0, "{line:?}: {error}");
            }
        }
        lines.len()
    }

    #[test]
    fn every_command_says_what_it_is_for_and_gives_examples_that_parse() {
        let mut root = Cli::command();
        root.clone().debug_assert();
        root.build();
        for command in commands(&root).iter().filter(|command| !command.has_subcommands()) {
            let name = command.get_display_name().unwrap_or_default();
            assert!(command.get_about().is_some(), "{name} does not say what it is for");
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(assert_all_parse(&after) > 0, "{name} gives no example");
        }
    }

    #[test]
    fn every_command_is_documented_and_what_the_documentation_types_parses() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let is_there = DOCS.contains(&format!("rehearsal {name}"));
            assert!(is_there, "docs/commands.md does not say what `rehearsal {name}` is");
        }
        assert!(assert_all_parse(DOCS) > 10);
    }
}
