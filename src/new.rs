//! `rehearsal new`: a new environment that compiles and runs as written, for its author to change.

mod name;
mod place;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Subcommand};

use crate::{Fatal, out, say};
use name::Name;
use place::Place;

pub(crate) const EXAMPLES: &str = "\
Examples:
  rehearsal new environment tea_shop
  rehearsal new environment tea_shop --dry-run
  rehearsal new environment tea_shop --path ../my-worlds

What is written is a small world, whole: its file with settings, target, session, a tool, a verifier \
and tests; a configuration whose scripted model solves it; and five tasks. Change it into yours.

Exit codes: 0, 1 and 2 as everywhere. Nothing is overwritten: if a file is there already, nothing is \
written at all.";

/// What is made.
#[derive(Subcommand)]
pub(crate) enum New {
    /// Write a task world: its Rust file, configuration, five tasks and registration.
    ///
    /// In a checkout of Rehearsal it becomes a kind that ships and passes the catalog of tests. In a
    /// package that depends on `rehearsal` it becomes a module of that package.
    #[command(after_help = EXAMPLES)]
    Environment(NewEnvironment),
}

#[derive(Args)]
pub(crate) struct NewEnvironment {
    /// The kind's name, in snake case.
    name: String,
    /// The package that it is for [default: the one around the working directory].
    #[arg(long, value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    path: Option<PathBuf>,
    /// Print what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What becomes of a file.
enum Change {
    Create(String),
    /// Lines put into a text that is there.
    Extend {
        text: String,
        added: Vec<String>,
    },
}

/// Files and what becomes of them, in the order of writing.
type Plan = Vec<(PathBuf, Change)>;

const ENVIRONMENT: &str = include_str!("new/template/environment.rs");
const TESTS_OF_WORKSPACE: &str = include_str!("new/template/tests_of_workspace.rs");
const TESTS_OF_CRATE: &str = include_str!("new/template/tests_of_crate.rs");
const CONFIG: &str = include_str!("new/template/config.yaml");
const TASKS: &str = include_str!("new/template/example.jsonl");
const GOLD: &str = include_str!("new/template/gold.jsonl");
/// Where the tests go that belong to a place.
const TESTS_MARK: &str = "    // The tests of the place follow here.\n";

/// Makes what is asked for.
pub(crate) fn run(New::Environment(arguments): &New) -> Result<ExitCode, Fatal> {
    let name = Name::parse(&arguments.name)?;
    let start = arguments.path.clone().unwrap_or_else(|| ".".into());
    let place = Place::around(&start)?;
    let plan = plan(&name, &place)?;
    let taken = |(path, change): &&(PathBuf, Change)| {
        matches!(change, Change::Create(_)) && path.symlink_metadata().is_ok()
    };
    if let Some((path, _)) = plan.iter().find(taken) {
        return Err(Fatal {
            message: format!("`{}` exists already, and nothing is overwritten", path.display()),
            hint: Some("choose another name, or move the file away".into()),
        });
    }
    plan.iter().for_each(print);
    if arguments.dry_run {
        say("nothing was written");
        return Ok(ExitCode::SUCCESS);
    }
    write(&plan)?;
    format(&plan);
    say(&place.next_steps(&name));
    Ok(ExitCode::SUCCESS)
}

/// What is to be written, without writing it.
fn plan(name: &Name, place: &Place) -> Result<Plan, Fatal> {
    let root = place.root();
    let create = |path: String, text: String| (root.join(path), Change::Create(text));
    let kind = name.kind();
    match place {
        Place::Workspace { .. } => {
            let data = format!("environments/data/{kind}");
            let run = format!("rehearsal collect --config configs/{kind}.yaml");
            let library = root.join("environments/src/lib.rs");
            let registered = place::register(&library, name)?;
            Ok(vec![
                create(
                    format!("environments/src/{kind}.rs"),
                    code(name, "framework::", "", TESTS_OF_WORKSPACE),
                ),
                create(format!("configs/{kind}.yaml"), config(name, &data, &run)),
                create(format!("{data}/example.jsonl"), TASKS.to_owned()),
                create(format!("{data}/gold.jsonl"), GOLD.to_owned()),
                (library, registered),
            ])
        }
        Place::Package { facade, .. } => {
            let data = format!("data/{kind}");
            let run = format!("cargo test {kind}");
            let framework = format!("{facade}::framework::");
            Ok(vec![
                create(format!("src/{kind}.rs"), code(name, &framework, facade, TESTS_OF_CRATE)),
                create(format!("{kind}.yaml"), config(name, &data, &run)),
                create(format!("{data}/example.jsonl"), TASKS.to_owned()),
            ])
        }
    }
}

fn code(name: &Name, framework: &str, facade: &str, tests: &str) -> String {
    let code = ENVIRONMENT.replace(TESTS_MARK, tests);
    let code = code.replace("framework::", framework).replace("facade_path", facade);
    code.replace("kind_name", name.kind()).replace("KindName", name.of_type())
}

fn config(name: &Name, data: &str, run: &str) -> String {
    let config = CONFIG.replace("run_line", run).replace("data_path", data);
    config.replace("kind_name", name.kind())
}

/// Prints what becomes of a file.
fn print((path, change): &(PathBuf, Change)) {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path).display();
    match change {
        Change::Create(_) => out(&format!("create {path}")),
        Change::Extend { added, .. } => {
            out(&format!("extend {path}"));
            added.iter().for_each(|line| out(&format!("  + {}", line.trim())));
        }
    }
}

/// Writes all of it. If that fails, the files that it made are taken away again.
fn write(plan: &Plan) -> Result<(), Fatal> {
    let mut made = Vec::new();
    for (path, change) in plan {
        let written = match change {
            Change::Create(text) => create(path, text).inspect(|()| made.push(path)),
            Change::Extend { text, .. } => std::fs::write(path, text),
        };
        if let Err(error) = written {
            for path in made {
                // What cannot be taken away stays; the error that matters is the one before.
                let _ = std::fs::remove_file(path);
            }
            return Err(Fatal {
                message: format!("cannot write `{}`: {error}", path.display()),
                hint: Some("check the folder and its permissions; no file was left behind".into()),
            });
        }
    }
    Ok(())
}

fn create(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::File::options().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes()).inspect_err(|_| {
        // What matters is why it cannot be written.
        let _ = std::fs::remove_file(path);
    })
}

/// Breaks the lines of Rust files as the place wants them: how long they are hangs on the name.
/// Without `rustfmt` they stay as they are.
fn format(plan: &Plan) {
    let created = plan.iter().filter(|(_, change)| matches!(change, Change::Create(_)));
    let rust = created.map(|(path, _)| path).filter(|path| path.extension() == Some("rs".as_ref()));
    for path in rust {
        let formatted = Command::new("rustfmt").args(["--edition", "2024"]).arg(path).output();
        if !formatted.is_ok_and(|output| output.status.success()) {
            say(&format!("`rustfmt` did not format `{}`", path.display()));
        }
    }
}
