//! Recorded searches, replayed against a local server that gives Google's recorded answers: what the
//! model reads comes out as recorded, and so does every reward. Pages are not fetched: of a recorded one
//! only the text is there, not the HTML that it was made from.

use serde_json::{Value, json};

use super::{comparable, lines, prompt, recording, recording_file};
use crate::support::command::Folder;
use crate::support::site::Site;

const KIND: &str = "google_search";

/// What Google answered, by the query that it was asked.
fn answers(records: &[Value]) -> Vec<(String, String)> {
    let outputs =
        records.iter().flat_map(|record| record["response"]["output"].as_array().unwrap());
    let calls = outputs.clone().filter(|item| item["name"] == "search").map(|call| {
        let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
        let is_answer = |item: &&Value| {
            item["type"] == "function_call_output" && item["call_id"] == call["call_id"]
        };
        let output = outputs.clone().find(is_answer).unwrap()["output"].as_str().unwrap();
        let output: Value = serde_json::from_str(output).unwrap();
        let results = output["search_results"].as_str().unwrap().to_owned();
        (arguments["query"].as_str().unwrap().to_owned(), results)
    });
    calls.collect()
}

/// What the row of a record says: its task is among the tasks, or its reward tells.
fn target(record: &Value, tasks: &[Value]) -> Value {
    let task = tasks.iter().find(|task| prompt(task) == prompt(record));
    let known = task.map(|task| task["expected_answer"].clone());
    let is_right = record["reward"] == 1.0;
    let told = if is_right { record["parsed_option"].clone() } else { "another".into() };
    let expected = known.unwrap_or(told);
    json!({ "expected_answer": expected, "task_difficulty_qwen3_32b_avg_8": 0.5 })
}

#[test]
fn google_search_replays_as_recorded() {
    let (Some(recording), Some(tasks)) = (recording(KIND), recording_file(KIND, "tasks.jsonl"))
    else {
        return;
    };
    let (records, tasks) = (lines(&recording), lines(&tasks));
    let known = answers(&records);
    assert!(!known.is_empty());
    let site = Site::start(move |path| {
        let asked = path.rsplit_once("&q=").unwrap().1.replace('+', " ");
        let found = known.iter().find(|(query, _)| *query == asked);
        found.map_or((404, String::new()), |(_, answer)| (200, answer.clone()))
    });
    let folder = Folder::new();
    let rows = records.iter().map(|record| {
        let mut row = target(record, &tasks);
        row["responses_create_params"] = record["responses_create_params"].clone();
        format!("{row}\n")
    });
    folder.write("tasks.jsonl", &rows.collect::<String>());
    let yaml = format!(
        "
models: {{ policy: {{ kind: replay, settings: {{ path: '{}' }} }} }}
environments:
  world:
    kind: google_search
    settings:
      google_api_key: dummy_key
      google_cx: ${{google_cx}}
      base_url: http://{}/customsearch/v1
      browse: {{ only: [nowhere.example] }}
agents:
  solver:
    kind: tool_loop
    environment: world
    model: policy
    datasets: [{{ name: recorded, type: example, path: tasks.jsonl }}]
collect: {{ output: out.jsonl, max_in_flight: 1 }}
",
        recording.display(),
        site.address
    );
    folder.write("config.yaml", &yaml);
    folder.write("env.yaml", "google_cx: engine\n");
    folder.run(&["collect", "--config", "config.yaml"]).exits_with(0);
    let arguments = ["verify", "--config", "config.yaml", "--tasks", "tasks.jsonl"];
    let files = ["--rollouts", recording.to_str().unwrap(), "--output", "scored.jsonl"];
    let verified = folder.run(&[&arguments[..], &files].concat());
    verified.exits_with(0).says(&["0 differ from their recorded reward", "0 left out"]);
    let mut replayed = lines(&folder.path("out.jsonl"));
    replayed.sort_by_key(|record| record["rehearsal"]["task"].to_string());
    assert_eq!(replayed.len(), records.len());
    for (ours, theirs) in replayed.iter().zip(&records) {
        let (mut ours, mut theirs) = (comparable(ours), comparable(theirs));
        for key in ["expected_answer", "task_difficulty_qwen3_32b_avg_8"] {
            ours.as_object_mut().unwrap().remove(key);
        }
        let pages: Vec<_> = [&mut ours, &mut theirs].map(without_pages).into();
        assert_eq!(pages[0], pages[1]);
        assert_eq!(ours, theirs);
    }
}

/// Takes the texts of pages out of a record's outputs. Returns how many there were.
fn without_pages(record: &mut Value) -> usize {
    let outputs = record["output"].as_array_mut().unwrap().iter_mut();
    let pages = outputs.filter_map(|item| item.get_mut(1)?.get_mut("page_content"));
    pages.map(|page| page.take()).count()
}
