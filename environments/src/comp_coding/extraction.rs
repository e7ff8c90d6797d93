//! Where the program stands in what a model said.

/// The lines between the last two lines that hold three back-ticks, wherever in the line these
/// stand; `None` if there are no two such lines, or nothing between them.
pub(super) fn code(said: &str) -> Option<String> {
    let lines: Vec<&str> = said.split('\n').collect();
    let fences = lines.iter().enumerate().filter(|(_, line)| line.contains("```"));
    let fences: Vec<usize> = fences.map(|(index, _)| index).collect();
    let [.., open, close] = fences[..] else { return None };
    let code = lines[open + 1..close].join("\n");
    (!code.is_empty()).then_some(code)
}

/// Whether text breaks the rules of `reasoning_format_penalty`: what is said to others has no
/// `<think>` tags, the reasoning at most one of each.
pub(super) fn breaks_reasoning_format(said: &str, reasoning: &str) -> bool {
    let tags = ["<think>", "</think>"];
    tags.iter().any(|tag| said.contains(tag) || reasoning.matches(tag).count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_stands_between_the_last_two_fences() {
        for (said, expected) in [
            ("```python\nprint(1)\n```", Some("print(1)")),
            ("```\na\n```\nthen\n```py\nb\nc\n```\ndone", Some("b\nc")),
            ("text ```python\na\r\n  ``` text", Some("a\r")),
            ("```python\nprint(1)", None),
            ("print(1)", None),
            ("```python\n```", None),
            ("```python\n\n```", None),
            ("```python\n\n\n```", Some("\n")),
            ("```python\n \n```", Some(" ")),
            // A stray fence after the program selects the prose between.
            ("```python\na\n```\nso it is\n```", Some("so it is")),
            ("``` ```\na\n````", Some("a")),
            ("one line ```a``` only", None),
        ] {
            assert_eq!(code(said).as_deref(), expected, "{said:?}");
        }
    }

    #[test]
    fn thinking_aloud_breaks_the_format() {
        for (said, reasoning, breaks) in [
            ("code", "plain", false),
            ("code", "<think>once</think>", false),
            ("code", "<think>once</think> <think>", true),
            ("code", "</think></think>", true),
            ("a <think> b", "", true),
            ("a </think> b", "", true),
            ("a <Think> b", "", false),
        ] {
            assert_eq!(breaks_reasoning_format(said, reasoning), breaks, "{said} {reasoning}");
        }
    }
}
