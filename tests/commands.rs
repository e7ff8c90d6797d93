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

const CONFIG: &str = "\
models: { policy: { kind: scripted, settings: { rules: [{ say: well }] } } }
environments: { weather: { kind: simple_weather } }
agents: { solver: { kind: tool_loop, environment: weather, model: policy } }
";

#[test]
fn what_goes_wrong_names_the_thing_and_says_what_to_do() {
    let folder = Folder::new();
    folder.write("config.yaml", CONFIG);
    folder.write("open.yaml", "models: [\n");
    folder.write("empty", "");
    folder.write("folder/file", "");
    std::fs::write(folder.path("binary"), b"\xff\xfe\x00\n").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let exporter = format!("telemetry.prometheus={address}");
    for (words, thing) in [
        ("check --config gone.yaml", "gone.yaml: cannot be read"),
        ("check --config binary", "binary: cannot be read"),
        ("config --config folder", "folder: cannot be read"),
        ("config --config open.yaml", "open.yaml:2: not valid YAML"),
        ("collect --config config.yaml", "there is no `collect` section"),
        ("collect --config config.yaml --output folder", "`folder` is a directory"),
        ("collect --config config.yaml --output empty/out", "`empty` is a file"),
        ("collect --config config.yaml --set nothing", "`--set nothing` assigns nothing"),
        ("verify --config config.yaml --rollouts gone --output out", "cannot read `gone`"),
        ("verify --config config.yaml --rollouts empty --output out", "no tasks are given"),
        ("verify --config config.yaml --rollouts folder --tasks empty --output out", "`folder`"),
        ("verify --config config.yaml --rollouts empty --tasks empty --output folder", "`folder`"),
        ("profile gone", "cannot read `gone`"),
        ("profile folder", "cannot read `folder`"),
        ("profile empty", "there are no rollouts in `empty`"),
        ("tree --address 127.0.0.1:1", "cannot reach a process at `127.0.0.1:1`"),
    ] {
        let words: Vec<_> = words.split(' ').collect();
        folder.run(&words).exits_with(1).says(&[thing, "\nhint: "]);
    }
    let dataset = "agents.solver.datasets=[{ name: d, type: example, path: folder }]";
    let collect = ["collect", "--config", "config.yaml", "--output", "out", "--set", dataset];
    folder.run(&collect).exits_with(1).says(&["there is no file `folder`", "hint: "]);
    let listening = ["collect", "--config", "config.yaml", "--output", "out", "--set", &exporter];
    let rows = "agents.solver.datasets=[{ name: d, type: example, path: empty }]";
    let ended = folder.run(&[&listening[..], &["--set", rows]].concat());
    ended.exits_with(1).says(&["cannot listen on `", &address, "hint: "]);
    let none = ["collect", "--config", "config.yaml", "--output", "out", "--overwrite"];
    let ended = folder.run(&[&none[..], &["--set", rows]].concat());
    ended.exits_with(0).says(&["the datasets have no rows"]);
    folder
        .run(&["collect", "--config", "x", "--repeats", "0"])
        .exits_with(2)
        .says(&["'0' for '--repeats <N>'", "at least 1"]);
}
