//! Bad input: each a clear error that names the place and what to do, and the good rows still run.

mod configurations;
mod datasets;
mod endpoints;

/// A counter world on the scripted model.
const COUNTER: &str = r#"models:
  policy:
    kind: scripted
    settings:
      rules:
        - when: { step: 0 }
          calls: [{ name: increment_counter, arguments: { count: 2 } }]
        - say: Done.
environments:
  counter: { kind: stateful_counter }
agents:
  solver:
    kind: tool_loop
    environment: counter
    model: policy
    datasets: [{ name: tasks, type: example, path: tasks.jsonl }]
collect: { output: out.jsonl }
runtime: { shards: 1 }
"#;

const GOOD_ROW: &str =
    r#"{"responses_create_params":{"input":"Add 2."},"initial_count":0,"expected_count":2}"#;

const COLLECT: [&str; 3] = ["collect", "--config", "config.yaml"];
