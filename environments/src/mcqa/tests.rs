//! Every row of the rules' tables, and what no text may do to them.

use framework::environment::Trial;
use framework::responses::Item;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::trials;

const FIRST: &str = r#"{"boxes":"first"}"#;
const LAST: &str = "{}";
const LABELLED: &str = r#"{"boxes":"last_labelled"}"#;
const MARKDOWN: &str = r#"{"grading_mode":"lenient_answer_colon_md"}"#;

/// A row with these keys beside the prompt.
fn row(target: &Value) -> String {
    let mut row = target.clone();
    row["responses_create_params"] = json!({ "input": "?" });
    row.to_string()
}

/// The options of the tables.
fn shapes(mode: &str) -> Value {
    let options = json!([{"A": "Circle"}, {"B": "Square"}, {"C": "Red square"}, {"D": "d"}]);
    json!({ "options": options, "expected_answer": "B", "grading_mode": mode })
}

async fn verdict(settings: &str, target: &Value, texts: &[&str]) -> (f64, Value) {
    let mut trial = Trial::<Mcqa>::open(settings, &row(target)).await.unwrap();
    for text in texts {
        trial.play(Item::output_message("m", text)).await;
    }
    let verdict = trial.verify().await.unwrap();
    let extracted = verdict.extras.get("extracted_answer").unwrap().get();
    (verdict.reward.get(), serde_json::from_str(extracted).unwrap())
}

/// What is extracted from one message; the reward must follow from it.
async fn extracted(settings: &str, target: &Value, text: &str) -> Option<String> {
    let (reward, extracted) = verdict(settings, target, &[text]).await;
    let extracted = extracted.as_str().map(str::to_owned);
    let gold = target["expected_answer"].as_str().unwrap().trim().to_uppercase();
    assert_eq!(reward == 1.0, extracted.as_deref() == Some(&*gold), "{text}");
    extracted
}

async fn table(settings: &str, target: &Value, rows: &[(&str, Option<&str>)]) {
    for (text, expected) in rows {
        let found = extracted(settings, target, text).await;
        assert_eq!(found.as_deref(), *expected, "{settings}: {text:?}");
    }
}

const STRICT: &str = "strict_single_letter_boxed";

#[tokio::test]
async fn strict_boxes_as_at_first() {
    let rows = [
        (r"\boxed{B}", Some("B")),
        (r"\boxed{ [B] }", Some("B")),
        (r"\boxed{(B)}", Some("B")),
        (r"\boxed{B.}", Some("B")),
        (r"\boxed{{B}}", Some("B")),
        (r"\boxed{$B$}", Some("B")),
        (r"\boxed{ 1) B }", Some("B")),
        (r"\boxed{éB}", Some("B")),
        ("\\boxed{\nB\n}", Some("B")),
        (r"\boxed{b}", None),
        (r"\boxed{\text{B}}", None),
        (r"\boxed{\mathbf{B}}", None),
        (r"\boxed{B: Square}", None),
        (r"\boxed{AB}", None),
        (r"\boxed{A, B}", None),
        (r"\boxed {B}", None),
        (r"\boxed{B", None),
        (r"\boxed{}  {B}", Some("B")),
        (r"\boxed{12} = {B}", Some("B")),
        (r"\boxed{3} (B) }", Some("B")),
        (r"\boxed{3} text \boxed{B}", Some("B")),
        (r"\boxed{Z} then \boxed{B}", None),
        (r"\boxed{A} then \boxed{B}", Some("A")),
        (r"<think>\boxed{A}</think>\boxed{B}", Some("A")),
        ("The answer is B.", None),
        ("", None),
    ];
    table(FIRST, &shapes(STRICT), &rows).await;
}

