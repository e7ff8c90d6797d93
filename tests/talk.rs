//! The agent `mini_swe` in its environment: what a model reads, how a rollout ends, what is recorded.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::command::Folder;

const SUBMIT: &str = "echo MINI_SWE_AGENT_FINAL_OUTPUT && git add -A && git diff --cached";
const FIX: &str = "sed -i 's/ROUND_HALF_EVEN/ROUND_HALF_UP/' tally/amounts.py";

/// One rollout: what its model says, step by step and then for ever, and its agent's settings.
struct Talk {
    name: &'static str,
    says: Vec<String>,
    then: String,
    settings: Value,
}

fn block(command: &str) -> String {
    format!("THOUGHT: so.\n\n```bash\n{command}\n```")
}

fn talk(name: &'static str, says: &[String], then: &str) -> Talk {
    Talk { name, says: says.to_vec(), then: then.to_owned(), settings: json!({}) }
}

impl Talk {
    fn with(self, settings: Value) -> Self {
        Self { settings, ..self }
    }

    fn model(&self) -> Value {
        let raw = |text: &str| format!("{{% raw %}}{text}{{% endraw %}}");
        let steps = self.says.iter().enumerate();
        let steps = steps.map(|(step, text)| json!({ "when": { "step": step }, "say": raw(text) }));
        // What is said for ever may tell its steps apart.
        let rules: Vec<_> = steps.chain([json!({ "say": self.then })]).collect();
        json!({ "kind": "scripted", "settings": { "rules": rules, "usage": true } })
    }
}

/// The records of these rollouts, all of the first example task, by name.
fn records(talks: &[Talk], row: &Value, environment: &str) -> BTreeMap<String, Value> {
    let folder = Folder::new();
    folder.write("row.jsonl", &format!("{row}\n"));
    let mut config = json!({ "collect": { "output": "out.jsonl", "max_attempts": 1 } });
    config["environments"] =
        json!({ "world": serde_json::from_str::<Value>(environment).unwrap() });
    for talk in talks {
        let name = talk.name;
        config["models"][name] = talk.model();
        let dataset = json!({ "name": "one", "type": "example", "path": "row.jsonl" });
        config["agents"][name] = json!({
            "kind": "mini_swe", "model": name, "environment": "world", "settings": talk.settings,
            "datasets": [dataset],
        });
    }
    config["collect"]["agents"] = talks.iter().map(|talk| json!(talk.name)).collect();
    folder.write("config.yaml", &config.to_string());
    let ended = folder.run(&["collect", "--config", "config.yaml"]);
    let mut text = String::new();
    for file in ["out.jsonl", "out_failures.jsonl"] {
        if folder.path(file).exists() {
            write!(text, "{}", folder.read(file)).unwrap();
        }
    }
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let name = |record: &Value| record["rehearsal"]["agent"].as_str().unwrap().to_owned();
    let records: BTreeMap<_, _> = records.map(|record| (name(&record), record)).collect();
    assert_eq!(records.len(), talks.len(), "{}", ended.stderr);
    records
}

