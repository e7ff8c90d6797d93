//! Log-probabilities as vLLM writes them, read quickly and read plainly.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use framework::model::ModelError;
use framework::responses::CreateParams;

use crate::chat_completions::reply::{Reader, Reply};
use crate::chat_completions::tokens::{Found, Generated, Of};
use crate::upstream::Failures;

/// What is found by looking for the log-probabilities that vLLM writes, and without.
fn both(text: &str, of: Of) -> [String; 2] {
    let reader = Reader { model: "m".into(), separate_reasoning: true, tokens: true, of };
    let failures = Failures::new("http://localhost", "m", Vec::new());
    let params = CreateParams::parse(r#"{"input":"?"}"#).unwrap();
    let lists = |generated: &Generated| [generated.ids.json(), generated.log_probs.json()].concat();
    let found = |reply: Result<Reply, ModelError>| match reply {
        Ok(Reply { response, tokens }) => {
            let tokens = match tokens.unwrap() {
                Found::All(tokens) => format!(
                    "{}{}{}",
                    tokens.prompt_token_ids.json(),
                    tokens.generation_token_ids.json(),
                    tokens.generation_log_probs.json()
                ),
                Found::WithoutPrompt(generated) => lists(&generated),
            };
            format!("{tokens} {:?} {:?}", response.incomplete, response.usage)
        }
        Err(error) => error.to_string(),
    };
    [
        found(reader.read(text, &params, &failures)),
        found(reader.read_plainly(text, &params, &failures)),
    ]
}

/// What vLLM writes, and now and then something else.
fn mostly(
    usual: impl Strategy<Value = String> + 'static,
    others: &'static [&'static str],
) -> impl Strategy<Value = String> {
    prop_oneof![60 => usual, 1 => select(others).prop_map(str::to_owned)]
}

prop_compose! {
    fn entry()(
        id in mostly(
            any::<u32>().prop_map(|id| id.to_string()),
            &["007", "+5", "", "x", "4294967296", "1234567890123456", "99999999999999999999", r"\u0035", "5\" "],
        ),
        value in mostly(
            prop_oneof![
                (-20_f64..=0.0).prop_map(|value| format!("{value:?}")),
                any::<f32>().prop_map(|value| format!("{:?}", f64::from(value))),
            ],
            &["null", "1.", "-", "NaN", "-Infinity", "1e39", "-1e400", "-0.5 ", " -0.5", "1E2", "\"1\"", "00", "[1]", "1]",
                "-0.00000000000000000000000000000000000000000001", "0,\"token\":\"x\""],
        ),
        bytes in mostly(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..12)
                    .prop_map(|bytes| serde_json::to_string(&bytes).unwrap()),
                Just("null".to_owned()),
            ],
            &["[007]", "[1,,2]", "[,1]", "[1,]", "[ ]", "[1, 2]", "\"a\"", "[-1]", "[1.5]", "[1", "1]", "[]]",
                "[1234567890123456]", "[123456789012345,01]", "[1,2,3,4,5,6,7,8,9,10,11,12,013]"],
        ),
        last in mostly(
            Just(r#","top_logprobs":[]"#.to_owned()),
            &["", r#","top_logprobs":[{}]"#, r#","top_logprobs":null"#, r#","logprob":1"#, r#", "top_logprobs":[]"#],
        ),
        is_in_order in prop::bool::weighted(0.98),
    ) -> String {
        match is_in_order {
            true => format!(r#"{{"token":"token_id:{id}","logprob":{value},"bytes":{bytes}{last}}}"#),
            false => format!(r#"{{"logprob":{value},"bytes":{bytes},"token":"token_id:{id}"{last}}}"#),
        }
    }
}

prop_compose! {
    fn completion()(
        entries in prop::collection::vec(entry(), 1..12),
        separator in mostly(Just(",".to_owned()), &[", ", ",,", "", " ,", "\n,"]),
        before in mostly(
            Just(String::new()),
            &[r#""logprobs":{"<log-probabilities>":0},"#, r#""logprobs":null,"#, r#""x":"\"logprobs\":{","#],
        ),
        after in mostly(
            select(&["", r#","refusal":null"#, r#","refusal":[]"#][..]).prop_map(str::to_owned),
            &[r#","content":[]"#, r#","tokens":[]"#, ","],
        ),
        rest in mostly(
            Just(String::new()),
            &[r#","logprobs":null"#, r#","token_ids":[5]"#, r#","logprobs":{"content":[{"token":"token_id:5","logprob":0,"bytes":[],"top_logprobs":[]}]}"#],
        ),
        around in mostly(
            Just(r#""choices":[{"#.to_owned()),
            &[r#""choices":[{},{"#, r#""x":[{"#, r#""choices":[{"x":{"y":1},"finish_reason":"abort","#],
        ),
    ) -> String {
        let entries = entries.join(&separator);
        format!(r#"{{{around}{before}"logprobs":{{"content":[{entries}]{after}}},"message":{{"content":"a"}}{rest}}}],"model":"m"}}"#)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn log_probabilities_are_read_the_same_quickly_and_plainly(
        text in completion(),
        of in select(&[Of::Chat, Of::Text][..]),
        at in any::<Index>(),
        mistake in "[\"\\\\{}\\[\\],:0-9.eE \\x00x-]",
    ) {
        let [quick, plain] = both(&text, of);
        prop_assert_eq!(quick, plain, "{}", text);
        let at = at.index(text.len());
        let replaced = [&text[..at], &mistake, &text[at + 1..]].concat();
        let inserted = [&text[..at], &mistake, &text[at..]].concat();
        let removed = [&text[..at], &text[at + 1..]].concat();
        for text in [replaced, inserted, removed, text[..at].to_owned()] {
            let [quick, plain] = both(&text, of);
            prop_assert_eq!(quick, plain, "{}", text);
        }
    }
}
