//! Verifiers against independent implementations: what a Python script expects of the inputs that it
//! generates is what `rehearsal verify` says.
//!
//! Each `tests/differential/<kind>.py` is run as `python3 <kind>.py SEED ROWS FOLDER`. It makes a folder
//! for each configuration that it covers, with
//!
//! | File | Holds |
//! |---|---|
//! | `settings.json` | the environment's `settings:`; none if it is not there |
//! | `models.json` | the configuration's `models:`, if the environment asks one |
//! | `tasks.jsonl` | dataset rows |
//! | `rollouts.jsonl` | for each row a `response`, and the verdict that is expected: `reward` and extras |
//!
//! A rollout that has no `reward` is one whose verification must fail, with these extras. What is expected
//! of an extra that is an object may leave keys out. Where tools matter, a folder has a `gold.jsonl` too, what
//! a model says in each rollout, and the `rollouts.jsonl` hold the outputs that are expected of its calls. A
//! folder may have a `malformed.jsonl` instead of tasks and rollouts: rows of which each must be refused.
//!
//! Mathematics has pairs of answers instead, and a library that is not right in all of them; see
//! `differential/mathematics.rs`.
//!
//! `ROWS` is how many rollouts it makes in all. The seed is fixed, so a run can be repeated; the variables
//! `DIFFERENTIAL_SEED` and `DIFFERENTIAL_ROWS` ask for others. A line `# Requires: a==1 b==2` names what
//! the script imports; it is installed once into a virtual environment below `target/`. Without `python3`
//! or a package registry the test says in one line that it skipped.

mod mathematics;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::command::{Ended, Folder};

const SEED: &str = "1";
const ROWS: &str = "2500";
/// Disagreements that are shown in full.
const SHOWN_MAX: usize = 8;

/// A script, and what runs it.
struct Script {
    path: PathBuf,
    python: PathBuf,
}

impl Script {
    /// The script of a kind, with what it imports; `None`, after saying so, if that cannot be had.
    #[expect(clippy::print_stdout, reason = "who runs the tests is to read that one was skipped")]
    fn of(kind: &str) -> Option<Self> {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/differential/{kind}.py"));
        let text = std::fs::read_to_string(&path).unwrap();
        let requirements = text.lines().find_map(|line| line.strip_prefix("# Requires: "));
        let python = match requirements {
            None => run(Command::new("python3").arg("--version")).map(|_| "python3".into()),
            Some(requirements) => virtual_environment(kind, requirements),
        };
        match python {
            Ok(python) => Some(Self { path, python }),
            Err(reason) => {
                println!("skipped: nothing to compare `{kind}` with: {reason}");
                None
            }
        }
    }

    fn generate(&self, folder: &Path) {
        self.generate_rows(folder, ROWS);
    }

    /// Generates so many rows, unless the variable asks for others.
    fn generate_rows(&self, folder: &Path, rows: &str) {
        let argument = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.into());
        let mut command = Command::new(&self.python);
        command.arg(&self.path).arg(argument("DIFFERENTIAL_SEED", SEED));
        command.arg(argument("DIFFERENTIAL_ROWS", rows)).arg(folder);
        run(&mut command).unwrap_or_else(|reason| panic!("{}: {reason}", self.path.display()));
    }
}

/// The Python of an environment that has these packages. It is made once and kept.
fn virtual_environment(kind: &str, requirements: &str) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("differential-{kind}"));
    let (python, made) = (folder.join("bin/python3"), folder.join("requirements.txt"));
    if std::fs::read_to_string(&made).is_ok_and(|made| made == requirements) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let quick = ["-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "20"];
    run(Command::new(&python).args(quick).args(requirements.split(' ')))?;
    std::fs::write(&made, requirements).map_err(|error| error.to_string())?;
    Ok(python)
}

/// Runs a command to its end; what it says last if it fails.
fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = || said.trim_end().lines().last().unwrap_or("it failed without a word").to_owned();
    if output.status.success() { Ok(output) } else { Err(last()) }
}

