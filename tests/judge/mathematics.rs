//! `library_judge_math` through the public door: when its judge is asked, what, and what that is worth.

use serde_json::{Value, json};

use super::{Court, EQUAL, OTHER, Reply, said, unavailable};
use rehearsal::framework::rollout::Culprit;

const KIND: &str = "library_judge_math";

async fn court(name: &str, settings: &Value, replies: Vec<Reply>) -> Court {
    Court::of(KIND, &format!("mathematics/{name}"), settings, replies, "60s").await
}

fn row(expected: &str) -> Value {
    json!({
        "responses_create_params": { "input": "Solve it." },
        "question": "Q?",
        "expected_answer": expected,
    })
}

/// What is expected of a verdict: its reward, the library's, the answer found, and the questions to the
/// judge if it is asked.
type Expected = (f64, f64, Option<&'static str>, Option<Vec<&'static str>>);

/// Settings, the expected answer, what the model said, the judge's replies, and the verdict.
type Case = (Value, &'static str, &'static str, Vec<Reply>, Expected);

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    use Reply::Says;
    let off = || json!({ "should_use_judge": false });
    let extracted = || json!({ "judge_compares": "extracted_answer" });
    vec![
        // The library finds them equal: nobody else is asked.
        (json!({}), "8", r"3 + 5 = \boxed{8}", vec![Says(OTHER)], (1.0, 1.0, Some("8"), None)),
        (json!({}), r"\boxed{12}", r"3 * 4 = \boxed{12}", vec![Says(OTHER)], (1.0, 1.0, Some("12"), None)),
        (json!({}), "4.0", r"2 + 2 = \boxed{\frac{8}{2}}", vec![Says(OTHER)], (1.0, 1.0, Some("4"), None)),
        // It finds them different: the judge is asked, once or twice.
        (json!({}), "2", "3", vec![Says(OTHER)], (0.0, 0.0, Some("3"), Some(vec!["Q?|2|3"]))),
        (json!({}), "1.4", "Final answer: {7 / 5}", vec![Says(EQUAL)],
            (1.0, 0.0, Some("5"), Some(vec!["Q?|1.4|Final answer: {7 / 5}", "Q?|Final answer: {7 / 5}|1.4"]))),
        (json!({}), "2", "3", vec![Says(EQUAL), Says(OTHER)], (0.0, 0.0, Some("3"), Some(vec!["Q?|2|3", "Q?|3|2"]))),
        // The label that stands first counts.
        (json!({}), "2", "3", vec![Says("[[A!=B]] and not [[A=B]]")], (0.0, 0.0, Some("3"), Some(vec!["Q?|2|3"]))),
        (json!({}), "2", "3", vec![Says("[[A=B]] and not [[A!=B]]")], (1.0, 0.0, Some("3"), Some(vec!["Q?|2|3", "Q?|3|2"]))),
        (json!({ "judge_no_label": "not_equal" }), "2", "3", vec![Says("hm")], (0.0, 0.0, Some("3"), Some(vec!["Q?|2|3"]))),
        // It is not to be asked.
        (off(), "2", "3", vec![Says(EQUAL)], (0.0, 0.0, Some("3"), None)),
        (off(), r"\boxed{12}", "3 * 4 = 13", vec![Says(EQUAL)], (0.0, 0.0, Some("13"), None)),
        (off(), "3", "", vec![Says(EQUAL)], (0.0, 0.0, None, None)),
        // What it compares.
        (extracted(), "2", r"Surely \boxed{3}", vec![Says(EQUAL)], (1.0, 0.0, Some("3"), Some(vec!["Q?|2|3", "Q?|3|2"]))),
        (extracted(), "2", "no idea", vec![Says(OTHER)], (0.0, 0.0, None, Some(vec!["Q?|2|no idea"]))),
        // Labels of another kind.
        (json!({ "judge_equal_label": "SAME", "judge_not_equal_label": "OTHER" }), "2", "3", vec![Says("SAME")],
            (1.0, 0.0, Some("3"), Some(vec!["Q?|2|3", "Q?|3|2"]))),
        // Delimiters around what is expected.
        (json!({}), r"\(\frac{333}{1997}\)", r"\boxed{\frac{333}{1997}}", vec![Says(OTHER)], (1.0, 1.0, Some("333/1997"), None)),
        (json!({ "strip_delimiters": true }), "$5$", r"\boxed{5}", vec![Says(OTHER)], (1.0, 1.0, Some("5"), None)),
        (json!({}), "$5$", r"\boxed{5}", vec![Says(OTHER)], (1.0, 1.0, Some("5"), None)),
    ]
}

