//! What the model reads: templates, built in or from files.

use std::path::Path;

use framework::wiring::BuildError;
use minijinja::{Environment, Error, UndefinedBehavior, context};

use super::reply::Ran;

/// How work is handed in; the environment knows it by the first line that it prints.
const SUBMIT_COMMAND: &str = "echo MINI_SWE_AGENT_FINAL_OUTPUT && git add -A && git diff --cached";
/// Outputs of so many characters and more are shown without their middle.
const OUTPUT_SHOWN: usize = 10_000;

/// The templates, built in, by their names.
const BUILT_IN: [(&str, &str); 6] = [
    ("system", include_str!("../../prompts/mini_swe/system.txt")),
    ("task", include_str!("../../prompts/mini_swe/task.txt")),
    ("observation", include_str!("../../prompts/mini_swe/observation.txt")),
    ("format_error", include_str!("../../prompts/mini_swe/format_error.txt")),
    ("timeout", include_str!("../../prompts/mini_swe/timeout.txt")),
    ("repeated", include_str!("../../prompts/mini_swe/repeated.txt")),
];

/// The compiled templates.
pub(super) struct Prompts(Environment<'static>);

impl Prompts {
    /// The built-in templates, with files in place of the first two.
    ///
    /// # Errors
    /// Fails if a file cannot be read or is no template.
    pub(super) fn new(system: Option<&Path>, task: Option<&Path>) -> Result<Self, BuildError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, text) in BUILT_IN {
            environment.add_template(name, text).expect("built-in templates are well-formed");
        }
        for (name, key, path) in
            [("system", "system_prompt", system), ("task", "task_prompt", task)]
        {
            let Some(path) = path else { continue };
            let shown = path.display();
            let text = std::fs::read_to_string(path).map_err(|error| {
                BuildError::new(format_args!("`{key}`: cannot read `{shown}`: {error}"))
            })?;
            let added = environment.add_template_owned(name, text);
            added.map_err(|error| BuildError::new(format_args!("`{key}`: `{shown}`: {error}")))?;
        }
        let prompts = Self(environment);
        let tried = prompts.opening("", None);
        tried.map_err(|error| {
            BuildError::new(format_args!("`system_prompt` or `task_prompt`: {error}"))
        })?;
        Ok(prompts)
    }

    /// The system message and the first user message.
    pub(super) fn opening(
        &self,
        task: &str,
        workdir: Option<&str>,
    ) -> Result<(String, String), Error> {
        let values = context! { task, workdir, submit_command => SUBMIT_COMMAND };
        let render = |name| self.0.get_template(name)?.render(&values);
        Ok((render("system")?, render("task")?))
    }

    /// What the model reads that gave so many commands at once.
    pub(super) fn format_error(&self, found: usize) -> String {
        self.render("format_error", context! { found, submit_command => SUBMIT_COMMAND })
    }

    /// What the model reads that gives one command again and again.
    pub(super) fn repeated(&self, command: &str, times: usize) -> String {
        self.render("repeated", context! { command, times })
    }

    /// What the model reads about a command that was run.
    pub(super) fn observation(&self, command: &str, ran: &Ran) -> String {
        let Some(returncode) = ran.returncode else {
            let output = Shown::of(ran).whole();
            return self.render("timeout", context! { command, output });
        };
        let Shown { head, tail, elided } = Shown::of(ran);
        let output = &ran.output;
        self.render("observation", context! { returncode, output, head, tail, elided })
    }

    fn render(&self, name: &str, values: minijinja::Value) -> String {
        let template = self.0.get_template(name).expect("it was added");
        template.render(values).expect("a built-in template knows all its variables")
    }
}

/// An output as it is shown: all of it as the head, or without its middle.
struct Shown<'a> {
    head: &'a str,
    tail: &'a str,
    /// Characters that are left out, if it is shown in two parts.
    elided: Option<usize>,
}

impl<'a> Shown<'a> {
    fn of(ran: &'a Ran) -> Self {
        let text = &ran.output;
        let length = text.chars().count() + ran.dropped_chars;
        if length < OUTPUT_SHOWN {
            return Self { head: text, tail: "", elided: None };
        }
        let half = OUTPUT_SHOWN / 2;
        let place = |(index, _): (usize, char)| index;
        let head_end = text.char_indices().nth(half).map_or(text.len(), place);
        let tail_start = text.char_indices().rev().nth(half - 1).map_or(0, place);
        let (head, tail) = (&text[..head_end], &text[tail_start..]);
        Self { head, tail, elided: Some(length - OUTPUT_SHOWN) }
    }

