//! `rehearsal profile`: what recorded rollouts come to, in numbers and plots.

mod report;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use rehearsal::framework::profile::{
    AgentProfile, Comparison, Profile as Reading, ProfileError, ProfileProgress, RunProfile,
};
use serde::Serialize;

use crate::{Fatal, out, progress_bar, say};
use table::{Style, Table};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rehearsal profile out/rollouts.jsonl
  rehearsal profile out/rollouts.jsonl --answer extracted_answer --by domain --report out/report.html
  rehearsal profile out/after.jsonl --against out/before.jsonl
  rehearsal profile out/rollouts.jsonl --format metrics >> metrics.jsonl

Reads what `collect` wrote, and rollouts of NeMo Gym. pass@k, avg-of-k and majority@k are in percent; \
brackets hold 95 % confidence intervals, for which the repeats of a task count as one. Rollouts that \
failed are counted from <rollouts>_failures.jsonl and are in no mean.

Exit codes: 0, 1 and 2 as everywhere; 3 if malformed lines were left out.";

/// Tasks that changed which are listed, at most, unless the format is for machines.
const CHANGES_MAX: usize = 20;
const PROGRESS: &str = "{bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  eta {eta}  {msg}";

#[derive(Args)]
pub(crate) struct Profile {
    /// Rollout files; together they are one run.
    #[arg(value_name = "FILE", required = true)]
    rollouts: Vec<PathBuf>,
    /// The rollouts of an earlier run over the same tasks, to compare with.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    against: Vec<PathBuf>,
    /// A line for each rollout that was to be made (NeMo Gym's <output>_materialized_inputs.jsonl).
    #[arg(long, value_name = "FILE")]
    inputs: Option<PathBuf>,
    /// Accept that rollouts of --inputs are missing.
    #[arg(long, requires = "inputs")]
    allow_partial: bool,
    /// The field with a rollout's answer, for majority@k: --answer extracted_answer
    #[arg(long, value_name = "FIELD")]
    answer: Option<String>,
    /// A field that gets pass@k of its own, beside the reward; may be given more than once.
    #[arg(long = "score", value_name = "FIELD")]
    scores: Vec<String>,
    /// Break pass@k down by the values of this field.
    #[arg(long = "by", value_name = "FIELD")]
    subset: Option<String>,
    /// How to print the statistics on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Also write the statistics of each task to <STEM>_reward_profiling.jsonl and those of each agent
    /// to <STEM>_agent_metrics.json.
    #[arg(long, value_name = "STEM")]
    output: Option<PathBuf>,
    /// Also write a report with plots: one HTML file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Format {
    /// Tables for people.
    #[default]
    Text,
    /// Tables in Markdown.
    Markdown,
    /// One JSON object.
    Json,
    /// One line per metric: agent, metric, value, low, high.
    Csv,
    /// One flat JSON object a line, as experiment trackers take it.
    Metrics,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Statistics<'a> {
    agents: &'a std::collections::BTreeMap<String, AgentProfile>,
    left_out: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<&'a Comparison>,
}