#[tokio::test]
async fn the_judge_is_asked_about_what_the_library_finds_different() {
    for (index, (settings, expected, text, replies, verdict)) in cases().into_iter().enumerate() {
        let case = format!("case {index}: {settings} {expected} {text}");
        let court = court(&format!("cases/{index}"), &settings, replies).await;
        let found = court.score(&row(expected), said(text)).await;
        let found = found.unwrap_or_else(|error| panic!("{case}: {error}"));
        let (reward, library, extracted, prompts) = verdict;
        assert_eq!(found["reward"], reward, "{case}");
        assert_eq!(found["library_reward"], library, "{case}");
        assert_eq!(found["extracted_answer"].as_str(), extracted, "{case}");
        assert_eq!(found["expected_answer"], expected, "{case}");
        let evaluations = found["judge_evaluations"].as_array();
        assert_eq!(evaluations.map(Vec::len), prompts.as_ref().map(Vec::len), "{case}");
        for evaluation in evaluations.into_iter().flatten() {
            let keys: Vec<_> = evaluation.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["responses_create_params", "response"], "{case}");
        }
        assert_eq!(court.bench.prompts(), prompts.unwrap_or_default(), "{case}");
        court.runtime.stop().await;
    }
}

#[tokio::test]
async fn all_that_the_assistant_wrote_counts_without_anything_between() {
    let court = court("outputs", &json!({}), vec![Reply::Says(OTHER)]).await;
    let part = |kind: &str, text: &str| json!({ "type": kind, "text": text, "annotations": [] });
    let message = |content: Value| json!({ "id": "m", "type": "message", "role": "assistant", "status": "completed", "content": content });
    let refusal = json!({ "type": "refusal", "refusal": "$7$" });
    let thought = json!({ "type": "reasoning", "id": "r", "summary": [] });
    let call = json!({ "type": "function_call", "id": "c", "call_id": "c", "name": "f", "arguments": "{}" });
    let halves = json!([
        message(json!([part("output_text", "$x")])),
        thought,
        message(json!([part("output_text", " + 1$"), refusal])),
        call,
    ]);
    let verdict = court.score(&row("x + 1"), halves).await.unwrap();
    assert_eq!((&verdict["reward"], &verdict["extracted_answer"]), (&json!(1.0), &json!("x + 1")));
    assert_eq!(court.bench.prompts(), [""; 0]);
    let half = json!([message(json!([part("output_text", "$1")]))]);
    let verdict = court.score(&row("x + 1"), half).await.unwrap();
    assert_eq!((&verdict["reward"], &verdict["extracted_answer"]), (&json!(0.0), &json!("1")));
    assert_eq!(court.bench.prompts(), ["Q?|x + 1|$1"]);
    court.runtime.stop().await;
}

#[tokio::test]
async fn long_answers_are_compared_on_the_pool_and_come_out_the_same() {
    let court = court("long", &json!({ "should_use_judge": false }), vec![]).await;
    let long = format!(r"{} so \boxed{{\frac{{1}}{{2}}}}", "we go on and on. ".repeat(5000));
    let verdict = court.score(&row("0.5"), said(&long)).await.unwrap();
    assert_eq!((&verdict["reward"], &verdict["extracted_answer"]), (&json!(1.0), &json!("1/2")));
    court.runtime.stop().await;
}