#[tokio::test]
async fn strict_boxes_as_now() {
    let rows = [
        (r"\boxed{B}", Some("B")),
        (r"\boxed{ [B] }", Some("B")),
        (r"\boxed{(B)}", Some("B")),
        (r"\boxed{B.}", Some("B")),
        (r"\boxed{{B}}", Some("B")),
        (r"\boxed{$B$}", Some("B")),
        (r"\boxed{ 1) B }", Some("B")),
        (r"\boxed{éB}", Some("B")),
        ("\\boxed{\nB\n}", Some("B")),
        (r"\boxed{b}", None),
        (r"\boxed{\text{B}}", Some("B")),
        (r"\boxed{\text{\text{ B }}}", Some("B")),
        (r"\boxed{\mathbf{B}}", None),
        (r"\boxed{(B) Square}", None),
        (r"\boxed{A polygenic one}", None),
        (r"\boxed{AB}", None),
        (r"\boxed{A, B}", None),
        (r"\boxed {B}", None),
        (r"\boxed{B", None),
        (r"\boxed{A} and \boxed{B", None),
        (r"\boxed{}  {B}", None),
        (r"\boxed{12} = {B}", None),
        (r"\boxed{3} text \boxed{B}", Some("B")),
        (r"\boxed{Z} then \boxed{B}", Some("B")),
        (r"\boxed{B} then \boxed{Z}", None),
        (r"\boxed{A} then \boxed{B}", Some("B")),
        (r"\boxed{C} … \boxed{D}", Some("D")),
        (r"Thinking: \boxed{\text{some idea}}. Final answer: \boxed{B}", Some("B")),
        (r"<think>\boxed{A}</think>\boxed{B}", Some("B")),
    ];
    table(LAST, &shapes(STRICT), &rows).await;
    table(LABELLED, &shapes(STRICT), &rows).await;
}

#[tokio::test]
async fn a_label_beside_the_letter_counts_where_the_settings_say_so() {
    for text in [
        r"\boxed{B: Square}",
        r"\boxed{B: \text{Square}}",
        r"\boxed{\text{B: Square}}",
        r"\boxed{B - x}",
        r"\boxed{B) Square}",
        "\\boxed{\nB. Square\n}",
    ] {
        table(LABELLED, &shapes(STRICT), &[(text, Some("B"))]).await;
        table(LAST, &shapes(STRICT), &[(text, None)]).await;
        table(FIRST, &shapes(STRICT), &[(text, None)]).await;
    }
    let ten: Vec<_> = ('A'..='J').map(|letter| json!({ letter.to_string(): "x" })).collect();
    let target = json!({ "options": ten, "expected_answer": "E" });
    let rows = [
        (r"\boxed{\text{E}}", Some("E")),
        (r"\boxed{\text{I: the ninth}}", Some("I")),
        (r"\boxed{E: \text{the fifth}}", Some("E")),
    ];
    table(LABELLED, &target, &rows).await;
}

#[tokio::test]
async fn lenient_boxes() {
    let target = shapes("lenient_boxed");
    let both = [
        (r"\boxed{Square}", Some("B")),
        (r"\boxed{red  SQUARE}", None),
        (r"\boxed{\text{Circle}}", Some("A")),
        (r"\boxed{Circle or Square}", None),
        (r"\boxed{and}", Some("D")),
        (r"\boxed{B}", Some("B")),
        (r"\boxed{", None),
        ("Square", None),
    ];
    table(FIRST, &target, &both).await;
    table(LAST, &target, &both).await;
    let at_first = [(r"\boxed{no} \boxed{Square}", None), (r"\boxed{B: Circle}", Some("A"))];
    table(FIRST, &target, &at_first).await;
    let now = [(r"\boxed{no} \boxed{Square}", Some("B")), (r"\boxed{B: Circle}", Some("A"))];
    table(LAST, &target, &now).await;
    table(LABELLED, &target, &[(r"\boxed{B: Circle}", Some("B"))]).await;
    let blank = json!({ "options": [{"A": ""}, {"B": " "}], "expected_answer": "B",
        "grading_mode": "lenient_boxed" });
    table(LAST, &blank, &[(r"\boxed{}", None), (r"\boxed{ x }", None)]).await;
}

