//! What is measured, and what happens when it is not what was measured before.

use serde_json::{Value, json};

use super::{folder, lines, prepare, task, value};
use crate::support::command::Folder;

fn numbers(count: u64, average: f64, least: f64, most: f64, median: f64, deviation: f64) -> Value {
    json!({ "Total # non-null values": count, "Average": average, "Min": least, "Max": most,
        "Median": median, "Standard deviation": deviation })
}

#[test]
fn a_dataset_is_measured_beside_its_file_and_a_type_beside_its_rows() {
    let folder = folder();
    prepare(&folder, &["--repeats", "3"]).exits_with(0);
    let first = value(&folder, "data/first_metrics.json");
    assert_eq!(
        (&first["name"], &first["type"], &first["jsonl_fpath"], &first["num_repeats"]),
        (&json!("first"), &json!("train"), &json!("data/first.jsonl"), &json!(2))
    );
    assert_eq!(first["Number of examples"], 8);
    assert_eq!(first["Number of turns"], numbers(8, 1.0, 1.0, 1.0, 1.0, 0.0));
    assert_eq!(first["Number of tools"], numbers(0, 0.0, 0.0, 0.0, 0.0, 0.0));
    assert_eq!(first["Temperature"], numbers(0, 0.0, 0.0, 0.0, 0.0, 0.0));
    let words = &first["Json-dumped number of words (proxy for token count)"];
    assert_eq!(*words, numbers(8, 3.0, 3.0, 3.0, 3.0, 0.0));
    assert_eq!(first["expected_count"], numbers(8, 1.5, 0.0, 3.0, 1.5, 1.2));
    assert_eq!(first["level"], json!({ "unique_count": 2, "total_count": 8 }));
    let train = value(&folder, "out/train_metrics.json");
    assert_eq!(train["Number of examples"], 30);
    assert_eq!(train["expected_count"], numbers(30, 3.3, 0.0, 11.0, 2.0, 3.81));
    assert_eq!(value(&folder, "out/validation_metrics.json")["Number of examples"], 6);
    assert!(!folder.path("data/example_metrics.json").exists(), "examples are another mode");
}

/// The definitions' own example of a row whose parameters are next to nothing.
#[test]
fn what_is_not_there_is_not_measured() {
    let folder = folder();
    folder.write("config.yaml", &super::CONFIG.replace("stateful_counter", "simple_weather"));
    let rows = "some non json str\n{\"some irrelevant key\": 2}\n{\"responses_create_params\":{\"input\":[]},\"temperature\":0.1}\n";
    folder.write("data/example.jsonl", rows);
    prepare(&folder, &["--mode", "example_validation"]).exits_with(3);
    let metrics = value(&folder, "data/example_metrics.json");
    assert_eq!(metrics["Number of examples"], 1);
    let words = &metrics["Json-dumped number of words (proxy for token count)"];
    assert_eq!(*words, numbers(1, 2.0, 2.0, 2.0, 2.0, 0.0));
    for name in ["Number of tools", "Number of turns", "Temperature"] {
        assert_eq!(metrics[name]["Total # non-null values"], 0, "{name}");
    }
    assert_eq!(metrics["temperature"], numbers(1, 0.1, 0.1, 0.1, 0.1, 0.0));
    assert_eq!(
        super::names(&folder, "out"),
        ["example.jsonl", "example_metrics.json", "example_rejected.jsonl"]
    );
}

/// Real rows, of which the first three of five are at hand.
#[test]
fn rows_of_nemo_gym_have_the_metrics_that_it_gives_them() {
    let Ok(rows) = std::fs::read_to_string("../shared/conformance/multineedle/tasks.jsonl") else {
        eprintln!("skipped: there are no recorded rows of NeMo Gym");
        return;
    };
    let folder = folder();
    folder.write("config.yaml", &super::CONFIG.replace("stateful_counter", "multineedle"));
    folder.write("data/example.jsonl", &rows);
    prepare(&folder, &["--mode", "example"]).exits_with(0);
    let metrics = value(&folder, "data/example_metrics.json");
    assert_eq!(metrics["Number of tools"], numbers(3, 2.0, 2.0, 2.0, 2.0, 0.0));
    let words = &metrics["Json-dumped number of words (proxy for token count)"];
    assert_eq!((&words["Min"], &words["Max"]), (&json!(1499.0), &json!(1509.0)));
    assert_eq!(metrics["Number of turns"]["Average"], 1.0);
    assert_eq!(metrics["id"], numbers(3, 1.0, 0.0, 2.0, 1.0, 1.0));
    assert_eq!(metrics["expected_synonym_values"]["Total # non-null values"], 6);
    assert_eq!(metrics["expected_synonyms"], json!({ "unique_count": 2, "total_count": 6 }));
    assert_eq!(metrics["minefield_label"], json!({ "unique_count": 1, "total_count": 3 }));
    assert_eq!(
        (
            &metrics["minefield_label_value"]["Average"],
            &metrics["minefield_label_value"]["Standard deviation"]
        ),
        (&json!(299.0), &json!(0.0))
    );
}

fn changed() -> Folder {
    let folder = folder();
    prepare(&folder, &[]).exits_with(0);
    folder.write("data/first.jsonl", &lines((0..5).map(task)));
    folder
}

#[test]
fn stored_metrics_that_say_something_else_are_a_conflict_until_they_are_replaced() {
    let folder = changed();
    let (rows, stored) = (folder.read("out/train.jsonl"), folder.read("data/first_metrics.json"));
    prepare(&folder, &[]).exits_with(1).says(&[
        "error: datasets are not what their stored metrics say:",
        "`data/first_metrics.json` (now `data/first_metrics_conflict.json`)",
        "`Number of examples` was 8 and is 10",
        "`expected_count.Average` was 1.5 and is 2.0",
        "`out/train_metrics.json` (now `out/train_metrics_conflict.json`)",
        "hint: if the data was meant to change, replace the metrics with `--overwrite-metrics`",
    ]);
    assert_eq!(folder.read("out/train.jsonl"), rows, "the rows are what they were");
    assert_eq!(folder.read("data/first_metrics.json"), stored);
    assert_eq!(value(&folder, "data/first_metrics_conflict.json")["Number of examples"], 10);
    assert!(!folder.path("data/second_metrics_conflict.json").exists());
    prepare(&folder, &["--overwrite-metrics"]).exits_with(0);
    assert_eq!(value(&folder, "data/first_metrics.json")["Number of examples"], 10);
    assert!(!folder.path("data/first_metrics_conflict.json").exists(), "it is settled");
    prepare(&folder, &[]).exits_with(0);
}

#[test]
fn metrics_of_nemo_gym_agree_though_its_medians_are_estimates() {
    let folder = folder();
    prepare(&folder, &[]).exits_with(0);
    let mut theirs = value(&folder, "data/first_metrics.json");
    theirs.as_object_mut().unwrap().remove("rehearsal");
    theirs["license"] = Value::Null;
    theirs["expected_count"]["Median"] = json!(1.47);
    folder.write("data/first_metrics.json", &theirs.to_string());
    prepare(&folder, &[]).exits_with(0);
    theirs["expected_count"]["Average"] = json!(1.52);
    folder.write("data/first_metrics.json", &theirs.to_string());
    prepare(&folder, &[]).exits_with(1).says(&["`expected_count.Average` was 1.52 and is 1.5"]);
    prepare(&folder, &["--no-dataset-metrics"]).exits_with(0);
    folder.write("data/first_metrics.json", "no JSON");
    prepare(&folder, &[]).exits_with(1).says(&["it holds no metrics"]);
}
