//! One rule of a script: when it holds for a conversation, and which reply it then gives.

use framework::config::TimeSpan;

use super::conversation::Conversation;
use super::pattern::Pattern;
use super::reply::Reply;
use super::template::{Captures, Templates};
use super::{Problems, RuleConfig, When};

/// A rule, ready to be tried.
#[derive(Debug)]
pub(super) struct Rule {
    step: Option<usize>,
    after: Option<Box<str>>,
    has_output: bool,
    patterns: Vec<(Place, Pattern)>,
    /// What it replies.
    pub(super) reply: Reply,
    /// How long the reply takes, if the rule says.
    pub(super) latency: Option<TimeSpan>,
}

/// A text of the conversation that a condition looks at.
#[derive(Clone, Copy, Debug)]
enum Place {
    User,
    Prompt,
    Output,
}

impl Place {
    fn text<'a>(self, conversation: &'a Conversation<'_>) -> &'a str {
        match self {
            Self::User => conversation.user(),
            Self::Prompt => conversation.prompt(),
            Self::Output => conversation.output(),
        }
    }
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
        let mut patterns = vec![];
        for (name, place, source) in sources {
            let Some(source) = source else { continue };
            let path = format!("{path}.when.{name}");
            let Some(pattern) = Pattern::new(&path, source, problems) else { continue };
            refuse_same_name(&path, &patterns, &pattern, problems);
            patterns.push((place, pattern));
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
        let found = |(place, pattern): &(Place, Pattern)| {
            pattern.find(place.text(conversation), &mut captures)
        };
        self.patterns.iter().all(found).then_some(captures)
    }
}

/// `captures.name` would be one of two texts.
fn refuse_same_name(
    path: &str,
    earlier: &[(Place, Pattern)],
    pattern: &Pattern,
    problems: &mut Problems,
) {
    for name in pattern.names() {
        let mut taken = earlier.iter().flat_map(|(_, pattern)| pattern.names());
        if taken.any(|taken| taken == name) {
            problems.add(path, format!("another regular expression has a group `{name}` as well"));
        }
    }
}
