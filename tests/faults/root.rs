//! The end of the last resort: what a process does when the root supervisor gives up.

use crate::support::command::Folder;
use crate::support::records;

/// A counter world whose model computes for far longer than `hang_after`, for every rollout.
const HOPELESS: &str = r#"
models:
  policy:
    kind: scripted
    settings:
      rules:
        - say: "{% for a in range(1000) %}{% for b in range(5000) %}{% endfor %}{% endfor %}Done."
environments: { counter: { kind: stateful_counter } }
agents:
  solver:
    kind: tool_loop
    environment: counter
    model: policy
    datasets: [{ name: tasks, type: example, path: tasks.jsonl }]
collect: { output: out.jsonl, max_attempts: 1000000 }
runtime: { shards: 1, hang_after: 100ms }
"#;

const ROW: &str =
    r#"{"responses_create_params":{"input":"Wait."},"initial_count":0,"expected_count":0}"#;

#[test]
fn a_process_whose_root_gives_up_ends_with_an_error_and_can_be_resumed() {
    let folder = Folder::new();
    folder.write("config.yaml", HOPELESS);
    folder.write("tasks.jsonl", &[ROW; 20].join("\n"));
    let ended = folder.run(&["collect", "--config", "config.yaml"]);
    ended.exits_with(1).says(&["the collection gave up", "hint: ", "--resume"]);
    assert!(records::read(&folder.path("out.jsonl")).len() < 20);

    let healthy = "models.policy.settings.rules=[{ say: Done. }]";
    let arguments = ["collect", "--config", "config.yaml", "--resume", "--set", healthy];
    folder.run(&arguments).exits_with(0);
    assert_eq!(records::read(&folder.path("out.jsonl")).len(), 20);
}