#[tokio::test]
async fn lenient_answers_after_a_colon() {
    let rows = [
        ("Answer: B", Some("B")),
        ("answer : b", Some("B")),
        ("FINAL ANSWER:B", Some("B")),
        ("Answer:\n\nB", Some("B")),
        (r"Answer: \text{\text{B}}", Some("B")),
        ("Answer: Square", Some("B")),
        (r"Answer: \text{ Square }", Some("B")),
        ("Answer: B \nfoo", Some("B")),
        ("Answer:   red   Square", Some("C")),
        ("Answer: B.", None),
        ("Answer: (B)", None),
        ("**Answer:** B", None),
        ("**Answer: B**", None),
        (r"Answer: \boxed{B}", None),
        ("Answer: Z", None),
        ("answers: B", None),
        ("Answer：B", None),
        ("Answer: \\text{B} \nx", None),
        ("Answer: A\nAnswer: B", Some("A")),
    ];
    table(LAST, &shapes("lenient_answer_colon"), &rows).await;
    table(FIRST, &shapes("lenient_answer_colon"), &rows).await;
}

#[tokio::test]
async fn lenient_answers_in_markdown() {
    let rows = [
        ("**Answer:** B", Some("B")),
        ("__Answer__: A", Some("A")),
        ("Answer: (B)", Some("B")),
        (r"Answer: \boxed{B}", Some("B")),
        ("Answer: B/C", None),
        ("Answer: b or c", None),
        ("Answer: B/B", Some("B")),
        ("Answer: A. B", Some("A")),
        ("Answer: B2", None),
        ("Answer: a circle", Some("A")),
        ("Answer: Z\nAnswer: C", Some("C")),
        ("Answer: C\nAnswer: Z", Some("C")),
        ("Answer: Ｂ", Some("B")),
        ("Answer: ب", Some("B")),
        ("Answer: A Answer: B", Some("A")),
        (r"\boxed{\text{Answer: D}}", Some("D")),
        ("Answer: B because C is not valid", Some("B")),
        ("Answer: $D$", Some("D")),
        ("Answer: unknown", None),
        ("Answer: G", None),
        ("Answer: B\nAnswer: A/B/C", Some("B")),
        ("Answer: A B", None),
        ("Answer: A ,B", None),
        ("no answer", None),
    ];
    table(MARKDOWN, &shapes(STRICT), &rows).await;
}

#[tokio::test]
async fn the_configured_mode_beats_the_rows_and_null_leaves_it() {
    let target = shapes("lenient_answer_colon");
    let null = r#"{"grading_mode":null}"#;
    assert_eq!(extracted(null, &target, "Answer: B").await.as_deref(), Some("B"));
    let strict = r#"{"grading_mode":"strict_single_letter_boxed"}"#;
    assert_eq!(extracted(strict, &target, "Answer: B").await, None);
}

#[tokio::test]
async fn messages_are_joined_by_newlines_and_only_the_assistants_count() {
    let boxed = verdict(LAST, &shapes(STRICT), &[r"\boxed{", "B}"]).await;
    assert_eq!(boxed, (1.0, json!("B")));
    let colon = verdict(LAST, &shapes("lenient_answer_colon"), &["Answer: B", "foo"]).await;
    assert_eq!(colon, (1.0, json!("B")));
    let mut trial = Trial::<Mcqa>::open("{}", &row(&shapes(STRICT))).await.unwrap();
    let user = r#"{"role":"user","content":"\\boxed{B}"}"#;
    trial.play(Item::parse(user).unwrap()).await;
    assert_eq!(trial.verify().await.unwrap().reward, Reward::ZERO);
}

#[tokio::test]
async fn which_keys_of_the_options_count() {
    let boxed = r"\boxed{B}";
    let both = json!({ "options": [{"A": "x", "B": "y"}], "expected_answer": "B" });
    assert_eq!(extracted(FIRST, &both, boxed).await, None);
    assert_eq!(extracted(LAST, &both, boxed).await.as_deref(), Some("B"));
    let small = json!({ "options": [{"b": "x"}, {"note": "n"}], "expected_answer": " b " });
    assert_eq!(extracted(LAST, &small, boxed).await.as_deref(), Some("B"));
    let null = json!({ "options": [{"A": null}, {"B": "b"}], "expected_answer": "B" });
    assert_eq!(extracted(LAST, &null, r"\boxed{A}").await, None);
}

