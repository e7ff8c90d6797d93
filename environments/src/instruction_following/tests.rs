//! The environment as a whole: rows, answers, grading.

use framework::environment::Trial;
use framework::responses::FunctionCall;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::trials;

/// A row with instructions and their arguments.
fn row(ids: &Value, kwargs: &Value) -> Value {
    json!({
        "responses_create_params": {"input": "?"}, "id": 7, "prompt": "?",
        "instruction_id_list": ids, "kwargs": kwargs
    })
}

/// A title and no commas.
fn titled() -> Value {
    row(&json!(["detectable_format:title", "punctuation:no_comma"]), &json!([null, {}]))
}

fn said(text: &str) -> Item {
    Item::output_message("msg", text)
}

fn item(json: &Value) -> Item {
    Item::parse(&json.to_string()).unwrap()
}

/// The reward and the extras of an output.
async fn scored(settings: &Value, row: &Value, output: Vec<Item>) -> (f64, Value) {
    let trial = Trial::<InstructionFollowing>::open(&settings.to_string(), &row.to_string()).await;
    let mut trial = trial.unwrap();
    for item in output {
        trial.play(item).await;
    }
    let verdict = trial.verify().await.unwrap();
    (verdict.reward.get(), serde_json::to_value(&verdict.extras).unwrap())
}

async fn refused(row: &Value) -> String {
    let trial = Trial::<InstructionFollowing>::open("{}", &row.to_string()).await;
    trial.err().unwrap().to_string()
}

#[tokio::test]
async fn all_instructions_make_1_and_the_list_says_which() {
    for (answer, list) in [
        ("<<Title>>\nNo commas here", [true, true]),
        ("<<Title>>\nOne, two", [true, false]),
        ("No title", [false, true]),
        ("One, two", [false, false]),
    ] {
        let all = list == [true, true];
        let expected = json!({"follow_all_instructions": all, "follow_instruction_list": list});
        let (reward, extras) = scored(&json!({}), &titled(), vec![said(answer)]).await;
        assert_eq!((reward, extras), (f64::from(u8::from(all)), expected), "{answer}");
    }
}

#[tokio::test]
async fn grading_is_the_rows_before_the_settings() {
    let half = || vec![said("<<Title>>, no")];
    let graded = |mode: &str| {
        let mut row = titled();
        row["grading_mode"] = mode.into();
        row
    };
    let fraction = json!({"grading": "fraction"});
    for (settings, row, expected) in [
        (json!({}), titled(), 0.0),
        (json!({"grading": "all"}), titled(), 0.0),
        (fraction.clone(), titled(), 0.5),
        (fraction, graded("binary"), 0.0),
        (json!({}), graded("fraction"), 0.5),
    ] {
        assert_eq!(scored(&settings, &row, half()).await.0, expected, "{settings} {row}");
    }
    let error = refused(&graded("mean")).await;
    assert!(error.contains("`grading_mode` must be `binary` or `fraction`, not `mean`"), "{error}");
}

#[tokio::test]
async fn loose_checking_keeps_the_strict_list_beside() {
    let row = row(&json!(["startend:quotation", "punctuation:no_comma"]), &json!([{}, {}]));
    let answer = || vec![said("Sure, here:\n\"Done\"")];
    let (reward, extras) = scored(&json!({"checking": "loose"}), &row, answer()).await;
    assert_eq!(reward, 1.0);
    assert_eq!(extras["follow_instruction_list"], json!([true, true]));
    assert_eq!(extras["follow_instruction_list_strict"], json!([false, false]));
    let (reward, extras) = scored(&json!({}), &row, answer()).await;
    assert_eq!((reward, extras.get("follow_instruction_list_strict")), (0.0, None));
}

#[tokio::test]
async fn the_answer_is_the_first_part_of_the_last_item() {
    let row = row(&json!(["keywords:existence"]), &json!([{"keywords": ["yes"]}]));
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let message = |content: Value| {
        item(&json!({"type": "message", "role": "assistant", "id": "m", "status": "completed",
            "content": content}))
    };
    let call = Item::function_call(
        "fc",
        FunctionCall { call_id: "call".into(), name: "yes".into(), arguments: "yes".into() },
    );
    let reasoning = json!({"type": "reasoning", "id": "r", "summary": [], "content":
        [{"type": "reasoning_text", "text": "yes"}]});
    for (output, expected) in [
        (vec![said("yes")], 1.0),
        (vec![said("no"), said("yes")], 1.0),
        (vec![said("yes"), said("no")], 0.0),
        (vec![message(json!([part("yes"), part("no")]))], 1.0),
        (vec![message(json!([part("no"), part("yes")]))], 0.0),
        (vec![message(json!("yes"))], 1.0),
        (vec![message(json!([]))], 0.0),
        (vec![message(json!([{"type": "refusal", "refusal": "yes"}]))], 0.0),
        (vec![said("yes"), call], 0.0),
        (vec![said("yes"), item(&reasoning)], 0.0),
        (vec![], 0.0),
    ] {
        let shown = format!("{output:?}");
        assert_eq!(scored(&json!({}), &row, output).await.0, expected, "{shown}");
    }
}

