//! A judge that fails, talks nonsense or takes too long makes no reward, and what it said is kept.

use super::*;

#[tokio::test]
async fn a_judge_in_trouble_gives_no_reward() {
    let refusal = json!([{ "id": "m", "type": "message", "role": "assistant", "status": "completed",
        "content": [{ "type": "refusal", "refusal": "I cannot" }] }]);
    let thought = json!([{ "type": "reasoning", "id": "r", "summary": [] }]);
    let then_thought = json!([said(EQUAL)[0], { "type": "reasoning", "id": "r", "summary": [] }]);
    let bad_request = ModelError::BadRequest {
        endpoint: "http://judge".to_owned(),
        status: 400,
        message: "no".to_owned(),
    };
    for (index, (reply, retryable, asked, expected)) in [
        (
            Reply::Says("I would say so."),
            true,
            3,
            "says neither `[[A=B]]` nor `[[A!=B]]`, but: \"I would",
        ),
        (Reply::Says(""), true, 3, "but: \"\""),
        (Reply::Output(json!([])), true, 3, "but: \"\""),
        (Reply::Output(refusal), true, 3, "but: \"\""),
        (Reply::Output(thought), true, 3, "but: \"\""),
        (Reply::Output(then_thought), true, 3, "but: \"\""),
        (Reply::Fails(unavailable()), true, 3, "`http://judge` answers 503: down"),
        (
            Reply::Fails(ModelError::ContextLength { message: "9".to_owned() }),
            true,
            1,
            "exceeds the model's context",
        ),
        (Reply::Fails(bad_request), false, 1, "refuses the request (400): no"),
    ]
    .into_iter()
    .enumerate()
    {
        let court = Court::new(&format!("trouble/{index}"), &json!({}), vec![reply]).await;
        let failure = court.score(&row("4", None), said("4")).await.unwrap_err();
        assert_eq!(
            (failure.culprit, failure.retryable),
            (Culprit::Verifier, retryable),
            "{failure}"
        );
        assert!(failure.error.starts_with("judge `judge`"), "{failure}");
        assert!(failure.error.contains(expected), "{failure}");
        assert_eq!(court.bench.prompts().len(), asked, "{failure}");
        let is_answered = failure.error.contains("says neither");
        let expected = if is_answered { vec![true; asked] } else { vec![false] };
        assert_eq!(answered(&failure), expected, "{failure}");
        court.runtime.stop().await;
    }
}

/// The exchanges with the judge that a failure has kept.
fn kept(failure: &Failure) -> Vec<Value> {
    let text = failure.extras.get("judge_evaluations").expect("a failed judge's are kept").get();
    serde_json::from_str(text).unwrap()
}

/// Whether each exchange that a failure has kept has an answer. None has a label.
fn answered(failure: &Failure) -> Vec<bool> {
    let has_answer = |exchange: &Value| {
        let keys = ["responses_create_params", "response", "verdict_label"];
        assert!(exchange.as_object().unwrap().keys().all(|key| keys.contains(&key.as_str())));
        assert_eq!(exchange["responses_create_params"]["input"][0]["content"], "Q?|4|4");
        assert_eq!(exchange["verdict_label"], Value::Null);
        !exchange["response"].is_null()
    };
    kept(failure).iter().map(has_answer).collect()
}

#[tokio::test]
async fn a_failure_keeps_every_exchange_with_the_judge() {
    // It rules once, and not when it is asked again: about the exchanged answers, then about all.
    let swap = json!({ "check_twice_swap": true });
    let replies = vec![Reply::Says(EQUAL), Reply::Says("hm"), Reply::Fails(unavailable())];
    let court = Court::new("kept/swap", &swap, replies).await;
    let failure = court.score(&row("4", None), said("four")).await.unwrap_err();
    let exchanges = kept(&failure);
    let asked = |exchange: &Value| {
        let prompt = exchange["responses_create_params"]["input"][0]["content"].clone();
        let answer = exchange["response"]["output"][0]["content"][0]["text"].clone();
        (prompt, answer, exchange["verdict_label"].clone())
    };
    let expected = [
        (json!("Q?|4|four"), json!(EQUAL), json!("[[A=B]]")),
        (json!("Q?|four|4"), json!("hm"), Value::Null),
        (json!("Q?|four|4"), Value::Null, Value::Null),
    ];
    assert_eq!(exchanges.iter().map(asked).collect::<Vec<_>>(), expected);
    assert!(failure.response.is_some(), "what was to be scored is kept");
    court.runtime.stop().await;

    let replies = vec![Reply::Says(OTHER), Reply::Says("hm")];
    let court = Court::new("kept/rescue", &json!({}), replies).await;
    let failure = court.score(&row("4", Some(BOX)), said(r"\boxed{5}")).await.unwrap_err();
    let labels: Vec<_> = kept(&failure).iter().map(|it| it["verdict_label"].clone()).collect();
    assert_eq!(labels, [json!("[[A!=B]]"), Value::Null, Value::Null, Value::Null]);
    court.runtime.stop().await;
}