/// A row whose template has these patterns.
fn template(options: &[&str], regex: &Value) -> Value {
    let option = |text: &&str| json!({ (text.to_uppercase()): format!("opt{text}") });
    let options: Vec<_> = options.iter().map(option).collect();
    json!({ "options": options, "expected_answer": "B", "template_metadata": { "output_regex": regex } })
}

#[tokio::test]
async fn the_rows_own_pattern_comes_first() {
    for (regex, text, expected) in [
        (r"Option Selected:\s*([A-Za-z])", "Option Selected: B", Some("B")),
        (r"ANSWER IS\s*([A-Za-z])", "ANSWER IS b", Some("B")),
        (r"Answer:\s*([A-Za-z])", "Maybe Answer: A? Let me reconsider. Final Answer: B", Some("B")),
        (r"Final Choice:\s*([A-Za-z])\s*", r"\boxed{A} Final Choice: B", Some("B")),
        ("([", r"\boxed{B}", Some("B")),
        (r"Answer\s*:\s*(?!Answer)\s*([A-Za-z])\s*", "Answer: Answer: B", Some("A")),
        (r"Answer\s*:\s*(?!Answer)\s*([A-Za-z])\s*", "Answer: Because...", Some("B")),
        (r"\\boxed\{\s*([A-Za-z])\s*\}", r"Answer: \boxed{{B}}", Some("B")),
        (r"\\boxed\{\s*([A-Za-z])\s*\}", r"Answer: \boxed{b}", Some("B")),
        (r"is ([^.]*)\.", "It is optA. It is  optB .", Some("B")),
        (r"is (.*)$", "It is z\n", Some("Z")),
        (r"is (\d)", r"is 7 \boxed{B}", Some("B")),
        ("choose [ab]", "I choose a, I choose b", None),
        (r"is (\w)", "is ب", Some("B")),
        ("", r"\boxed{B}", Some("B")),
        (r"(?<=: )b", "x: B", Some("B")),
        (r"x(\w)?", "xB x", None),
    ] {
        let target = template(&["a", "b"], &json!(regex));
        let found = extracted(LAST, &target, text).await;
        assert_eq!(found.as_deref(), expected, "{regex} on {text:?}");
    }
}

#[tokio::test]
async fn a_letter_that_a_pattern_captures_needs_no_option() {
    let target = template(&[], &json!(r"Selected:\s*([A-Za-z])"));
    assert_eq!(extracted(LAST, &target, "Selected: B").await.as_deref(), Some("B"));
    assert_eq!(extracted(LAST, &target, r"\boxed{B}").await, None);
}

#[tokio::test]
async fn patterns_of_a_list_are_tried_in_order() {
    let target = template(&["a", "b"], &json!([r"first (\w)\b", "([", r"second (\w)\b"]));
    for (text, expected) in [
        ("second A first B", Some("B")),
        ("second B", Some("B")),
        ("first 1 second A", Some("A")),
        (r"\boxed{B}", Some("B")),
    ] {
        assert_eq!(extracted(LAST, &target, text).await.as_deref(), expected, "{text}");
    }
}

