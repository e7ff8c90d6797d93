//! Reasoning in a text, between `<think>` and `</think>`.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Appends a thought to a text.
pub(super) fn push(text: &mut String, thought: &str) {
    text.extend([OPEN, thought, CLOSE]);
}

/// A text's thoughts in their order, and the text without them. A thought that does not end stays.
pub(super) fn extract(text: &str) -> (Vec<&str>, String) {
    let (mut thoughts, mut rest, mut left) = (Vec::new(), String::new(), text);
    while let Some((before, inside)) = left.split_once(OPEN) {
        let Some((thought, after)) = inside.split_once(CLOSE) else { break };
        rest.push_str(before);
        thoughts.push(thought);
        left = after;
    }
    rest.push_str(left);
    (thoughts, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_are_taken_out_and_the_rest_is_joined() {
        for (text, thoughts, rest) in [
            ("A<think>r</think>B", vec!["r"], "AB"),
            ("<think>a</think> x <think>b\n</think>y", vec!["a", "b\n"], " x y"),
            ("none", vec![], "none"),
            ("", vec![], ""),
            ("<think></think>", vec![""], ""),
            ("<think>open", vec![], "<think>open"),
            ("a</think>b<think>c", vec![], "a</think>b<think>c"),
            ("<think>a<think>b</think>c</think>", vec!["a<think>b"], "c</think>"),
            ("<think>a</think><think>b", vec!["a"], "<think>b"),
        ] {
            assert_eq!(extract(text), (thoughts, rest.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_was_put_in_comes_out() {
        let mut text = String::new();
        push(&mut text, " one\n");
        push(&mut text, "two");
        text.push_str("said");
        assert_eq!(extract(&text), (vec![" one\n", "two"], "said".to_owned()));
    }
}