#[tokio::test]
async fn a_judge_that_takes_too_long_is_named_and_what_it_said_is_kept() {
    for (index, (replies, expected)) in [
        (vec![Reply::Sleeps], vec![false]),
        (vec![Reply::Says("hm"), Reply::Sleeps], vec![true, false]),
        // It is known to be down for longer than there is time.
        (
            vec![Reply::Says("hm"), Reply::Fails(breaker(Duration::from_secs(60)))],
            vec![true, false],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("slow/{index}");
        let court = Court::with_time(&name, &json!({}), replies, "2s").await;
        let failure = court.score(&row("4", None), said("4")).await.unwrap_err();
        let error = "judge `judge`: no verdict in time for the 2.0 s of `verify_timeout`";
        assert_eq!((failure.culprit, failure.retryable), (Culprit::Verifier, true));
        assert_eq!(failure.error, error);
        assert_eq!(answered(&failure), expected, "case {index}");
        court.runtime.stop().await;
    }
}

/// A policy that answers, and a judge that says something.
fn collection(judge: &str) -> String {
    format!(
        "models:
  policy: {{ kind: scripted, settings: {{ rules: [{{ say: four }}] }} }}
  judge: {{ kind: scripted, settings: {{ rules: [{{ say: '{judge}' }}] }} }}
environments: {{ world: {{ kind: equivalence_llm_judge, settings: {{ judge_model: judge }} }} }}
agents:
  solver:
    kind: tool_loop
    environment: world
    model: policy
    datasets: [{{ name: tasks, type: example, path: tasks.jsonl }}]
collect: {{ output: out.jsonl, max_attempts: 2, repeats: 2 }}
runtime: {{ shards: 1 }}
"
    )
}

#[test]
fn files_of_failures_have_the_exchanges_and_what_was_said_and_can_be_scored_later() {
    let folder = Folder::new();
    folder.write("tasks.jsonl", &format!("{}\n", row("4", None)));
    let judged = |judge: &str| folder.write("config.yaml", &collection(judge));
    let failures = |name: &str| -> Vec<Value> {
        let text = folder.read(name);
        let failures: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(failures.len(), 2, "{name}");
        for failure in &failures {
            assert!(failure.get("reward").is_none() && failure.get("error").is_none(), "{name}");
            assert_eq!(failure["rehearsal"]["failure"]["culprit"], "verifier", "{name}");
            assert_eq!(failure["response"]["output"][0]["content"][0]["text"], "four", "{name}");
            let exchanges = failure["judge_evaluations"].as_array().unwrap();
            assert_eq!(exchanges.len(), 3, "{name}: those of the last attempt");
            for exchange in exchanges {
                let said = &exchange["response"]["output"][0]["content"][0]["text"];
                assert_eq!(said, "well", "{name}");
            }
        }
        failures
    };
    judged("well");
    folder.run(&["collect", "--config", "config.yaml"]).exits_with(3);
    assert_eq!(folder.read("out.jsonl"), "");
    let collected = failures("out_failures.jsonl");
    assert_eq!(collected[0]["rehearsal"]["attempt"], 2);

    // The judge still babbles.
    let verify = |rollouts: &str, output: &str, more: &[&str]| {
        let arguments = ["verify", "--config", "config.yaml", "--tasks", "tasks.jsonl"];
        let files = ["--rollouts", rollouts, "--output", output];
        folder.run(&[&arguments[..], &files, more].concat())
    };
    let ended = verify("out_failures.jsonl", "scored.jsonl", &[]);
    ended.exits_with(3).says(&["0 rollouts scored", "2 left out", "scored_failures.jsonl"]);
    assert_eq!(folder.read("scored.jsonl"), "");
    failures("scored_failures.jsonl");

    // The file that is read is neither replaced nor removed.
    for output in ["scored.jsonl", "scored_failures.jsonl"] {
        let ended = verify("scored_failures.jsonl", output, &["--overwrite"]);
        ended
            .exits_with(1)
            .says(&["`scored_failures.jsonl` is read, and would be written", "hint:"]);
    }
    std::fs::remove_file(folder.path("scored.jsonl")).unwrap();
    let ended = verify("out_failures.jsonl", "scored.jsonl", &[]);
    ended.exits_with(1).says(&["scored_failures.jsonl`", "exists", "--overwrite"]);

    // It has come to itself.
    judged("fine. [[A=B]]");
    let ended = verify("scored_failures.jsonl", "again.jsonl", &[]);
    ended.exits_with(0).says(&["2 rollouts scored, mean reward 1.000"]);
    assert!(!folder.path("again_failures.jsonl").exists());
    for line in folder.read("again.jsonl").lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&record["reward"], &record["rehearsal"]["outcome"]),
            (&json!(1.0), &json!("scored"))
        );
        assert_eq!(record["judge_evaluations"].as_array().unwrap().len(), 1);
    }
    verify("out_failures.jsonl", "scored.jsonl", &["--overwrite"]).exits_with(0);
    assert!(!folder.path("scored_failures.jsonl").exists(), "failures of the run before are gone");
}

#[tokio::test]
async fn a_judge_that_comes_to_itself_is_asked_again() {
    let mut replies = vec![Reply::Says("hm"), Reply::Fails(unavailable())];
    replies.extend(vec![Reply::Fails(breaker(Duration::from_millis(1))); 5]);
    replies.push(Reply::Says(EQUAL));
    let court = Court::new("again", &json!({}), replies).await;
    let verdict = court.score(&row("4", None), said("4")).await.unwrap();
    assert_eq!(verdict["reward"], 1.0);
    let labels: Vec<_> = verdict["judge_evaluations"].as_array().unwrap().iter().collect();
    let labels: Vec<_> = labels.iter().map(|exchange| &exchange["verdict_label"]).collect();
    assert_eq!(labels, [&Value::Null, &json!("[[A=B]]")]);
    court.runtime.stop().await;
}
