use framework::environment::Trial;
use serde_json::{Value, json};

use super::*;
use crate::trials;

mod served;

fn row(expected: &str) -> String {
    json!({
        "responses_create_params": { "input": "?" },
        "expected_answer": expected,
        "task_difficulty_qwen3_32b_avg_8": 0.5,
    })
    .to_string()
}

async fn trial(settings: &Value) -> Trial<GoogleSearch> {
    Trial::open(&settings.to_string(), &row("B")).await.unwrap()
}

async fn search_results(trial: &mut Trial<GoogleSearch>, query: &str) -> Value {
    let answer = trial.call("search", &json!({ "query": query }).to_string()).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    serde_json::from_str(answer["search_results"].as_str().unwrap()).unwrap()
}

async fn page_content(trial: &mut Trial<GoogleSearch>, url: &str) -> String {
    let answer = trial.call("browse", &json!({ "url": url }).to_string()).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer.as_object().unwrap().len(), 1);
    answer["page_content"].as_str().unwrap().to_owned()
}

/// The reward and the option that some output items earn.
async fn scored(items: &[Value], expected: &str) -> (f64, Value) {
    let mut trial = Trial::<GoogleSearch>::open("{}", &row(expected)).await.unwrap();
    for item in items {
        trial.play(framework::responses::Item::parse(&item.to_string()).unwrap()).await;
    }
    let verdict = trial.verify().await.unwrap();
    let extras = serde_json::to_value(&verdict.extras).unwrap();
    assert_eq!(extras.as_object().unwrap().len(), 1);
    (verdict.reward.get(), extras["parsed_option"].clone())
}