#[tokio::test]
async fn a_judge_in_trouble_gives_no_reward_for_mathematics_either() {
    let refusal = json!([{ "id": "m", "type": "message", "role": "assistant", "status": "completed",
        "content": [{ "type": "refusal", "refusal": "I cannot" }] }]);
    let thought = json!([{ "type": "reasoning", "id": "r", "summary": [] }]);
    for (index, (reply, asked, said_last)) in [
        (Reply::Says("They look alike."), 3, "says neither"),
        (Reply::Output(refusal), 3, "says neither"),
        (Reply::Output(thought), 3, "says neither"),
        (Reply::Output(json!([])), 3, "says neither"),
        (Reply::Fails(unavailable()), 3, "answers 503"),
    ]
    .into_iter()
    .enumerate()
    {
        let court = court(&format!("trouble/{index}"), &json!({}), vec![reply]).await;
        let failure = court.score(&row("4"), said("5")).await.unwrap_err();
        assert_eq!(failure.culprit, Culprit::Verifier, "{failure}");
        assert!(failure.error.starts_with("judge `judge`"), "{failure}");
        assert!(failure.error.contains(said_last), "{failure}");
        assert_eq!(court.bench.prompts().len(), asked, "{failure}");
        // A right answer needs no judge, so it goes on earning.
        assert_eq!(court.score(&row("4"), said("4")).await.unwrap()["reward"], 1.0);
        court.runtime.stop().await;
    }
}

#[tokio::test]
async fn a_judge_that_fails_in_the_second_order_gives_no_reward() {
    let replies = vec![Reply::Says(EQUAL), Reply::Fails(unavailable())];
    let court = court("second", &json!({ "judge_attempts": 1 }), replies).await;
    let failure = court.score(&row("4"), said("5")).await.unwrap_err();
    assert_eq!(failure.culprit, Culprit::Verifier, "{failure}");
    assert_eq!(court.bench.prompts(), ["Q?|4|5", "Q?|5|4"]);
    court.runtime.stop().await;
}

#[tokio::test]
async fn mathematical_settings_that_make_no_sense_are_refused() {
    let folder = crate::support::command::Folder::new();
    folder.write("tasks.jsonl", "");
    for (settings, expected) in [
        ("{}", "`settings.judge_model` is missing"),
        ("{ judge_model: jugde }", "there is no model `jugde`; there are `judge`"),
        ("{ judge_model: judge, judge_prompt_template: '{gold}' }", "`{gold}` is not known"),
        ("{ judge_model: judge, judge_compares: everything }", "everything"),
        ("{ judge_model: judge, judge_equal_label: '' }", "two different texts"),
        ("{ should_use_judge: perhaps }", "should_use_judge"),
        ("{ should_use_judge: false, strikt: true }", "strikt"),
    ] {
        folder.write("config.yaml", &format!(
            "models: {{ judge: {{ kind: scripted, settings: {{ rules: [{{ say: x }}] }} }} }}
environments: {{ world: {{ kind: {KIND}, settings: {settings} }} }}
agents: {{ solver: {{ kind: tool_loop, environment: world, model: judge, datasets: [{{ name: x, type: example, path: tasks.jsonl }}] }} }}
collect: {{ output: out.jsonl }}
"
        ));
        let ended = folder.run(&["check", "--config", "config.yaml"]);
        assert!(ended.code != Some(0), "{settings}");
        ended.says(&[expected]);
    }
}

#[tokio::test]
async fn mathematical_rows_that_nothing_can_be_compared_with_are_malformed() {
    let court = court("rows", &json!({}), vec![Reply::Says(EQUAL)]).await;
    let with = |key: &str, value: Value| {
        let mut row = row("4");
        row[key] = value;
        row
    };
    for (row, expected) in [
        (with("expected_answer", json!(4)), "`expected_answer`"),
        (with("expected_answer", Value::Null), "`expected_answer`"),
        (with("expected_answer", json!(" ")), "`expected_answer` is empty"),
        (with("expected_answer", json!("$$")), "nothing can be read in `$$`"),
        (with("question", Value::Null), "`question`"),
    ] {
        let task = court.runtime.environment_task("world", "a/b/1".into(), &row.to_string());
        let error = task.unwrap_err().to_string();
        assert!(error.contains(expected), "{row}: {error}");
    }
    // A recorded rollout can be scored again.
    court.score(&with("judge_evaluations", json!([{}])), said("4")).await.unwrap();
    court.runtime.stop().await;
}