/// Makes the statistics and puts them where they are wanted.
pub(crate) fn run(arguments: &Profile) -> Result<ExitCode, Fatal> {
    let run = arguments.read(&arguments.rollouts, arguments.inputs.clone())?;
    let earlier = match arguments.against.as_slice() {
        [] => None,
        files => Some(arguments.read(files, None)?),
    };
    let comparison = earlier.as_ref().map(|earlier| Comparison::of(earlier, &run));
    arguments.print(&run, comparison.as_ref());
    if let Some(stem) = &arguments.output {
        write_groups(&run, &with_suffix(stem, "_reward_profiling.jsonl"))?;
        write_agents(&run, &with_suffix(stem, "_agent_metrics.json"))?;
    }
    if let Some(path) = &arguments.report {
        let page = report::page(&arguments.rollouts, &run, comparison.as_ref());
        write_file(path, |file| file.write_all(page.as_bytes()))?;
        say(&format!("report: {}", path.display()));
    }
    Ok(if run.left_out > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

impl Profile {
    fn read(&self, files: &[PathBuf], inputs: Option<PathBuf>) -> Result<RunProfile, Fatal> {
        let reading = Reading {
            rollouts: files.to_owned(),
            inputs,
            allow_partial: self.allow_partial,
            answer: self.answer.clone(),
            scores: self.scores.clone(),
            subset: self.subset.clone(),
        };
        let bar = progress_bar(PROGRESS);
        let result = reading.run(|progress| show(&bar, progress));
        bar.finish_and_clear();
        Ok(result?)
    }

    fn print(&self, run: &RunProfile, comparison: Option<&Comparison>) {
        match self.format {
            Format::Text => print_tables(&tables(run, comparison), Style::Text),
            Format::Markdown => print_tables(&tables(run, comparison), Style::Markdown),
            Format::Json => {
                let RunProfile { agents, left_out, .. } = run;
                let statistics = Statistics { agents, left_out: *left_out, comparison };
                out(&serde_json::to_string_pretty(&statistics).expect("it serialises to JSON"));
            }
            Format::Csv => print_csv(run),
            Format::Metrics => out(&flat(run).to_string()),
        }
    }
}

fn show(bar: &ProgressBar, progress: ProfileProgress) {
    bar.set_length(progress.bytes_total);
    bar.set_position(progress.bytes);
    bar.set_message(format!("{} rollouts", progress.rollouts));
}

fn print_tables(tables: &[Table], style: Style) {
    let texts: Vec<_> = tables.iter().map(|table| table.render(style)).collect();
    out(texts.join("\n").trim_end());
}

/// All tables of a run.
fn tables(run: &RunProfile, comparison: Option<&Comparison>) -> Vec<Table> {
    let mut tables = Vec::new();
    for (name, agent) in &run.agents {
        tables.push(table::fields(name, agent));
        tables.push(table::repeats("pass@k, in percent", &agent.repeats));
        for (subset, repeats) in &agent.subsets {
            tables.push(table::repeats(&format!("{subset}: pass@k, in percent"), repeats));
        }
        if !agent.failed.is_empty() {
            tables.push(table::failures(agent));
        }
    }
    if let Some(comparison) = comparison {
        for (name, agent) in &comparison.agents {
            tables.push(table::compared(name, agent));
            if !agent.changes.is_empty() {
                tables.push(table::changes(agent, CHANGES_MAX));
            }
        }
    }
    tables
}

/// Every metric of an agent: its name and value.
fn metrics(agent: &AgentProfile) -> impl Iterator<Item = (&str, f64)> {
    let all = agent.metrics.iter().chain(&agent.repeats.metrics);
    all.map(|(name, value)| (name.as_str(), *value))
}

fn subset_metrics(agent: &AgentProfile) -> impl Iterator<Item = (String, f64)> {
    agent.subsets.iter().flat_map(|(subset, repeats)| {
        repeats.metrics.iter().map(move |(name, value)| (format!("{subset}/{name}"), *value))
    })
}

/// `agent/metric` to value, as trackers log it.
fn flat(run: &RunProfile) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    for (agent_name, agent) in &run.agents {
        for (name, value) in metrics(agent) {
            object.insert(format!("{agent_name}/{name}"), value.into());
        }
        for (name, value) in subset_metrics(agent) {
            object.insert(format!("{agent_name}/{name}"), value.into());
        }
        for (name, value) in agent.key_metrics() {
            object.insert(format!("key_metrics/{agent_name}/{name}"), value.into());
        }
    }
    object.into()
}

fn print_csv(run: &RunProfile) {
    out("agent,metric,value,low,high");
    for (agent_name, agent) in &run.agents {
        let own = metrics(agent).map(|(name, value)| (name.to_owned(), value));
        for (name, value) in own.chain(subset_metrics(agent)) {
            let interval = agent.intervals.get(&name);
            let ends = interval.map_or_else(
                || ",".to_owned(),
                |interval| format!("{},{}", interval.low, interval.high),
            );
            out(&format!("{},{},{value},{ends}", quoted(agent_name), quoted(&name)));
        }
    }
}

/// A CSV field (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn with_suffix(stem: &Path, suffix: &str) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn write_groups(run: &RunProfile, path: &Path) -> Result<(), Fatal> {
    let mut unreadable = None;
    write_file(path, |file| {
        for agent in run.agents.values() {
            for group in run.groups(agent) {
                match group {
                    Ok(group) => {
                        serde_json::to_writer(&mut *file, &group)?;
                        file.write_all(b"\n")?;
                    }
                    Err(error) => {
                        unreadable = Some(error);
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    })?;
    match unreadable {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// What NeMo Gym's `_agent_metrics.json` holds, and the rest beside it.
fn write_agents(run: &RunProfile, path: &Path) -> Result<(), Fatal> {
    #[derive(Serialize)]
    struct Entry<'a> {
        agent_ref: AgentRef<'a>,
        #[serde(flatten)]
        profile: &'a AgentProfile,
    }
    #[derive(Serialize)]
    struct AgentRef<'a> {
        name: &'a str,
    }
    let entry = |(name, profile): (&'_ String, _)| {
        let entry = Entry { agent_ref: AgentRef { name }, profile };
        serde_json::to_value(entry).expect("it serialises to JSON")
    };
    let entries: Vec<_> = run.agents.iter().map(entry).collect();
    write_file(path, |file| Ok(serde_json::to_writer_pretty(file, &entries)?))
}

fn write_file(
    path: &Path,
    write: impl FnOnce(&mut std::io::BufWriter<std::fs::File>) -> std::io::Result<()>,
) -> Result<(), Fatal> {
    let written = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
        write(&mut file)?;
        file.flush()
    };
    written().map_err(|error| Fatal {
        message: format!("cannot write `{}`: {error}", path.display()),
        hint: None,
    })
}

impl From<ProfileError> for Fatal {
    fn from(error: ProfileError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}
