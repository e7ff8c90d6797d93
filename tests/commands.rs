//! What a shell and a reader get of the command line: completions and manual pages.

use std::process::Command;

use crate::support::command::Folder;

/// Completes the last of these words as bash would, with the script that is printed.
const COMPLETE: &str = r#"
source ./completions.bash
COMP_WORDS=(rehearsal "$@")
COMP_CWORD=$#
_rehearsal rehearsal "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

#[test]
fn bash_completes_commands_flags_values_and_files() {
    let folder = Folder::new();
    folder.write("completions.bash", &folder.run(&["completions", "bash"]).stdout);
    folder.write("rollouts.jsonl", "");
    for (words, expected) in [
        (&["ver"][..], &["verify"][..]),
        (&["verify", "--fai"], &["--failures-only"]),
        (&["verify", "--rollouts", "rol"], &["rollouts.jsonl"]),
        (&["check", "--config", "rol"], &["rollouts.jsonl"]),
        (&["profile", "--format", "m"], &["markdown", "metrics"]),
        (&["new", "env"], &["environment"]),
    ] {
        let mut bash = Command::new("bash");
        bash.args(["-c", COMPLETE, "bash"]).args(words).current_dir(folder.path("."));
        let Ok(output) = bash.output() else {
            println!("skipped: there is no bash");
            return;
        };
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{words:?}");
    }
}

#[test]
fn every_command_has_a_manual_page_with_its_examples() {
    let folder = Folder::new();
    let ended = folder.run(&["man", "--output", "deep/man1"]);
    ended.exits_with(0).says(&["deep/man1/rehearsal.1"]);
    let help = folder.run(&["--help"]).stdout;
    let commands = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let names = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.map(|line| line.split_whitespace().next().unwrap());
    let names: Vec<_> = names.filter(|name| *name != "help").collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in names.into_iter().filter(|name| *name != "new").chain(["new-environment"]) {
        let page = folder.read(&format!("deep/man1/rehearsal-{name}.1"));
        assert!(page.contains(&format!(".TH rehearsal-{name} 1")), "{page}");
        assert!(page.contains("Example"), "{name}");
    }
    let page = folder.run(&["man", "new", "environment"]);
    page.exits_with(0);
    assert_eq!(page.stdout, folder.read("deep/man1/rehearsal-new-environment.1"));
}

#[test]
fn a_manual_page_that_is_not_there_or_cannot_be_written_says_so() {
    let folder = Folder::new();
    folder.run(&["man", "verfy"]).exits_with(1).says(&["no command `verfy`", "hint: ", "`verify`"]);
    folder.write("taken", "");
    let ended = folder.run(&["man", "--output", "taken"]);
    ended.exits_with(1).says(&["cannot write `taken`", "hint: "]);
    folder.run(&["man", "verify", "--output", "taken"]).exits_with(2);
}
