//! Where one model call ends and the next begins in a list of items.
//!
//! A model keeps nothing between calls, so whoever answers by script or by record reads from the
//! conversation how far it has got: a retried call then gets the same answer. Two calls with nothing
//! from outside between them look like one; no loop makes such a history, except after output that
//! was neither a message nor a call.

use framework::responses::{Item, ItemKind, Role};

/// Items of hosted tools that do not come from the model.
const HOSTED_INPUTS: [&str; 5] = [
    "computer_call_output",
    "custom_tool_call_output",
    "item_reference",
    "local_shell_call_output",
    "mcp_approval_response",
];

/// Whether a model wrote the item: its words, its reasoning, its calls.
pub(crate) fn is_made_by_model(item: &Item) -> bool {
    match item.kind() {
        ItemKind::Message(role) => *role == Role::Assistant,
        ItemKind::FunctionCall(_) | ItemKind::Reasoning => true,
        ItemKind::FunctionCallOutput => false,
        ItemKind::Hosted => {
            let tag: Option<String> = item.field("type");
            !tag.is_some_and(|tag| HOSTED_INPUTS.contains(&tag.as_str()))
        }
    }
}

/// Cuts items into model calls: each is a run of items that the model made.
pub(crate) fn calls(items: &[Item]) -> impl Iterator<Item = &[Item]> {
    let same_call = |left: &Item, right: &Item| is_made_by_model(left) == is_made_by_model(right);
    items.chunk_by(same_call).filter(|run| is_made_by_model(&run[0]))
}

#[cfg(test)]
mod tests {
    use framework::responses::FunctionCall;

    use super::*;

    fn call(id: &str) -> Item {
        let call = FunctionCall { call_id: id.into(), name: "f".into(), arguments: "{}".into() };
        Item::function_call(id, call)
    }

    #[test]
    fn parallel_calls_belong_to_one_model_call() {
        let output = |id| Item::function_call_output(id, "{}");
        let said = Item::output_message("m", "done");
        let items = [call("a"), call("b"), output("a"), output("b"), call("c"), output("c"), said];
        let lengths: Vec<_> = calls(&items).map(<[Item]>::len).collect();
        assert_eq!(lengths, [2, 1, 1]);
    }

    #[test]
    fn reasoning_and_hosted_calls_are_the_models_their_outputs_are_not() {
        let parse = |text| Item::parse(text).unwrap();
        let items = [
            parse(r#"{"type":"reasoning","id":"r","summary":[]}"#),
            parse(r#"{"type":"computer_call","id":"c"}"#),
            parse(r#"{"type":"computer_call_output","id":"o"}"#),
            Item::message(Role::User, "go on"),
        ];
        assert_eq!(calls(&items).map(<[Item]>::len).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn nothing_holds_no_call() {
        assert_eq!(calls(&[]).count(), 0);
    }
}
