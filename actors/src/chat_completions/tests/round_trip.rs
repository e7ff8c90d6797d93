//! Items, as a message, as a completion, are the same items: a record that is replayed says what it
//! said.

use proptest::prelude::*;

use super::*;

/// What the model made in one turn: thoughts, words, calls, ids.
#[derive(Clone, Debug)]
struct Turn {
    thoughts: Vec<String>,
    text: Option<String>,
    calls: Vec<(String, String, String)>,
    tokens: bool,
    unknown: bool,
}

fn turns(thoughts_max: usize) -> impl Strategy<Value = Turn> {
    // Whitespace, quotes, escapes and other scripts, but no tags.
    let text = || "[a-z \n\t\"\\\\é😀{}/\u{2028}]{1,24}";
    let calls = proptest::collection::vec(("[a-z0-9_]{1,8}", "[a-z_]{1,8}", text()), 0..3);
    let thoughts = proptest::collection::vec(text(), 0..=thoughts_max);
    (thoughts, proptest::option::of(text()), calls, any::<bool>(), any::<bool>())
        .prop_map(|(thoughts, text, calls, tokens, unknown)| Turn {
            thoughts,
            text,
            calls,
            tokens,
            unknown,
        })
        .prop_filter("a turn says something", |turn| {
            !turn.thoughts.is_empty() || turn.text.is_some() || !turn.calls.is_empty()
        })
}

impl Turn {
    fn items(&self) -> Value {
        let mut items = Vec::new();
        if !self.thoughts.is_empty() {
            let thoughts: Vec<&str> = self.thoughts.iter().map(String::as_str).collect();
            items.push(with_id(reasoning(&thoughts)));
        }
        items.extend(self.text.iter().map(|text| with_id(message(text))));
        items.extend(self.calls.iter().map(|(id, name, arguments)| call(id, name, arguments)));
        if self.unknown {
            items[0]["unknown"] = json!({ "a": [1, "b"] });
        }
        if self.tokens {
            let last = items.last_mut().unwrap();
            last["prompt_token_ids"] = json!([1, 2, 3]);
            last["generation_token_ids"] = json!([4, 5, 6]);
            last["generation_log_probs"] = json!([-7.0, -0.25, 0.0]);
        }
        Value::Array(items)
    }
}

/// Sends items, and has the endpoint answer with the very message that they became.
fn there_and_back(settings: &Value, items: &Value) -> Value {
    let mut messages = messages_of(settings, items);
    assert_eq!(messages.as_array().unwrap().len(), 1);
    let said = completion(messages[0].take());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(answer(settings, &said)).unwrap()["output"].take()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_turn_comes_back_with_its_thought_in_a_field(turn in turns(1)) {
        let settings = json!({ "return_token_id_information": turn.tokens });
        let items = turn.items();
        prop_assert_eq!(plain(&there_and_back(&settings, &items)), plain(&items));
    }

    #[test]
    fn a_turn_comes_back_with_its_thoughts_in_the_text(turn in turns(3)) {
        let settings = json!({
            "return_token_id_information": turn.tokens,
            "preserve_reasoning_in_assistant_content": true,
        });
        let items = turn.items();
        prop_assert_eq!(plain(&there_and_back(&settings, &items)), plain(&items));
    }
}
