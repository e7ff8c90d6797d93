//! Verifiers against independent implementations: what a Python script expects of the inputs that it
//! generates is what `rehearsal verify` says.
//!
//! Each `tests/differential/<kind>.py` is run as `python3 <kind>.py SEED ROWS FOLDER`. It makes a folder
//! for each configuration that it covers, with
//!
//! | File | Holds |
//! |---|---|
//! | `settings.json` | the environment's `settings:` |
//! | `tasks.jsonl` | dataset rows |
//! | `rollouts.jsonl` | for each row a `response`, and the verdict that is expected: `reward` and extras |
//!
//! A folder may have a `malformed.jsonl` instead: rows of which each must be refused.
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

use crate::support::command::Folder;

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
        let argument = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.into());
        let mut command = Command::new(&self.python);
        command.arg(&self.path).arg(argument("DIFFERENTIAL_SEED", SEED));
        command.arg(argument("DIFFERENTIAL_ROWS", ROWS)).arg(folder);
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

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Scores one folder's rollouts. Returns how many there are and which verdicts are not as expected.
fn compare(kind: &str, folder: &Path) -> (usize, Vec<String>) {
    let files = Folder::new();
    let settings = std::fs::read_to_string(folder.join("settings.json")).unwrap();
    let yaml = format!("environments: {{ world: {{ kind: {kind}, settings: {settings} }} }}\n");
    files.write("config.yaml", &yaml);
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (tasks, rollouts) = (path("tasks.jsonl"), path("rollouts.jsonl"));
    let arguments =
        ["verify", "--config", "config.yaml", "--tasks", &tasks, "--rollouts", &rollouts];
    let ended = files.run(&[&arguments[..], &["--output", "scored.jsonl"]].concat());
    ended.exits_with(0).says(&["0 left out"]);
    let (expected, scored) = (lines(Path::new(&rollouts)), lines(&files.path("scored.jsonl")));
    assert_eq!(expected.len(), scored.len());
    let tasks = lines(Path::new(&tasks));
    let pairs = tasks.iter().zip(&expected).zip(&scored);
    let wrong = pairs.filter_map(|((task, expected), scored)| difference(task, expected, scored));
    (expected.len(), wrong.collect())
}

/// Offers rows that are malformed. Returns those that were taken all the same.
fn refused(kind: &str, rows: &Path) -> Vec<String> {
    let files = Folder::new();
    files.write("config.yaml", &format!("environments: {{ world: {{ kind: {kind} }} }}\n"));
    let response = "{\"response\":{\"id\":\"r\",\"output\":[]}}\n";
    let rows = std::fs::read_to_string(rows).unwrap();
    files.write("tasks.jsonl", &rows);
    files.write("rollouts.jsonl", &response.repeat(rows.lines().count()));
    let arguments = ["verify", "--config", "config.yaml", "--tasks", "tasks.jsonl"];
    let more = ["--rollouts", "rollouts.jsonl", "--output", "scored.jsonl"];
    files.run(&[&arguments[..], &more].concat());
    files.read("scored.jsonl").lines().map(|row| format!("taken, but malformed: {row}")).collect()
}

/// What a verdict says that was not expected.
fn difference(task: &Value, expected: &Value, scored: &Value) -> Option<String> {
    let verdict = expected.as_object().unwrap().iter().filter(|(key, _)| *key != "response");
    let differs = |(key, value): &(&String, &Value)| scored.get(key.as_str()) != Some(*value);
    let wrong: Vec<_> = verdict.filter(differs).collect();
    if wrong.is_empty() {
        return None;
    }
    let ours: Vec<_> = wrong.iter().map(|(key, _)| (key, &scored[key.as_str()])).collect();
    let output = &expected["response"]["output"];
    Some(format!("{task}\n  output {output}\n  expected {wrong:?}\n  found {ours:?}"))
}

/// Every verdict of a kind is as its script expects.
fn agrees(kind: &str) {
    let Some(script) = Script::of(kind) else { return };
    let folder = tempfile::tempdir().unwrap();
    script.generate(folder.path());
    let (mut rows, mut wrong) = (0, Vec::new());
    let folders = std::fs::read_dir(folder.path()).unwrap();
    for path in folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let malformed = path.join("malformed.jsonl");
        if malformed.exists() {
            wrong.extend(refused(kind, &malformed));
            continue;
        }
        let (more, found) = compare(kind, &path);
        rows += more;
        wrong.extend(found);
    }
    assert!(rows >= 2000, "{kind}: only {rows} rollouts were generated");
    let shown = wrong[..wrong.len().min(SHOWN_MAX)].join("\n");
    assert!(wrong.is_empty(), "{kind}: {} of {rows} differ:\n{shown}", wrong.len());
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