#[tokio::test]
async fn a_blank_answer_follows_nothing_unless_it_is_to_be_checked() {
    let row = row(&json!(["punctuation:no_comma"]), &json!([{}]));
    let check = json!({"blank_answers": "check"});
    for answer in ["", " \n\u{1f}"] {
        assert_eq!(scored(&json!({}), &row, vec![said(answer)]).await.0, 0.0);
        assert_eq!(scored(&check, &row, vec![said(answer)]).await.0, 1.0);
    }
    assert_eq!(scored(&check, &row, vec![]).await.0, 1.0);
}

#[tokio::test]
async fn fields_may_be_in_the_metadata() {
    let params = json!({"input": "?"});
    let metadata = json!({
        "instruction_id_list": ["punctuation:no_comma", "punctuation:punctuation_dot"],
        "kwargs": [null, null], "grading_mode": "fraction"
    });
    let row = json!({
        "responses_create_params": params, "verifier_metadata": metadata, "prompt": "?",
        "instruction_id_list": ["detectable_format:title"], "kwargs": [{}]
    });
    assert_eq!(scored(&json!({}), &row, vec![said("a, b")]).await.0, 0.5);
}

#[tokio::test]
async fn a_malformed_row_says_what_is_wrong_with_which_key() {
    let ids = |ids: Value, kwargs: Value| row(&ids, &kwargs);
    let bare = json!({"responses_create_params": {"input": "?"}, "id": 1});
    for (row, expected) in [
        (bare, "`instruction_id_list`: Field required; `kwargs`: Field required; `prompt`: Field"),
        (ids(json!([]), json!([])), "`instruction_id_list` must not be empty"),
        (
            ids(json!(["punctuation:no_comma", "copy:copy"]), json!([{}])),
            "`instruction_id_list` has 2 entries and `kwargs` 1",
        ),
        (ids(json!(["punctuation:no_comma"]), json!([{}, {}])), "has 1 entries and `kwargs` 2"),
        (
            ids(json!(["punctuation:no_coma"]), json!([{}])),
            "`instruction_id_list[0]`: there is no instruction `punctuation:no_coma`; the nearest \
             is `punctuation:no_comma`",
        ),
        (
            ids(json!(["copy:copy", "keywords:word_once"]), json!([{}, {"keyword": 3}])),
            "`kwargs[0]` of `copy:copy`: `prompt_to_repeat` is missing; `kwargs[1]` of \
             `keywords:word_once`: `keyword` must be text that is not blank, not `3`",
        ),
        (
            ids(json!("copy:copy"), json!([{}])),
            "`instruction_id_list`: Input should be a valid list",
        ),
        (ids(json!([1]), json!([{}])), "`instruction_id_list[0]`: Input should be a valid string"),
        (
            ids(json!(["copy:copy"]), json!(["x"])),
            "`kwargs[0]`: Input should be a valid dictionary",
        ),
        (ids(json!(["copy:copy"]), json!({})), "`kwargs`: Input should be a valid list"),
    ] {
        let error = refused(&row).await;
        assert!(error.contains(expected), "{row}: {error}");
    }
}

#[tokio::test]
async fn a_search_that_would_take_for_ever_is_a_failure_and_no_reward() {
    let row =
        row(&json!(["keywords:existence"]), &json!([{"keywords": [r"(?=(a+)+$)(a|aa)+\1b"]}]));
    let mut trial = Trial::<InstructionFollowing>::open("{}", &row.to_string()).await.unwrap();
    trial.play(said(&"a".repeat(5000))).await;
    let error = trial.verify().await.unwrap_err();
    assert!(!error.is_retryable());
    assert!(error.to_string().contains("takes too many steps"), "{error}");
}

#[tokio::test]
async fn tasks_of_nemo_gym_are_well_formed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/conformance");
    let Ok(rows) = std::fs::read_to_string(format!("{folder}/instruction_following/tasks.jsonl"))
    else {
        println!("skipped: there are no tasks of instruction_following");
        return;
    };
    for row in rows.lines() {
        let trial = Trial::<InstructionFollowing>::open("{}", row).await;
        assert!(trial.is_ok(), "{:?}", trial.err());
    }
}

#[tokio::test]
async fn unknown_settings_are_refused() {
    for settings in ["{\"grade\": \"all\"}", "{\"grading\": \"most\"}", "{\"checking\": 1}"] {
        let trial = Trial::<InstructionFollowing>::open(settings, &titled().to_string()).await;
        assert!(trial.is_err(), "{settings}");
    }
}

#[tokio::test]
async fn the_gold_answers_earn_1_and_silence_earns_less() {
    trials::gold_answers_earn_1::<InstructionFollowing>().await;
    trials::silence_earns_less::<InstructionFollowing>().await;
}