#[tokio::test]
async fn rows_that_can_earn_nothing_are_malformed() {
    let options = json!([{"A": "a"}, {"B": "b"}]);
    for (target, expected) in [
        (json!({ "options": options }), "`expected_answer`"),
        (json!({ "options": options, "expected_answer": " \n" }), "must not be empty"),
        (json!({ "options": options, "expected_answer": "C" }), "none of the options (A, B)"),
        (json!({ "expected_answer": "A" }), "none of the options ()"),
        (json!({ "options": [{"A": null}], "expected_answer": "A" }), "none of the options ()"),
        (json!({ "options": [{"A": 1}], "expected_answer": "A" }), "options"),
        (json!({ "options": {"A": "a"}, "expected_answer": "A" }), "options"),
        (json!({ "options": options, "expected_answer": 5 }), "expected_answer"),
        (
            json!({ "options": options, "expected_answer": "A", "grading_mode": "lax" }),
            "grading_mode",
        ),
        (
            json!({ "options": options, "expected_answer": "A",
                "grading_mode": "lenient_answer_colon_md" }),
            "set it in the environment's `settings`",
        ),
        (
            json!({ "options": options, "expected_answer": "A", "template_metadata": [] }),
            "template_metadata",
        ),
        (template(&["b"], &json!(5)), "a regular expression or a list of them"),
        (template(&["b"], &json!([5])), "string"),
        (template(&["b"], &json!("(a)(b)")), "`(a)(b)` has 2 groups"),
        (template(&["b"], &json!(r"\N{DIGIT ONE}")), "cannot be run here"),
        (template(&["b"], &json!(vec!["b"; 101])), "101 patterns, and there may be 100"),
        (
            template(&["b"], &json!("(a)(b)".repeat(50))),
            "`(a)(b)(a)(b)(a)(b)(a)(b)(a)(b)(a)(b)(a)(b)(a)(b)(a)(b)(a)(b)…` has 100",
        ),
    ] {
        let error = Trial::<Mcqa>::open("{}", &row(&target)).await.err().unwrap().to_string();
        assert!(error.contains(expected), "{target}: {error}");
    }
}

#[tokio::test]
async fn a_pattern_without_end_fails_the_verification_and_scores_nothing() {
    let target = template(&["a", "b"], &json!(r"(?=((?:a|aa)+)$)\1(?:x|y(?=z))b"));
    let mut trial = Trial::<Mcqa>::open("{}", &row(&target)).await.unwrap();
    let text = "a".repeat(60) + "!";
    trial.play(Item::output_message("m", &text)).await;
    let error = trial.verify().await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("too many steps"), "{error}");
}

#[tokio::test]
async fn a_mebibyte_of_anything_is_graded() {
    let modes = [STRICT, "lenient_boxed", "lenient_answer_colon"];
    for unit in [
        "\\boxed{",
        "\\boxed{{}",
        "Answer: A/",
        "Answer:",
        "**",
        "\\text{",
        " ",
        "A ",
        "é",
        "\\boxed{A}",
    ] {
        let text = unit.repeat((1 << 20) / unit.len());
        for mode in modes {
            extracted(LAST, &shapes(mode), &text).await;
            extracted(FIRST, &shapes(mode), &text).await;
        }
        extracted(MARKDOWN, &shapes(STRICT), &text).await;
        let regex = json!(r"Answer\s*:\s*(?!Answer)\s*([A-Za-z])\s*");
        extracted(LAST, &template(&["a", "b"], &regex), &text).await;
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_verifier_panic_and_what_it_finds_is_an_option(
        text in r#"(\\boxed|\{|\}|\\text|Answer|:|\*|[ABCDZabz]|/| or |Square|\n|ب|.){0,40}"#,
    ) {
        let question: Row = serde_json::from_value(shapes(STRICT)).unwrap();
        let question = Question::try_from(question).unwrap();
        for mode in [
            GradingMode::StrictSingleLetterBoxed,
            GradingMode::LenientBoxed,
            GradingMode::LenientAnswerColon,
            GradingMode::LenientAnswerColonMd,
        ] {
            for boxes in [Boxes::Last, Boxes::LastLabelled, Boxes::First] {
                let found = question.choice(strip(&text), mode, boxes).unwrap();
                prop_assert!(found.is_none_or(|letter| "ABCD".contains(&letter)));
            }
        }
    }
}

#[tokio::test]
async fn gold_answers_earn_1_and_silence_less() {
    trials::gold_answers_earn_1::<Mcqa>().await;
    trials::silence_earns_less::<Mcqa>().await;
}
