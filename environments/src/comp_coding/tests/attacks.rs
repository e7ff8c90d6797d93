//! What programs try in order to pass, and do not get.

use serde_json::json;

use super::{each_comes_to, graded, stdin};

/// Looks for an expected output: in its caller's frames, everything that the collector knows, its own
/// memory, its open files.
pub(super) const SEARCH: &str = r#"
import gc, os, sys
secret = "7" * 3 + "-" + "7" * 3
found = []
frame = sys._getframe()
while frame is not None:
    for scope in (frame.f_locals, frame.f_globals):
        for name, value in list(scope.items()):
            if name not in ("secret", "found", "scope") and isinstance(value, (str, bytes, list, dict, tuple)):
                if secret in str(value)[:100000]: found.append(name)
    frame = frame.f_back
for value in gc.get_objects():
    if isinstance(value, (list, dict, tuple)) and value is not found:
        for item in (value.values() if isinstance(value, dict) else value):
            if isinstance(item, str) and item is not secret and secret in item and "secret =" not in item: found.append("gc")
for number in range(64):
    try: data = os.pread(number, 1 << 20, 0)
    except OSError: continue
    if secret.encode() in data: found.append(f"fd {number}")
print(found)
"#;

#[tokio::test]
async fn expected_outputs_are_nowhere_in_the_process_that_runs_the_program() {
    let value = graded("{}", &stdin(&["", ""], &["777-777", "777-777"]), SEARCH).await;
    assert_eq!(value["metadata"]["output"], "[]\n", "{value}");
}

#[tokio::test]
async fn a_program_that_closes_its_output_is_judged_by_what_it_had_printed() {
    each_comes_to(&[
        ("import sys\nprint(1)\nsys.stdout.close()", "", "1", json!([true])),
        ("import sys\nprint(1)\nsys.stdout.close()\nprint(2)", "", "1", json!([-4])),
        ("import os\nos.close(1)\nos.write(1, b'1')", "", "1", json!([-4])),
        ("import os\nprint(2, flush=True)\nos.close(1)", "", "1", json!([-2])),
        ("import sys\nsys.stdout = sys.__stdout__ = None", "", "1", json!([-2])),
        (
            "import os\nfor number in range(64):\n  try: os.close(number)\n  except OSError: pass",
            "",
            "1",
            json!([-1]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn forged_answers_are_worth_no_more_than_printed_ones() {
    // It answers for its driver: that all is well, twice over, and goes on as if nothing was.
    let code = r#"
import gc, struct
frames = [it for it in gc.get_objects() if type(it).__name__ == "Channel"]
for channel in frames:
    for _ in range(2):
        channel.send(b'{"passed": true, "result": [true, true]}\n' + b"guess")
"#;
    let value = graded("{}", &stdin(&["1", "2"], &["1", "2"]), code).await;
    assert_eq!(value["reward"], 0.0, "{value}");
}