/// Every instruction with arguments that it takes; expressions of all kinds among them.
fn every_instruction() -> Vec<instruction::Instruction> {
    let sets = [
        json!({}),
        json!({"keywords": ["a", "b.c", r"(?<=x)y\b"]}),
        json!({"keyword": "a", "frequency": 2, "relation": "at least"}),
        json!({"keyword": "a+b"}),
        json!({"keyword1": "a", "keyword2": "."}),
        json!({"forbidden_words": ["a", "b|c"]}),
        json!({"letter": "a", "let_frequency": 2, "let_relation": "less than"}),
        json!({"N": 3, "relation": "at least"}),
        json!({"keyword": "a", "n": 2, "m": 2}),
        json!({"language": "en"}),
        json!({"num_sentences": 2, "relation": "at least"}),
        json!({"num_paragraphs": 2}),
        json!({"num_words": 5, "relation": "less than"}),
        json!({"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "a"}),
        json!({"num_placeholders": 1}),
        json!({"postscript_marker": "P.S"}),
        json!({"num_bullets": 1}),
        json!({"num_highlights": 1}),
        json!({"section_spliter": "S.*n", "num_sections": 1}),
        json!({"prompt_to_repeat": "Ab c"}),
        json!({"prompt_to_repeat": "Ab c", "N": 2}),
        json!({"prompt_to_repeat": "Ab c", "n_start": 0, "n_end": 2}),
        json!({"phrase": "a b c", "small_n": 2}),
        json!({"end_phrase": "a"}),
        json!({"capital_frequency": 1, "capital_relation": "at least"}),
        json!({"first_word": "a"}),
        json!({"last_word": "a"}),
        json!({"N": 3}),
        json!({"n_sent": 1, "n_words": 2}),
    ];
    let ids = instruction::ids();
    let build = |id: &'static str| {
        let built = sets.iter().find_map(|set| instruction::trials::instruction(id, set).ok());
        built.unwrap_or_else(|| panic!("no arguments fit `{id}`"))
    };
    ids.map(build).collect()
}

/// Texts that are long in a way that some rule might not like.
fn hostile() -> impl Strategy<Value = String> {
    let unit = prop_oneof![
        prop::sample::select(vec![
            "a", ".", "!", "?.", ". ", "a. ", "\n", "\n\n", "*", "***", "******", "[", "]", "<<",
            ">>", "-", "--", "\"", "'", "''", "`", "“", "”", "(", ")", "{", ",", ":", "$", "1",
            "1.", "é", "ह", "你", "\u{1f}", "\u{a0}", " ", "\t", "A", "AB ", "don't ", "can",
            "cannot ", "Mr.", "U.S.", "Ph.D.", "http://", "a@b.c", "S 1", "[[", "```json", "\\",
            "<stop>", "<prd>", "...", ". . ", "a-b", "'tis ", "\r\n", "ſ", "İ", "\u{301}", "p.s.",
            "𝒳",
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ];
    prop::collection::vec(unit, 1..6).prop_map(|units| units.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_text_gets_a_verdict(units in prop::collection::vec(hostile(), 0..12)) {
        let text = units.concat();
        for instruction in every_instruction() {
            prop_assert!(instruction.is_followed(&text).is_ok(), "{instruction:?}");
            prop_assert!(instruction.is_followed_loosely(&text).is_ok(), "{instruction:?}");
        }
    }

    #[test]
    fn what_is_followed_strictly_is_followed_loosely(unit in hostile()) {
        for instruction in every_instruction() {
            let is_blank = text::trim(&unit).is_empty();
            let strict = instruction.is_followed(&unit).unwrap();
            let loose = instruction.is_followed_loosely(&unit).unwrap();
            prop_assert!(is_blank || loose || !strict, "{instruction:?}");
        }
    }
}

/// Whatever a rule might stumble over when there is much of it.
const UNITS: [&str; 28] = [
    "a",
    ".",
    "!",
    "a. ",
    ". . ",
    "\n",
    "*",
    "* ",
    "[",
    "<<",
    "-",
    "\"",
    "'",
    "`",
    "(",
    " ",
    "A",
    "Mr. ",
    "a@",
    "http://",
    "S1",
    "you can't ",
    "ह",
    "\u{1f}",
    "```json",
    "\\n",
    "p.",
    "a b ",
];

fn all_decide(text: &str, instructions: &[instruction::Instruction]) {
    for instruction in instructions {
        // Giving up would be an answer too, but no rule here has an expression that needs it.
        assert!(instruction.is_followed(text).is_ok(), "{instruction:?} of {} bytes", text.len());
    }
}

#[test]
fn much_of_anything_gets_a_verdict() {
    let instructions = every_instruction();
    for unit in UNITS {
        all_decide(&unit.repeat((16 << 10) / unit.len()), &instructions);
    }
}

/// Long enough that quadratic work would take hours.
#[test]
fn a_mebibyte_gets_a_verdict() {
    let share = (1 << 20) / UNITS.len();
    let text: String = UNITS.iter().map(|unit| unit.repeat(share / unit.len())).collect();
    all_decide(&text, &every_instruction());
}