fn values(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn lines(path: &Path) -> Vec<Value> {
    values(&std::fs::read_to_string(path).unwrap())
}

/// Scores rollouts as a folder's settings and models say. Returns the command's files.
fn verify(kind: &str, folder: &Path, tasks: &str, rollouts: &str) -> (Folder, Ended) {
    let files = Folder::new();
    let read =
        |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_else(|_| "{}".to_owned());
    let (settings, models) = (read("settings.json"), read("models.json"));
    let environment = format!("{{ world: {{ kind: {kind}, settings: {settings} }} }}");
    files.write("config.yaml", &format!("models: {models}\nenvironments: {environment}\n"));
    files.write("tasks.jsonl", tasks);
    files.write("rollouts.jsonl", rollouts);
    let arguments = ["verify", "--config", "config.yaml", "--tasks", "tasks.jsonl"];
    let more = ["--rollouts", "rollouts.jsonl", "--output", "scored.jsonl"];
    let ended = files.run(&[&arguments[..], &more].concat());
    (files, ended)
}

/// Scores one folder's rollouts. Returns how many there are and which verdicts are not as expected.
fn compare(kind: &str, folder: &Path) -> (usize, Vec<String>) {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let (tasks, rollouts) = (text("tasks.jsonl"), text("rollouts.jsonl"));
    let (files, ended) = verify(kind, folder, &tasks, &rollouts);
    let (tasks, expected) = (values(&tasks), values(&rollouts));
    let (mut found, mut failed) = (values(&files.read("scored.jsonl")), Vec::new());
    if files.path("scored_failures.jsonl").exists() {
        failed = values(&files.read("scored_failures.jsonl"));
    }
    ended.says(&[&format!("{} left out", failed.len())]);
    found.append(&mut failed);
    found.sort_by_key(line_of);
    assert_eq!(expected.len(), found.len(), "{}", ended.stderr);
    let pairs = tasks.iter().zip(&expected).zip(&found);
    let wrong = pairs.filter_map(|((task, expected), found)| difference(task, expected, found));
    (expected.len(), wrong.collect())
}

/// Has a model make the calls of one folder's rollouts. Returns how many there are, and which are answered
/// otherwise than expected.
fn compare_answers(kind: &str, folder: &Path) -> (usize, Vec<String>) {
    let files = Folder::new();
    let settings = std::fs::read_to_string(folder.join("settings.json")).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (gold, tasks) = (path("gold.jsonl"), path("tasks.jsonl"));
    let yaml = format!(
        "models: {{ gold: {{ kind: replay, settings: {{ path: '{gold}', match: order }} }} }}
environments: {{ world: {{ kind: {kind}, settings: {settings} }} }}
agents:
  solver:
    kind: tool_loop
    environment: world
    model: gold
    datasets: [{{ name: generated, type: example, path: '{tasks}' }}]
collect: {{ output: out.jsonl }}
"
    );
    files.write("config.yaml", &yaml);
    files.run(&["collect", "--config", "config.yaml"]).exits_with(0);
    let mut found = lines(&files.path("out.jsonl"));
    found.sort_by_key(line_of);
    let expected = lines(&folder.join("rollouts.jsonl"));
    assert_eq!(found.len(), expected.len());
    let (mut calls, mut wrong) = (0, Vec::new());
    for (expected, found) in expected.iter().zip(&found) {
        let (expected, found) = (outputs(expected), outputs(found));
        assert_eq!(expected.len(), found.len());
        calls += expected.len();
        let pairs = expected.iter().zip(&found).filter(|(expected, found)| expected.1 != found.1);
        let text = |((call, expected), (_, found)): (&(Value, Value), &(Value, Value))| {
            format!(
                "{} {}\n  expected {expected}\n  found {found}",
                call["name"], call["arguments"]
            )
        };
        // What follows a wrong answer may follow from it.
        wrong.extend(pairs.map(text).take(1));
    }
    (calls, wrong)
}

/// The calls of a rollout and what they are answered.
fn outputs(rollout: &Value) -> Vec<(Value, Value)> {
    let items = rollout["response"]["output"].as_array().unwrap();
    let of_type = |name: &'static str| items.iter().filter(move |item| item["type"] == name);
    let answers = of_type("function_call_output").map(|answer| answer["output"].clone());
    of_type("function_call").cloned().zip(answers).collect()
}

/// Offers rows that are malformed. Returns those that were taken all the same.
fn refused(kind: &str, folder: &Path, rows: &str) -> Vec<String> {
    let response = "{\"response\":{\"id\":\"r\",\"output\":[]}}\n";
    let (files, _) = verify(kind, folder, rows, &response.repeat(rows.lines().count()));
    files.read("scored.jsonl").lines().map(|row| format!("taken, but malformed: {row}")).collect()
}

/// The line of the tasks file that a record belongs to.
fn line_of(record: &Value) -> usize {
    let task = record["rehearsal"]["task"].as_str().unwrap();
    task.rsplit('/').next().unwrap().parse().unwrap()
}

/// What a verdict says that was not expected.
fn difference(task: &Value, expected: &Value, found: &Value) -> Option<String> {
    let verdict = expected.as_object().unwrap().iter().filter(|(key, _)| *key != "response");
    let is_wrong = |(key, value): &(&String, &Value)| !covers(&found[key.as_str()], value);
    let mut wrong: Vec<_> = verdict.filter(is_wrong).collect();
    let (reward, none) = ("reward".to_owned(), Value::Null);
    if expected.get("reward").is_none() && found.get("reward").is_some() {
        wrong.push((&reward, &none));
    }
    if wrong.is_empty() {
        return None;
    }
    let ours: Vec<_> = wrong.iter().map(|(key, _)| (key, &found[key.as_str()])).collect();
    let output = &expected["response"]["output"];
    Some(format!("{task}\n  output {output}\n  expected {wrong:?}\n  found {ours:?}"))
}

/// Whether all that is expected is there.
fn covers(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => expected
            .iter()
            .all(|(key, expected)| found.get(key).is_some_and(|found| covers(found, expected))),
        (Value::Array(found), Value::Array(expected)) => {
            let pairs = found.iter().zip(expected);
            found.len() == expected.len()
                && pairs.into_iter().all(|(found, expected)| covers(found, expected))
        }
        _ => found == expected,
    }
}