fn data(file: &str) -> String {
    format!("{}/environments/data/mini_swe/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn row() -> Value {
    let text = std::fs::read_to_string(data("example.jsonl")).unwrap();
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

fn environment() -> String {
    let settings = json!({ "snapshots": data("repositories/{instance_id}"), "step_timeout": 2 });
    json!({ "kind": "mini_swe", "settings": settings }).to_string()
}

/// What the model reads after its n-th answer.
fn read(record: &Value, step: usize) -> &str {
    let item = &record["response"]["output"][2 * step + 1];
    assert_eq!((&item["role"], &item["status"]), (&json!("user"), &json!("completed")), "{item}");
    item["content"][0]["text"].as_str().unwrap()
}

fn ended(record: &Value) -> (f64, &Value, &Value) {
    let rehearsal = &record["rehearsal"];
    (record["reward"].as_f64().unwrap(), &rehearsal["limit"], &rehearsal["steps"])
}

#[test]
fn a_model_reads_what_became_of_its_answers() {
    let both = format!("{}\n{}", block("ls"), block("pwd"));
    let says =
        ["Let me think.".to_owned(), both, block("ls tests; exit 3"), block("echo a; sleep 60")];
    let talks = [talk("all", &[&says[..], &[block(FIX)]].concat(), &block(SUBMIT))];
    let records = records(&talks, &row(), &environment());
    let record = &records["all"];
    assert_eq!(ended(record), (1.0, &json!(null), &json!(6)));
    assert!(read(record, 0).contains("0 `bash` blocks"), "{record}");
    assert!(read(record, 1).contains("2 `bash` blocks"), "{record}");
    let expected = "<returncode>3</returncode>\n<output>\n__init__.py\ntest_invoice.py\n</output>";
    assert_eq!(read(record, 2), expected);
    assert!(read(record, 3).contains("<command>echo a; sleep 60</command>"), "{record}");
    assert!(read(record, 3).contains("<output>\na\n</output>"), "{record}");
    assert_eq!(read(record, 4), "<returncode>0</returncode>\n<output>\n</output>");
    let patch = read(record, 5);
    assert!(patch.starts_with("diff --git a/tally/amounts.py b/tally/amounts.py\n"), "{patch}");
    assert_eq!(record["metadata"]["model_patch"], patch);
    let input = record["responses_create_params"]["input"].as_array().unwrap();
    let roles: Vec<_> = input.iter().map(|item| item["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user"]);
    let issue = record["problem_statement"].as_str().unwrap();
    assert!(input[1]["content"].as_str().unwrap().contains(issue));
}

#[test]
fn limits_cut_a_talk_short_and_its_tree_is_graded_all_the_same() {
    let fixed = [block(FIX)];
    let on = block("echo {{ step }}");
    let talks = [
        talk("steps", &fixed, &on).with(json!({ "step_limit": 3 })),
        talk("cost", &fixed, &on).with(json!({ "prices": { "input": 1e6 }, "cost_limit": 3.0 })),
        talk("free", &fixed, &on).with(json!({ "cost_limit": 3.0, "step_limit": 2 })),
        talk("repetition", &fixed, &block("ls")),
        talk("patience", &fixed, &block("ls"))
            .with(json!({ "collapse_limit": 0, "step_limit": 6 })),
        talk("time", &fixed, &block("sleep 1; echo {{ step }}")).with(json!({ "max_seconds": 1 })),
    ];
    let records = records(&talks, &row(), &environment());
    for (name, limit, steps) in [
        ("steps", "steps", Some(3)),
        ("cost", "cost", Some(1)),
        ("free", "steps", Some(2)),
        // Three times the same is one time too often; the fourth ends it.
        ("repetition", "repetition", Some(5)),
        ("patience", "steps", Some(6)),
        ("time", "time", None),
    ] {
        let (reward, reached, taken) = ended(&records[name]);
        assert_eq!((reward, reached), (1.0, &json!(limit)), "{name}");
        assert!(steps.is_none_or(|steps| taken == steps), "{name}: {taken} steps");
    }
    assert!(read(&records["repetition"], 3).contains("3 times in a row"));
}

#[test]
fn a_row_may_have_a_prompt_of_its_own() {
    let mut row = row();
    row["responses_create_params"]["input"] = json!([{ "role": "user", "content": "Mend it." }]);
    let records = records(&[talk("own", &[block(FIX)], &block(SUBMIT))], &row, &environment());
    let record = &records["own"];
    assert_eq!(record["reward"], 1.0);
    assert_eq!(record["responses_create_params"]["input"].as_array().unwrap().len(), 1);
}

#[test]
fn an_environment_without_a_shell_fails_the_rollout_and_earns_nothing() {
    let row = json!({
        "responses_create_params": { "input": "count" }, "initial_count": 1, "expected_count": 2,
    });
    let environment = r#"{ "kind": "stateful_counter" }"#;
    let records = records(&[talk("lost", &[], &block("ls"))], &row, environment);
    let record = &records["lost"];
    assert!(record.get("reward").is_none());
    assert_eq!(record["rehearsal"]["failure"]["culprit"], "agent", "{record}");
}
