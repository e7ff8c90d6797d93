//! What the model wants run, read from its answer, and what the environment says of it.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

/// A block of mini-swe-agent's format: its fences stand on lines of their own.
static BLOCK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)```bash\s*\n(.*?)\n```").expect("the pattern is well-formed")
});

/// A model's answer.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    /// Its one command, without the spaces around it.
    Command(String),
    /// It has no command, or more than one.
    Malformed { found: usize },
}

impl Reply {
    pub(super) fn parse(text: &str) -> Self {
        let mut blocks = BLOCK.captures_iter(text).map(|block| block[1].trim().to_owned());
        match (blocks.next(), blocks.count()) {
            (Some(command), 0) => Self::Command(command),
            (first, more) => Self::Malformed { found: more + usize::from(first.is_some()) },
        }
    }
}

/// What came of a command.
#[derive(Debug, Deserialize)]
pub(super) struct Ran {
    /// Its exit code; none if it was stopped.
    pub(super) returncode: Option<i64>,
    pub(super) output: String,
    /// Characters that are missing in the middle of `output`.
    #[serde(default)]
    pub(super) dropped_chars: usize,
    /// The patch, if the command handed it in.
    pub(super) submission: Option<String>,
}

impl Ran {
    pub(super) fn parse(answer: &str) -> Option<Self> {
        serde_json::from_str(answer).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_block_is_a_command() {
        let command = |text: &str| Reply::Command(text.to_owned());
        for (text, expected) in [
            ("THOUGHT: a\n\n```bash\nls -la\n```", command("ls -la")),
            ("```bash  \n\n  ls \n\n```\nmore", command("ls")),
            ("```bash\ncat <<'E' > a\n``\nE\n```", command("cat <<'E' > a\n``\nE")),
            ("```bash\nls\n```\n```sh\npwd\n```", command("ls")),
            ("```bash\n\n```", command("")),
            ("ls", Reply::Malformed { found: 0 }),
            ("```\nls\n```", Reply::Malformed { found: 0 }),
            ("```bash ls```", Reply::Malformed { found: 0 }),
            ("```bash\nls```", Reply::Malformed { found: 0 }),
            ("```bash\nls\n```\n```bash\npwd\n```", Reply::Malformed { found: 2 }),
            ("```bash\na\n```\n```bash\nb\n```\n```bash\nc\n```", Reply::Malformed { found: 3 }),
            ("", Reply::Malformed { found: 0 }),
        ] {
            assert_eq!(Reply::parse(text), expected, "{text:?}");
        }
    }
}