/// Every verdict of a kind is as its script expects.
fn agrees(kind: &str) {
    let Some(script) = Script::of(kind) else { return };
    let folder = tempfile::tempdir().unwrap();
    script.generate(folder.path());
    let (mut rows, mut wrong) = (0, Vec::new());
    let folders = std::fs::read_dir(folder.path()).unwrap();
    for path in folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        if let Ok(rows) = std::fs::read_to_string(path.join("malformed.jsonl")) {
            wrong.extend(refused(kind, &path, &rows));
            continue;
        }
        let (more, found) = compare(kind, &path);
        rows += more;
        wrong.extend(found);
        if path.join("gold.jsonl").exists() {
            let (more, found) = compare_answers(kind, &path);
            rows += more;
            wrong.extend(found);
        }
    }
    assert!(rows >= 2000, "{kind}: only {rows} verdicts and answers were generated");
    let shown = wrong[..wrong.len().min(SHOWN_MAX)].join("\n");
    assert!(wrong.is_empty(), "{kind}: {} of {rows} differ:\n{shown}", wrong.len());
}

#[test]
fn equivalence_llm_judge_agrees_with_pythons_regular_expressions_and_formats() {
    agrees("equivalence_llm_judge");
}

#[test]
fn mcqa_agrees_with_pythons_regular_expressions() {
    agrees("mcqa");
}

#[test]
fn instruction_following_agrees_with_nltk_and_langdetect() {
    agrees("instruction_following");
}

#[test]
fn structured_outputs_agrees_with_pythons_json_schema_and_parsers() {
    agrees("structured_outputs");
}

#[test]
fn workbench_agrees_with_pandas() {
    agrees("workbench");
}
