//! What the command says of isolation, and does where there is not enough of it.

use crate::support::command::{Ended, Folder};
use crate::support::records;

/// Two tasks for an interpreter, solved by a script.
fn folder(sandbox: &str) -> Folder {
    let folder = Folder::new();
    let row = r#"{"responses_create_params":{"input":"6 * 7"},"expected_result":"42"}"#;
    folder.write("tasks.jsonl", &format!("{row}\n{row}\n"));
    let config = format!(
        r#"
models:
  policy:
    kind: scripted
    settings:
      rules:
        - when: {{ step: 0 }}
          calls: [{{ name: execute_python, arguments: {{ code: 6 * 7 }} }}]
        - say: '\boxed{{ {{{{ output.result }}}} }}'
environments: {{ python: {{ kind: python_math_exec, settings: {{ sandbox: {{ {sandbox} }} }} }} }}
agents:
  solver:
    kind: tool_loop
    model: policy
    environment: python
    datasets: [{{ name: tasks, type: example, path: tasks.jsonl }}]
collect: {{ output: out.jsonl }}
"#
    );
    folder.write("config.yaml", &config);
    folder
}

const COLLECT: [&str; 3] = ["collect", "--config", "config.yaml"];

/// Runs a program as on a machine that permits no user namespaces.
const WITHOUT_NAMESPACES: [&str; 6] = [
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-c",
    "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"",
];

/// The command on such a machine; nothing, after saying so in one line, where this cannot be one.
#[expect(clippy::print_stdout, reason = "who runs the tests is to read that one was skipped")]
fn without_namespaces(folder: &Folder, arguments: &[&str]) -> Option<Ended> {
    let mut tried = std::process::Command::new(WITHOUT_NAMESPACES[0]);
    tried.args(&WITHOUT_NAMESPACES[1..]).arg("true");
    if !tried.status().is_ok_and(|status| status.success()) {
        println!("skipped: the number of namespaces cannot be limited here");
        return None;
    }
    Some(folder.run_through(&WITHOUT_NAMESPACES, arguments))
}

#[test]
fn check_shows_each_layer_and_whether_this_machine_has_it() {
    let ended = folder("").run(&["check", "--config", "config.yaml"]);
    let layers = [
        ("user namespaces", "yes"),
        ("mount namespaces", "yes"),
        ("process namespaces", "yes"),
        ("network namespaces", "yes"),
        ("mount attributes", "yes"),
        ("system call filters", "yes"),
        ("ipc namespaces", "no"),
        ("uts namespaces", "no"),
        ("cgroup namespaces", "no"),
        ("Landlock", "no"),
        ("control groups v2", "no"),
    ];
    ended.exits_with(0).says(&["isolation", "needed", "for", "here"]);
    for (layer, needed) in layers {
        let line = ended.stderr.lines().find(|line| line.starts_with(layer));
        let rest = line.unwrap_or_else(|| panic!("no {layer} in:\n{}", ended.stderr));
        let rest = rest[layer.len()..].trim_start();
        assert!(rest.starts_with(needed), "{layer}: {rest}");
    }
}

#[test]
fn check_shows_the_walls_of_containers_where_code_runs_in_them() {
    let docker = "backend: docker, image: 'python:3.13', container: { program: /nowhere/docker }";
    let ended = folder(docker).run(&["check", "--config", "config.yaml"]);
    ended.exits_with(1).says(&[
        "environment `python`, in containers of `docker`",
        "read-only: python:3.13",
        "/nowhere/docker",
    ]);
    assert!(!ended.stderr.contains("user namespaces"), "{}", ended.stderr);
}

#[test]
fn below_the_minimum_nothing_runs_unless_the_configuration_says_so() {
    let guarded = folder("");
    let Some(ended) = without_namespaces(&guarded, &["check", "--config", "config.yaml"]) else {
        return;
    };
    let table = ended.stderr.lines().find(|line| line.starts_with("user namespaces"));
    assert!(table.unwrap().contains("no: their number is limited to 0"), "{}", ended.stderr);
    assert_ne!(ended.code, Some(0));
    let refused = [
        "this machine cannot keep foreign code inside: no user namespaces",
        "`sandbox.isolation: none` runs the code unprotected",
        "rehearsal check",
    ];
    ended.says(&refused);
    let ended = without_namespaces(&guarded, &COLLECT).unwrap();
    assert_ne!(ended.code, Some(0));
    ended.says(&refused);
    assert!(!guarded.path("out.jsonl").exists() || guarded.length("out.jsonl") == 0);
    let open = folder("isolation: none");
    without_namespaces(&open, &COLLECT).unwrap().exits_with(0);
    let lines = records::read(&open.path("out.jsonl"));
    assert_eq!(lines.len(), 2);
    assert!(lines.values().all(|line| line.reward == Some(1.0)));
}

#[test]
fn an_engine_that_is_absent_ends_a_collection_before_it_begins() {
    let folder =
        folder("backend: docker, image: 'python:3', container: { program: /nowhere/docker }");
    let ended = folder.run(&COLLECT);
    assert_ne!(ended.code, Some(0));
    ended.says(&[
        "`/nowhere/docker` runs no containers: No such file",
        "name its program in `sandbox.container.program`, or take `sandbox.backend: native`",
    ]);
}
