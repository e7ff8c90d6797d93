//! The environment as a whole: sessions, what is handed in, and its grading.

use std::collections::BTreeMap;
use std::path::Path;

use framework::environment::Trial;
use framework::responses::{Item, Response, Role};
use framework::task::Row;
use serde_json::{Value, json};

use crate::sandbox::fake::Fake;

use super::{MARKERS, MiniSwe, Target, command, image, patch, submission};

const SUBMIT: &str = "echo MINI_SWE_AGENT_FINAL_OUTPUT && git add -A && git diff --cached";

fn data(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mini_swe").join(file).display().to_string()
}

/// The example tasks.
fn rows() -> Vec<Value> {
    let text = std::fs::read_to_string(data("example.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn row(name: &str) -> Value {
    rows().into_iter().find(|row| row["instance_id"].as_str().unwrap().contains(name)).unwrap()
}

fn settings(change: impl FnOnce(&mut Value)) -> String {
    let mut settings = json!({ "snapshots": data("repositories/{instance_id}") });
    change(&mut settings);
    settings.to_string()
}

async fn open(row: &Value) -> Trial<MiniSwe> {
    open_with(row, |_| {}).await
}

async fn open_with(row: &Value, change: impl FnOnce(&mut Value)) -> Trial<MiniSwe> {
    Trial::<MiniSwe>::open(&settings(change), &row.to_string()).await.unwrap()
}

async fn bash(trial: &mut Trial<MiniSwe>, command: &str) -> Value {
    let answer = trial.call("bash", &json!({ "command": command }).to_string()).await;
    serde_json::from_str(&answer).unwrap()
}

async fn verdict(trial: Trial<MiniSwe>) -> (f64, Value) {
    let verdict = trial.verify().await.unwrap();
    let extras = serde_json::to_value(&verdict.extras).unwrap();
    let id = extras["instance_id"].as_str().unwrap();
    (verdict.reward.get(), extras["metadata"]["eval_report"][id].clone())
}

/// What becomes of commands after which the work is handed in.
async fn handed_in(row: &Value, commands: &[&str]) -> (f64, Value) {
    let mut trial = open(row).await;
    for command in commands {
        let ran = bash(&mut trial, command).await;
        assert_eq!(ran["returncode"], 0, "{command}: {ran}");
    }
    let ran = bash(&mut trial, SUBMIT).await;
    assert!(ran["submission"].is_string(), "{ran}");
    verdict(trial).await
}

/// A command that applies the patch which solves a task.
fn solution(row: &Value) -> String {
    format!("git apply <<'END'\n{}END", row["patch"].as_str().unwrap())
}

#[tokio::test]
async fn the_solution_of_every_repository_earns_1_and_nothing_earns_0() {
    let rows = rows();
    assert!(rows.len() >= 10);
    for row in rows {
        let id = &row["instance_id"];
        let (reward, report) = handed_in(&row, &[&solution(&row)]).await;
        assert_eq!(reward, 1.0, "{id}: {report}");
        assert_eq!(report["resolved"], true);
        let expected = json!({ "success": row["FAIL_TO_PASS"], "failure": [] });
        assert_eq!(report["tests_status"]["FAIL_TO_PASS"], expected, "{id}");
        // Something has to be handed in for the tests to run.
        let (reward, report) = handed_in(&row, &["echo >> README.md"]).await;
        assert_eq!(reward, 0.0, "{id}");
        let expected = json!({ "success": [], "failure": row["FAIL_TO_PASS"] });
        assert_eq!(report["tests_status"]["FAIL_TO_PASS"], expected, "{id}");
        let expected = json!({ "success": row["PASS_TO_PASS"], "failure": [] });
        assert_eq!(report["tests_status"]["PASS_TO_PASS"], expected, "{id}");
    }
}

#[tokio::test]
async fn commands_run_in_shells_of_their_own_that_nothing_waits_in() {
    let mut trial = open(&row("tally")).await;
    for (command, code, output) in [
        ("echo out; echo err >&2; exit 3", 3, "out\nerr\n"),
        ("pwd; cd tally; X=1; pwd", 0, "/workspace\n/workspace/tally\n"),
        ("pwd; echo \"[$X]\"", 0, "/workspace\n[]\n"),
        ("echo $PAGER $MANPAGER $LESS $PIP_PROGRESS_BAR $TQDM_DISABLE", 0, "cat cat -R off 1\n"),
        ("read line; echo \"[$line]\"", 0, "[]\n"),
        ("echo kept > /workspace/kept", 0, ""),
        ("cat kept; rm kept", 0, "kept\n"),
        ("nonexistent-program 2>/dev/null", 127, ""),
        ("", 0, ""),
        ("python3 -c 'print(1 + 1)'", 0, "2\n"),
        ("git log --oneline | wc -l; git status --short", 0, "1\n"),
        ("kill -9 $$", 137, ""),
    ] {
        let expected = json!({ "returncode": code, "output": output });
        assert_eq!(bash(&mut trial, command).await, expected, "{command}");
    }
}

#[tokio::test]
async fn repositories_may_lie_in_images() {
    let Some(fake) = Fake::new() else { return };
    let mut row = row("tally");
    row["image_name"] = json!(data("repositories/rehearsal__tally-1"));
    let settings = json!({ "sandbox": fake.json("{instance_id}"), "step_timeout": 20 }).to_string();
    for (change, expected) in [(solution(&row), 1.0), ("echo >> README.md".to_owned(), 0.0)] {
        let mut trial = Trial::<MiniSwe>::open(&settings, &row.to_string()).await.unwrap();
        let looked = bash(&mut trial, "pwd; git log --oneline | wc -l; echo $PAGER").await;
        assert_eq!(looked["output"], "/testbed\n1\ncat\n", "{looked}");
        assert_eq!(bash(&mut trial, &change).await["returncode"], 0);
        assert!(bash(&mut trial, SUBMIT).await["submission"].is_string());
        let (reward, report) = verdict(trial).await;
        assert_eq!(reward, expected, "{report}");
        assert_eq!(report["tests_status"]["PASS_TO_PASS"]["failure"], json!([]), "{report}");
    }
}

#[tokio::test]
async fn what_is_dropped_of_an_output_is_counted_in_characters() {
    let change = |settings: &mut Value| settings["output_max"] = json!("1KiB");
    let mut trial = open_with(&row("tally"), change).await;
    // 3 bytes each, which neither half of the room holds a whole number of.
    let long = bash(&mut trial, "printf '€%.0s' $(seq 1000)").await;
    assert_eq!(long["output"], "€".repeat(340), "{long}");
    assert_eq!(long["dropped_chars"], 660);
}

#[tokio::test]
async fn a_command_has_limits_of_time_and_output() {
    let change = |settings: &mut Value| {
        settings["step_timeout"] = json!(1);
        settings["output_max"] = json!("1KiB");
    };
    let mut trial = open_with(&row("tally"), change).await;
    let stopped = bash(&mut trial, "echo half; sleep 60").await;
    assert_eq!(stopped, json!({ "returncode": null, "output": "half\n" }));
    let long = bash(&mut trial, "printf 'a%.0s' $(seq 600); printf 'b%.0s' $(seq 600)").await;
    let output = format!("{}{}", "a".repeat(512), "b".repeat(512));
    assert_eq!(long, json!({ "returncode": 0, "output": output, "dropped_chars": 176 }));
}

#[tokio::test]
async fn the_tests_that_decide_are_not_in_the_workspace() {
    let mut trial = open(&row("slugs")).await;
    let found = bash(&mut trial, "grep -rl 'news-12' . /tmp; ls tests").await;
    assert_eq!(found["output"], "__init__.py\ntest_slugs.py\n");
}

#[tokio::test]
async fn an_agent_cannot_edit_its_exam() {
    let row = row("tally");
    let fix = solution(&row);
    let empty_tests = "printf 'import unittest\\n' > tests/test_invoice.py";
    let all_pass = "printf 'import unittest\\nclass LineTotals(unittest.TestCase):\\n    def test_half_a_cent_is_rounded_up(self): pass\\n    def test_credit_notes_cancel_their_invoices(self): pass\\n' > tests/test_invoice.py";
    let shadow = "printf 'class TestCase: pass\\n' > unittest.py";
    let planted = "printf 'import unittest\\nunittest.TestCase.run = lambda self, result: result.addSuccess(self)\\n' > sitecustomize.py; cp sitecustomize.py conftest.py";
    for (commands, reward, why) in [
        (&[all_pass][..], 0.0, "tests that it wrote itself"),
        (&[fix.as_str(), empty_tests], 1.0, "the fix is right, whatever it did to the tests"),
        (
            &[fix.as_str(), "git rm -q tests/test_invoice.py"],
            1.0,
            "tests that it took away are back",
        ),
        (&[fix.as_str(), "git mv tests/test_invoice.py moved.py"], 1.0, "or that it moved"),
        (&[planted], 0.0, "files that decide how tests run are left out"),
        (&[shadow], 0.0, "the runner has the standard library's"),
        (&["git mv tests hidden && ln -s hidden tests"], 0.0, "a link in place of a folder"),
    ] {
        let (earned, report) = handed_in(&row, commands).await;
        assert_eq!(earned, reward, "{why}: {report}");
    }
}

#[tokio::test]
async fn what_tested_code_prints_is_no_report() {
    let row = row("tally");
    let lines: Vec<String> = ["FAIL_TO_PASS", "PASS_TO_PASS"]
        .iter()
        .flat_map(|list| row[list].as_array().unwrap())
        .map(|test| format!("print('PASSED {}', flush=True)", test.as_str().unwrap()))
        .collect();
    let forge = format!(
        "cat >> tally/amounts.py <<'END'\n{}\nimport os\nos._exit(0)\nEND",
        lines.join("\n")
    );
    let (reward, report) = handed_in(&row, &[&forge]).await;
    assert_eq!(reward, 0.0, "{report}");
}

#[tokio::test]
async fn a_test_that_is_skipped_did_not_pass() {
    let row = row("tally");
    let skip = "printf '\\nimport unittest\\ndef line_total(*_): raise unittest.SkipTest(\"no\")\\n' >> tally/amounts.py";
    let (reward, report) = handed_in(&row, &[skip]).await;
    assert_eq!(reward, 0.0, "{report}");
    assert_eq!(report["tests_status"]["FAIL_TO_PASS"]["success"], json!([]));
}

#[tokio::test]
async fn tests_that_take_too_long_earn_nothing() {
    let row = row("tally");
    let change = |settings: &mut Value| settings["eval_timeout"] = json!(2);
    let mut trial = open_with(&row, change).await;
    bash(&mut trial, "printf '\\nwhile True: pass\\n' >> tally/amounts.py").await;
    bash(&mut trial, SUBMIT).await;
    let (reward, report) = verdict(trial).await;
    assert_eq!((reward, &report["timeout"]), (0.0, &json!(true)), "{report}");
    assert_eq!(report["patch_successfully_applied"], true);
}

#[tokio::test]
async fn a_patch_that_does_not_apply_earns_nothing() {
    let row = row("tally");
    for patch in [
        "nonsense",
        "diff --git a/absent.py b/absent.py\n--- a/absent.py\n+++ b/absent.py\n@@ -1 +1 @@\n-a\n+b\n",
        "diff --git a/../escaped b/../escaped\nnew file mode 100644\n--- /dev/null\n+++ b/../escaped\n@@ -0,0 +1 @@\n+x\n",
    ] {
        let mut trial = open(&row).await;
        let command = format!("echo MINI_SWE_AGENT_FINAL_OUTPUT; cat <<'END'\n{patch}\nEND");
        bash(&mut trial, &command).await;
        let (reward, report) = verdict(trial).await;
        let told = (&report["patch_exists"], &report["patch_successfully_applied"]);
        assert_eq!((reward, told), (0.0, (&json!(true), &json!(false))), "{patch}");
    }
    let mut trial = open(&row).await;
    bash(&mut trial, SUBMIT).await;
    let (reward, report) = verdict(trial).await;
    assert_eq!((reward, &report["patch_exists"]), (0.0, &json!(false)));
}

#[tokio::test]
async fn byte_code_that_was_left_lying_around_does_no_harm() {
    let row = row("lru");
    let compile = "env -u PYTHONDONTWRITEBYTECODE python3 -m unittest -q tests.test_cache 2>/dev/null; git add -f -A; git diff --cached --stat | grep -c pyc";
    let (reward, report) = handed_in(&row, &[&solution(&row), compile]).await;
    assert_eq!(reward, 1.0, "{report}");
}

#[tokio::test]
async fn a_tree_that_was_not_handed_in_is_graded_unless_that_is_off() {
    let row = row("spans");
    for (grade_unsubmitted, expected) in [(true, 1.0), (false, 0.0)] {
        let change =
            |settings: &mut Value| settings["grade_unsubmitted"] = json!(grade_unsubmitted);
        let mut trial = open_with(&row, change).await;
        bash(&mut trial, &solution(&row)).await;
        let (reward, report) = verdict(trial).await;
        assert_eq!(reward, expected, "{report}");
        assert_eq!(report["patch_is_None"], !grade_unsubmitted);
    }
    let (reward, report) = verdict(open(&row).await).await;
    assert_eq!((reward, &report["patch_is_None"]), (0.0, &json!(true)));
}

#[tokio::test]
async fn work_is_handed_in_once() {
    let mut trial = open(&row("spans")).await;
    bash(&mut trial, SUBMIT).await;
    let again = bash(&mut trial, "echo more").await;
    assert!(again["detail"].as_str().unwrap().contains("handed in"), "{again}");
}

#[test]
fn a_marker_on_the_first_line_hands_the_rest_in() {
    for (output, expected) in [
        ("MINI_SWE_AGENT_FINAL_OUTPUT\ndiff\n", Some("diff\n")),
        ("\n \n COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT \ndiff\n\n", Some("diff\n\n")),
        ("LOCALIZATION_FINAL_OUTPUT", Some("")),
        ("MINI_SWE_AGENT_FINAL_OUTPUT diff", None),
        ("x\nMINI_SWE_AGENT_FINAL_OUTPUT\n", None),
        ("", None),
    ] {
        assert_eq!(submission(output).as_deref(), expected, "{output:?}");
    }
}

#[tokio::test]
async fn a_transcript_is_graded_as_well() {
    let row = row("ringbuf");
    let patch = row["patch"].as_str().unwrap();
    // As NeMo Gym's agent ends a rollout, and as a call of the tool hands work in.
    let answer = json!({ "returncode": 0, "output": "", "submission": patch }).to_string();
    for item in
        [Item::message(Role::User, patch.trim_end()), Item::function_call_output("c", &answer)]
    {
        let mut trial = open(&row).await;
        trial.play(item).await;
        assert_eq!(verdict(trial).await.0, 1.0);
    }
}

#[tokio::test]
async fn what_is_missing_on_this_machine_is_said_and_is_no_reward() {
    let mut absent = row("ringbuf");
    absent["instance_id"] = json!("rehearsal__absent-1");
    let opened = Trial::<MiniSwe>::open(&settings(|_| {}), &absent.to_string()).await;
    let error = opened.err().unwrap().to_string();
    assert!(
        error.contains("there is no repository `") && error.contains("settings.snapshots"),
        "{error}"
    );
    let opened = Trial::<MiniSwe>::open("{}", &absent.to_string()).await;
    let error = opened.err().unwrap().to_string();
    assert!(error.contains("`sandbox.backend: native` needs `snapshots`"), "{error}");
    let mut unknown = row("ringbuf");
    unknown["test_command"] = json!("nonexistent-runner -v");
    let mut trial = open(&unknown).await;
    bash(&mut trial, &solution(&unknown)).await;
    bash(&mut trial, SUBMIT).await;
    let error = trial.verify().await.unwrap_err();
    assert!(!error.is_retryable());
    let error = error.to_string();
    assert!(
        error.contains("`nonexistent-runner -v tests/") && error.contains("test_commands"),
        "{error}"
    );
    let mut wrong = row("ringbuf");
    wrong["test_patch"] =
        json!(wrong["patch"].as_str().unwrap().replace("self._slots", "self._other"));
    let mut trial = open(&wrong).await;
    bash(&mut trial, SUBMIT).await;
    assert_eq!(verdict(trial).await.0, 0.0, "nothing was handed in");
    let mut trial = open(&wrong).await;
    bash(&mut trial, "echo >> README.md").await;
    bash(&mut trial, SUBMIT).await;
    let error = trial.verify().await.unwrap_err().to_string();
    assert!(error.contains("cannot apply `test_patch`"), "{error}");
}

#[tokio::test]
async fn a_repository_may_be_one_of_gits_with_commits_links_and_programs() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("rehearsal__tally-1");
    let script = format!(
        "cp -r '{}' '{}' && cd '{}' && ln -s README.md link && printf '#!/bin/sh\\necho ran\\n' > run.sh && \
         chmod +x run.sh && git init -q && git add -A && \
         git -c user.name=x -c user.email=x@localhost commit -q -m theirs",
        data("repositories/rehearsal__tally-1"),
        copy.display(),
        copy.display()
    );
    let made = std::process::Command::new("bash").args(["-c", &script]).status().unwrap();
    assert!(made.success());
    let row = row("tally");
    let change = |settings: &mut Value| {
        settings["snapshots"] = json!(format!("{}/{{instance_id}}", folder.path().display()));
    };
    let mut trial = open_with(&row, change).await;
    let looked =
        bash(&mut trial, "git log --format=%s; readlink link; ./run.sh; git status --short").await;
    assert_eq!(looked["output"], "theirs\nREADME.md\nran\n");
    bash(&mut trial, &solution(&row)).await;
    bash(&mut trial, SUBMIT).await;
    assert_eq!(verdict(trial).await.0, 1.0);
}

/// The lines of a file of recordings; nothing, after saying so in one line, where it is not there.
fn recorded(file: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance");
    let text = std::fs::read_to_string(folder.join("mini_swe_resource").join(file));
    let Ok(text) = text else {
        println!("skipped: there are no recordings of mini_swe_resource");
        return Vec::new();
    };
    text.lines().map(str::to_owned).collect()
}

#[test]
fn rows_of_swe_gym_are_read_as_they_are() {
    for line in recorded("tasks.jsonl") {
        let row = Row::parse(&line).unwrap();
        let target = Target::read(&row).unwrap();
        assert!(!target.exam.fail_to_pass.is_empty() && !target.exam.pass_to_pass.is_empty());
        let command = command::of(&target, &BTreeMap::new());
        let files = target.exam.files.join(" ");
        assert!(target.repo != "getmoto/moto" || command == format!("pytest -n0 -rA {files}"));
        let image = image::image(&target, &crate::sandbox::Settings::default()).unwrap();
        assert!(
            image.starts_with("xingyaoww/sweb.eval.x86_64.") && image.contains("_s_"),
            "{image}"
        );
    }
}

#[test]
fn recorded_rollouts_hand_in_what_their_last_message_holds() {
    for line in recorded("rollouts.jsonl") {
        let record: Value = serde_json::from_str(&line).unwrap();
        let response = Response::parse(&record["response"].to_string()).unwrap();
        let patch = super::handed_in(&response).unwrap();
        assert!(!patch::files(&patch).is_empty());
        let mut said = response.output.iter().filter(|item| item.is_message_of(Role::Assistant));
        let submits = said.next_back().unwrap().text();
        assert!(MARKERS.iter().any(|marker| submits.contains(marker)), "{submits}");
    }
}
