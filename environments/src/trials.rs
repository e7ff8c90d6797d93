//! What the tests of all environments do: play gold answers, and compare with recorded rollouts.

use std::path::Path;

use framework::environment::python::Json;
use framework::environment::{Environment, Reward, Trial, Verdict};
use framework::kinds::Kinds;
use framework::responses::{Item, ItemKind};
use serde_json::Value;

/// The lines of a file of an environment's example data.
fn example_lines(kind: &str, file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(kind).join(file);
    lines(&path).unwrap_or_else(|| panic!("{} cannot be read", path.display()))
}

fn lines(path: &Path) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// Plays every gold answer to its example task; each must earn 1, and there must be five or more. The
/// tasks offer the tools that the environment has.
pub(crate) async fn gold_answers_earn_1<E: Environment>() {
    let rows = example_lines(E::KIND, "example.jsonl");
    let gold = example_lines(E::KIND, "gold.jsonl");
    assert!(
        rows.len() >= 5 && rows.len() == gold.len(),
        "{} tasks, {} answers",
        rows.len(),
        gold.len()
    );
    let tools = crate::register(Kinds::new()).tools(E::KIND);
    let tools = tools.map(|tools| serde_json::from_str::<Value>(tools.get()).unwrap());
    for (line, (row, gold)) in rows.iter().zip(&gold).enumerate() {
        let mut trial = Trial::<E>::open("{}", row).await.unwrap();
        // Where the environment has no tools, those of a row are the row's own; and a row may leave it to
        // the environment to offer its tools.
        assert!(tools.is_none() || offered(row).is_none() || offered(row) == tools);
        let gold: Value = serde_json::from_str(gold).unwrap();
        for item in
            gold["turns"].as_array().unwrap().iter().flat_map(|turn| turn.as_array().unwrap())
        {
            trial.play(Item::parse(&item.to_string()).unwrap()).await;
        }
        let reward = trial.verify().await.unwrap().reward;
        assert_eq!(reward, Reward::ONE, "{} line {}", E::KIND, line + 1);
    }
}

/// The tools that a row offers the model.
fn offered(row: &str) -> Option<Value> {
    let row: Value = serde_json::from_str(row).unwrap();
    row["responses_create_params"].get("tools").cloned()
}

/// Gives no answer at all to every example task; none may earn 1.
pub(crate) async fn silence_earns_less<E: Environment>() {
    for row in example_lines(E::KIND, "example.jsonl") {
        let trial = Trial::<E>::open("{}", &row).await.unwrap();
        assert!(trial.verify().await.unwrap().reward < Reward::ONE);
    }
}

/// Repeats the recorded tool calls of NeMo Gym's own rollouts, and compares every tool output, the
/// reward and the extras with the record. `target` derives, from a prompt, what its row said.
pub(crate) async fn recorded_rollouts_agree<E: Environment>(
    target: impl Fn(&str) -> Option<Vec<(&'static str, Value)>>,
) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance");
    let Some(rollouts) = lines(&folder.join(E::KIND).join("rollouts.jsonl")) else {
        println!("skipped: there are no recorded rollouts of {}", E::KIND);
        return;
    };
    for rollout in rollouts {
        let mut row: Value = serde_json::from_str(&rollout).unwrap();
        let record = row.clone();
        let prompt = prompt_of(&record);
        let target = target(&prompt).unwrap_or_else(|| panic!("no target for `{prompt}`"));
        for (key, value) in target {
            row[key] = value;
        }
        let mut trial = Trial::<E>::open("{}", &row.to_string()).await.unwrap();
        repeat(&mut trial, &record).await;
        compare(&trial.verify().await.unwrap(), &record, &prompt);
    }
}

fn prompt_of(record: &Value) -> String {
    let input = record["responses_create_params"]["input"].as_array().unwrap();
    input.last().unwrap()["content"].as_str().unwrap().to_owned()
}

async fn repeat<E: Environment>(trial: &mut Trial<E>, record: &Value) {
    let output = record["response"]["output"].as_array().unwrap();
    let items: Vec<Item> =
        output.iter().map(|item| Item::parse(&item.to_string()).unwrap()).collect();
    let recorded = |call_id: &str| {
        let is_answer = |item: &&Item| {
            *item.kind() == ItemKind::FunctionCallOutput
                && item.field::<String>("call_id").as_deref() == Some(call_id)
        };
        items.iter().find(is_answer).and_then(|item| item.field::<String>("output")).unwrap()
    };
    for item in items.iter().filter(|item| *item.kind() != ItemKind::FunctionCallOutput) {
        let Some(text) = trial.play(item.clone()).await else { continue };
        let expected = recorded(&item.as_function_call().unwrap().call_id);
        let (ours, theirs) = (Json::parse(&text).unwrap(), Json::parse(&expected).unwrap());
        assert!(ours.equals(&theirs), "{text} instead of {expected}");
        assert_eq!(text, theirs.to_string());
    }
}

/// Keys of a record that are no extras of the verdict.
const ENVELOPE: [&str; 3] = ["responses_create_params", "response", "reward"];

fn compare(verdict: &Verdict, record: &Value, prompt: &str) {
    assert_eq!(Some(verdict.reward.get()), record["reward"].as_f64(), "{prompt}");
    let extras: Value = serde_json::to_value(&verdict.extras).unwrap();
    let mut expected = record.clone();
    expected.as_object_mut().unwrap().retain(|key, _| !ENVELOPE.contains(&key.as_str()));
    assert_eq!(extras, expected, "{prompt}");
}

/// Runs a Python script on an input and returns what it prints; `None`, after saying so in one line,
/// where there is no `python3` or it lacks a module.
pub(crate) fn python(script: &str, input: &str) -> Option<String> {
    let file = |content: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, content.as_bytes()).unwrap();
        file
    };
    let (script, input) = (file(script), std::fs::File::open(file(input).path()).unwrap());
    let output = std::process::Command::new("python3").arg(script.path()).stdin(input).output();
    let output = output.ok().filter(|output| output.status.code() != Some(127));
    let Some(output) = output else {
        println!("skipped: no `python3` to compare with");
        return None;
    };
    let error = String::from_utf8_lossy(&output.stderr);
    if error.contains("ModuleNotFoundError") {
        println!("skipped: {}", error.lines().last().unwrap_or_default());
        return None;
    }
    assert!(output.status.success(), "{error}");
    Some(String::from_utf8(output.stdout).unwrap())
}
