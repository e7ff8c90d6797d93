//! `rehearsal man`: manual pages, made from what `--help` says.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory, ValueHint};
use clap_mangen::Man as Page;

use crate::{Cli, Fatal, say};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rehearsal man | man -l -
  rehearsal man verify | man -l -
  rehearsal man --output ~/.local/share/man/man1

Exit codes: 0, 1 and 2 as everywhere.";

#[derive(Args)]
pub(crate) struct Man {
    /// The command whose page is printed, such as `verify` or `new environment` [default: rehearsal].
    #[arg(value_name = "COMMAND", conflicts_with = "output")]
    command: Vec<String>,
    /// Write the pages of all commands into a folder, instead of printing one.
    #[arg(short, long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    output: Option<PathBuf>,
}

/// Prints a page, or writes all of them.
pub(crate) fn run(arguments: &Man) -> Result<ExitCode, Fatal> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    match &arguments.output {
        Some(folder) => write_all(&root, folder)?,
        None => {
            let page = rendered(find(&root, &arguments.command)?);
            // A reader that has seen enough is no error.
            let _ = std::io::stdout().write_all(&page);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write_all(root: &Command, folder: &Path) -> Result<(), Fatal> {
    let failed = |path: &Path, error: std::io::Error| Fatal {
        message: format!("cannot write `{}`: {error}", path.display()),
        hint: Some("`--output` takes a folder that can be written".into()),
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let (mut commands, mut next) = (vec![root], 0);
    while let Some(command) = commands.get(next).copied() {
        next += 1;
        let path = folder.join(Page::new(command.clone()).get_filename());
        std::fs::write(&path, rendered(command)).map_err(|error| failed(&path, error))?;
        say(&format!("{}", path.display()));
        commands.extend(command.get_subcommands());
    }
    Ok(())
}

/// A command by the words that lead to it.
fn find<'a>(root: &'a Command, words: &[String]) -> Result<&'a Command, Fatal> {
    let mut command = root;
    for word in words {
        command = command.find_subcommand(word).ok_or_else(|| {
            let known: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            Fatal {
                message: format!("`{}` has no command `{word}`", command.get_name()),
                hint: Some(match known.as_slice() {
                    [] => "leave the last word out".into(),
                    known => format!("its commands are `{}`", known.join("`, `")),
                }),
            }
        })?;
    }
    Ok(command)
}

fn rendered(command: &Command) -> Vec<u8> {
    let mut page = Vec::new();
    let title = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let source = concat!("rehearsal ", env!("CARGO_PKG_VERSION"));
    let manual = Page::new(command.clone()).title(title).source(source).manual("Rehearsal");
    manual.render(&mut page).expect("memory takes whatever is written");
    page
}