    fn whole(&self) -> String {
        match self.elided {
            None => self.head.to_owned(),
            Some(elided) => format!("{}\n… {elided} characters elided …\n{}", self.head, self.tail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts() -> Prompts {
        Prompts::new(None, None).unwrap()
    }

    fn ran(output: &str) -> Ran {
        Ran { returncode: Some(0), output: output.to_owned(), dropped_chars: 0, submission: None }
    }

    #[test]
    fn short_outputs_are_shown_as_they_are() {
        let shown = |output: &str| prompts().observation("ls", &ran(output));
        let around =
            |output: &str| format!("<returncode>0</returncode>\n<output>\n{output}</output>");
        for output in ["", "a", "a\n", "\n\n a \n\n", "<b>&\"{{ x }}"] {
            assert_eq!(shown(output), around(output), "{output:?}");
        }
        let longest = "é".repeat(9_999);
        assert_eq!(shown(&longest), around(&longest));
    }

    #[test]
    fn long_outputs_are_shown_without_their_middle() {
        let text = format!("{}{}{}", "a".repeat(5_000), "é".repeat(7), "\n".repeat(5_000));
        let shown = prompts().observation("ls", &ran(&text));
        let head = format!("</warning><output_head>\n{}\n</output_head>\n", "a".repeat(5_000));
        let elided = "<elided_chars>\n7 characters elided\n</elided_chars>\n";
        let tail = format!("<output_tail>\n{}\n</output_tail>", "\n".repeat(5_000));
        assert!(shown.starts_with("<returncode>0</returncode>\n<warning>\n"), "{shown}");
        assert!(shown.ends_with(&format!("{head}{elided}{tail}")));
        let warning = shown.split("<warning>\n").nth(1).unwrap().split("\n</warning>").next();
        assert_eq!(warning.unwrap().lines().count(), 5);
        let exactly = prompts().observation("ls", &ran(&"x".repeat(10_000)));
        assert!(exactly.contains("\n0 characters elided\n"));
    }

    #[test]
    fn what_the_environment_dropped_counts_as_left_out() {
        let dropped = Ran { dropped_chars: 90_000, ..ran(&"x".repeat(20_000)) };
        assert!(prompts().observation("ls", &dropped).contains("\n100000 characters elided\n"));
    }

    #[test]
    fn a_command_that_was_stopped_is_quoted() {
        let stopped = Ran { returncode: None, ..ran("half\n") };
        let text = prompts().observation("sleep 9", &stopped);
        assert!(text.contains("<command>sleep 9</command>"), "{text}");
        assert!(text.contains("<output>\nhalf\n</output>"), "{text}");
    }

    #[test]
    fn the_opening_holds_the_issue_as_it_is_and_how_to_submit() {
        let issue = "a <b> & {{ c }} ```\nx";
        let (system, user) = prompts().opening(issue, Some("/testbed")).unwrap();
        assert!(user.contains(&format!("<pr_description>\n{issue}\n</pr_description>")), "{user}");
        assert!(user.contains("/testbed") && user.contains(SUBMIT_COMMAND));
        for obligation in ["THOUGHT", "```bash", "&&", "<format_example>"] {
            assert!(system.contains(obligation), "{obligation}");
        }
        let errors = prompts().format_error(2);
        assert!(errors.contains("2 `bash` blocks"), "{errors}");
    }

    #[test]
    fn a_prompt_file_that_is_no_template_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("task.txt");
        for (text, expected) in [("{{ task", "`task_prompt`: "), ("{{ issue }}", "`task_prompt`: ")]
        {
            std::fs::write(&path, text).unwrap();
            let error = Prompts::new(None, Some(&path)).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let absent = Prompts::new(Some(&folder.path().join("no")), None).err().unwrap();
        assert!(absent.to_string().starts_with("`system_prompt`: cannot read `"), "{absent}");
        std::fs::write(&path, "Fix {{ task }}").unwrap();
        let (_, user) = Prompts::new(None, Some(&path)).unwrap().opening("it", None).unwrap();
        assert_eq!(user, "Fix it");
    }
}