fn said(text: &str) -> Value {
    json!({ "type": "message", "id": "m", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": text, "annotations": [] }] })
}

#[tokio::test]
async fn gold_answers_earn_1() {
    trials::gold_answers_earn_1::<GoogleSearch>().await;
}

#[tokio::test]
async fn silence_earns_less() {
    trials::silence_earns_less::<GoogleSearch>().await;
}

#[tokio::test]
async fn the_first_box_of_the_last_message_has_to_hold_the_answer_to_the_letter() {
    for (text, expected, option, reward) in [
        (r"The answer is \boxed{B}.", "B", json!("B"), 1.0),
        (r"The answer is \boxed{42}", "42", json!("42"), 1.0),
        (r"After calculation: \boxed{x + y = 10}", "x + y = 10", json!("x + y = 10"), 1.0),
        ("No boxed content here", "B", Value::Null, 0.0),
        ("", "B", Value::Null, 0.0),
        (r"\boxed{ B }", "B", json!(" B "), 0.0),
        (r"\boxed{b}", "B", json!("b"), 0.0),
        (r"\boxed{(B)}", "B", json!("(B)"), 0.0),
        (r"\boxed{B.}", "B", json!("B."), 0.0),
        (r"\boxed{{B}}", "B", json!("{B"), 0.0),
        (r"\boxed{}", "", json!(""), 1.0),
        (r"\boxed{\text{B}}", "B", json!(r"\text{B"), 0.0),
        (r"\boxed{A} but rather \boxed{B}", "B", json!("A"), 0.0),
        (r"<think>\boxed{A}</think>\boxed{B}", "B", json!("A"), 0.0),
        ("\\boxed{\nB\n}", "B", Value::Null, 0.0),
        ("\\boxed{A\n} \\boxed{B}", "B", json!("B"), 1.0),
        ("\\boxed{B\u{2028}}", "B\u{2028}", json!("B\u{2028}"), 1.0),
        (r"\boxed{B", "B", Value::Null, 0.0),
        (r"\boxed {B}", "B", Value::Null, 0.0),
        (r"\\boxed{\\boxed{B}", "B", json!(r"\\boxed{B"), 0.0),
        (r"it's \boxed{'é'}", "'é'", json!("'é'"), 1.0),
    ] {
        let found = scored(&[said(text)], expected).await;
        assert_eq!(found, (reward, option), "{text}");
    }
}

#[tokio::test]
async fn the_last_message_counts_wherever_it_stands_and_whatever_its_shape() {
    let boxed = said(r"\boxed{B}");
    let call = json!({ "type": "function_call", "id": "f", "call_id": "c", "name": "search",
        "arguments": "{", "status": "completed" });
    let reasoning = json!({ "type": "reasoning", "id": "r", "summary": [] });
    let user = json!({ "role": "user", "content": r"\boxed{A}" });
    let plain = json!({ "role": "assistant", "content": r"\boxed{B}" });
    let split = json!({ "type": "message", "id": "m", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": r"so \boxed{", "annotations": [] },
            { "type": "output_text", "text": "B}", "annotations": [] }] });
    let refusal = json!({ "type": "message", "id": "m", "role": "assistant", "status": "completed",
        "content": [{ "type": "refusal", "refusal": r"\boxed{B}" }] });
    for (items, reward) in [
        (vec![], 0.0),
        (vec![call.clone()], 0.0),
        (vec![boxed.clone(), call], 1.0),
        (vec![boxed.clone(), reasoning], 1.0),
        (vec![boxed.clone(), user.clone()], 1.0),
        (vec![user], 0.0),
        (vec![plain], 1.0),
        (vec![split], 1.0),
        (vec![refusal], 0.0),
        (vec![said(r"\boxed{A}"), boxed.clone()], 1.0),
        (vec![boxed, said("or not")], 0.0),
    ] {
        assert_eq!(scored(&items, "B").await.0, reward, "{items:?}");
    }
}

#[tokio::test]
async fn a_row_that_nothing_can_earn_1_on_is_malformed() {
    let bare = json!({ "responses_create_params": { "input": "?" }, "expected_answer": "B" });
    let number = json!({ "responses_create_params": { "input": "?" }, "expected_answer": 3,
        "task_difficulty_qwen3_32b_avg_8": 0.5 });
    for (row, problem) in [
        (row("a}b"), "no box can hold"),
        (row("a\nb"), "no box can hold"),
        (bare.to_string(), "task_difficulty_qwen3_32b_avg_8"),
        (number.to_string(), "expected_answer"),
    ] {
        let error = Trial::<GoogleSearch>::open("{}", &row).await.err().unwrap().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[tokio::test]
async fn the_library_is_searched_and_read_without_key_and_network() {
    let mut trial = trial(&json!({})).await;
    let found = search_results(&mut trial, "fog horn designed by").await;
    assert_eq!(found["kind"], "customsearch#search");
    assert_eq!(found["queries"]["request"][0]["searchTerms"], "fog horn designed by");
    let first = &found["items"][0];
    assert_eq!(first["title"], "The fog horn of Tern Rock");
    assert_eq!(first["link"], "https://library.example/lighthouses/fog-horn.md");
    assert_eq!(first["displayLink"], "library.example");
    assert!(first["snippet"].as_str().unwrap().contains("fog horn"), "{first}");
    let page = page_content(&mut trial, first["link"].as_str().unwrap()).await;
    assert!(page.starts_with("# The fog horn of Tern Rock\n\nIn the spring of 1904"), "{page}");
    let timetable = "https://library.example/ferries/timetable.html?x=1#winter";
    let page = page_content(&mut trial, timetable).await;
    assert!(page.contains("| Hesse Quay to Ostrel | 35 | 50 | 6 |"), "{page}");
    assert!(!page.contains("Fares"), "menus are no text: {page}");
    assert!(search_results(&mut trial, "zzzzqq").await.get("items").is_none());
    assert!(search_results(&mut trial, "").await.get("items").is_none());
    for url in [
        "https://library.example/",
        "https://library.example/../secret.md",
        "https://library.example/town/museum.html",
        "https://elsewhere.example/town/library.txt",
        "http://127.0.0.1/",
        "file:///etc/passwd",
        "",
        "::::",
    ] {
        assert_eq!(page_content(&mut trial, url).await, "No HTML found", "{url}");
    }
}

#[tokio::test]
async fn malformed_arguments_are_answered_as_by_nemo_gym() {
    let mut trial = trial(&json!({})).await;
    for (tool, arguments, problem) in [
        ("search", r#"{"query":1}"#, "Input should be a valid string"),
        ("search", "{}", "Field required"),
        ("browse", r#"{"url":null}"#, "Input should be a valid string"),
        ("fetch", "{}", "Not Found"),
    ] {
        let answer = trial.call(tool, arguments).await;
        assert!(answer.contains(problem), "{answer}");
    }
    let long = "x".repeat(ARGUMENT_MAX + 1);
    let answer = trial.call("search", &json!({ "query": long }).to_string()).await;
    let expected = json!({ "search_results": "Error: Unexpected error - the query is too long" });
    assert_eq!(answer, expected.to_string());
    assert_eq!(page_content(&mut trial, &format!("http://{long}.example/")).await, NO_PAGE);
}

#[test]
fn settings_that_make_no_sense_say_what_to_do() {
    for (settings, problem) in [
        (json!({ "backend": "google" }), "`settings.google_api_key` is missing"),
        (json!({ "google_api_key": "k" }), "`settings.google_cx` is missing"),
        (json!({ "backend": "searxng" }), "`settings.base_url` is missing"),
        (json!({ "backend": "searxng", "base_url": "ftp://a" }), "neither http nor https"),
        (json!({ "backend": "searxng", "base_url": "http://u:p@a" }), "holds credentials"),
        (json!({ "backend": "searxng", "base_url": "http://a/?api_key=k" }), "holds credentials"),
        (json!({ "backend": "bing" }), "unknown variant `bing`"),
        (json!({ "browse": { "deny": ["http://a"] } }), "neither a host"),
        (json!({ "local": { "folder": "/nowhere" } }), "`/nowhere`: No such file"),
        (json!({ "local": { "base_url": "x" } }), "write `https://host/path/`"),
        (json!({ "search": { "rate": { "requests": 0, "per": "1s" } } }), "nonzero"),
    ] {
        let config = serde_json::from_value(settings.clone()).map_err(|error| error.to_string());
        let built = config.and_then(|config: Config| {
            let built = GoogleSearch::new(config, &Wiring::detached("library"));
            built.map_err(|error| error.to_string())
        });
        let error = built.err().unwrap_or_else(|| panic!("{settings} is accepted"));
        assert!(error.contains(problem), "{settings}: {error}");
    }
}

#[test]
fn a_url_without_a_scheme_is_one_of_http_and_has_no_fragment() {
    for (text, expected) in [
        (" https://a.example/x#y ", Some("https://a.example/x")),
        ("a.example/x", Some("http://a.example/x")),
        ("", None),
        ("http://", None),
        ("http://a b/", None),
    ] {
        assert_eq!(read_url(text).map(String::from).as_deref(), expected, "{text}");
    }
}
