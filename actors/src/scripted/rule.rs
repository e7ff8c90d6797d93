//! One rule of a script: when it holds.

use framework::config::TimeSpan;

use super::conversation::Conversation;
use super::pattern::{Pattern, Place};
use super::reply::Reply;
use super::template::{Captures, Templates};
use super::{Problems, RuleConfig, When};

/// A rule, ready to be tried.
#[derive(Debug)]
pub(super) struct Rule {
    step: Option<usize>,
    after: Option<Box<str>>,
    has_output: bool,
    patterns: Vec<Pattern>,
    /// What it replies.
    pub(super) reply: Reply,
    /// How long the reply takes, if the rule says.
    pub(super) latency: Option<TimeSpan>,
}

impl Rule {
    /// Compiles a rule; `path` names it in errors.
    pub(super) fn new(
        path: &str,
        config: &RuleConfig,
        templates: &mut Templates,
        problems: &mut Problems,
    ) -> Self {
        let When { step, after, output, user, prompt } = &config.when;
        let sources = [
            ("output", Place::Output, output),
            ("user", Place::User, user),
            ("prompt", Place::Prompt, prompt),
        ];
        let mut patterns: Vec<Pattern> = vec![];
        for (name, place, source) in sources {
            let Some(source) = source else { continue };
            let path = format!("{path}.when.{name}");
            let pattern = Pattern::new(&path, place, source, problems);
            refuse_same_name(&path, &patterns, pattern.as_ref(), problems);
            patterns.extend(pattern);
        }
        Self {
            step: *step,
            after: after.as_deref().map(Box::from),
            has_output: output.is_some(),
            patterns,
            reply: Reply::new(path, config, templates, problems),
            latency: config.latency,
        }
    }

    /// The named groups of its regular expressions, if it holds. What costs little is asked first.
    pub(super) fn holds(&self, conversation: &Conversation<'_>) -> Option<Captures> {
        let step_differs = self.step.is_some_and(|step| step != conversation.step());
        let output_is_absent = self.has_output && !conversation.has_output();
        if step_differs || output_is_absent {
            return None;
        }
        if self.after.is_some() && self.after.as_deref() != conversation.after() {
            return None;
        }
        let mut captures = Captures::new();
        let all = self.patterns.iter().all(|pattern| pattern.find(conversation, &mut captures));
        all.then_some(captures)
    }
}

/// `captures.name` would be one of two texts.
fn refuse_same_name(
    path: &str,
    earlier: &[Pattern],
    pattern: Option<&Pattern>,
    problems: &mut Problems,
) {
    for name in pattern.iter().flat_map(|pattern| pattern.names()) {
        let is_taken = earlier.iter().flat_map(Pattern::names).any(|taken| taken == name);
        if is_taken {
            problems.add(path, format!("another regular expression has a group `{name}` as well"));
        }
    }
}
