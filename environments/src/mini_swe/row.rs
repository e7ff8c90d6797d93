//! A row of SWE-bench, SWE-Gym or their like: an issue of a repository, and the tests that tell whether
//! it is solved.

use framework::environment::python::Json;
use framework::task::{Row, TargetError};
use schemars::JsonSchema;
use serde::Deserialize;

use super::log::LogFormat;
use super::patch;

/// What a row says beyond the prompt. Further keys of these datasets travel along into the record.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Target {
    /// Names the task, and its snapshot or image.
    pub instance_id: String,
    /// The issue.
    pub problem_statement: String,
    /// The repository, as `owner/name`.
    pub repo: String,
    /// The patch that solves it; never shown.
    pub patch: Option<String>,
    /// The tests that it is solved by, as a patch; never shown.
    pub test_patch: String,
    /// Tests that fail before and have to pass: a list, or JSON of one.
    #[serde(rename = "FAIL_TO_PASS")]
    pub fail_to_pass: Json,
    /// Tests that pass before and have to stay so: a list, or JSON of one.
    #[serde(rename = "PASS_TO_PASS", default = "nothing")]
    pub pass_to_pass: Json,
    /// The dataset, which names the images: `gym` or `verified`.
    pub subset: Option<String>,
    /// The image, where it is not named by the dataset and the task.
    pub image_name: Option<String>,
    /// Runs the tests, with their files or names after it, where it is not the repository's usual one.
    pub test_command: Option<String>,
    /// How it prints results, where that is not the repository's usual way.
    pub log_format: Option<LogFormat>,
    /// The tests, read.
    #[serde(skip)]
    pub(super) exam: Exam,
}

fn nothing() -> Json {
    Json::Array(Vec::new())
}

/// The tests of a task.
#[derive(Debug, Default)]
pub(super) struct Exam {
    pub(super) fail_to_pass: Vec<String>,
    pub(super) pass_to_pass: Vec<String>,
    /// Files that the patch of the tests makes or changes, and those that the tests' names tell.
    pub(super) files: Vec<String>,
}

impl Exam {
    /// Adds the files of tests whose names begin with one, as pytest's do.
    fn add_files_of_tests(&mut self) {
        for test in self.fail_to_pass.iter().chain(&self.pass_to_pass) {
            let file = test.split_once("::").map(|(file, _)| file.to_owned());
            let file = file.filter(|file| file.ends_with(".py") && !file.starts_with('/'));
            if let Some(file) = file.filter(|file| !self.files.contains(file)) {
                self.files.push(file);
            }
        }
    }
}

impl Target {
    /// Reads a row and checks its tests.
    ///
    /// # Errors
    /// Fails if there is no test, or what should be lists of names or a patch is none.
    pub(super) fn read(row: &Row) -> Result<Self, TargetError> {
        let mut target: Self = row.read()?;
        let error = |text: String| TargetError::new(text);
        target.exam = Exam {
            fail_to_pass: names("FAIL_TO_PASS", &target.fail_to_pass).map_err(error)?,
            pass_to_pass: names("PASS_TO_PASS", &target.pass_to_pass).map_err(error)?,
            files: patch::files(&target.test_patch),
        };
        if target.exam.fail_to_pass.is_empty() && target.exam.pass_to_pass.is_empty() {
            let text =
                "`FAIL_TO_PASS` and `PASS_TO_PASS` are empty: without a test nothing is solved";
            return Err(error(text.to_owned()));
        }
        if target.exam.files.is_empty() {
            return Err(error("`test_patch` changes no file, or is no patch of git's".to_owned()));
        }
        target.exam.add_files_of_tests();
        let id = &target.instance_id;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if id.is_empty() || id.starts_with('.') || !id.chars().all(is_plain) {
            let text = "`instance_id` is to consist of letters, digits, `_`, `-` and `.`";
            return Err(error(format!("{text}, not `{id}`")));
        }
        Ok(target)
    }

    /// Whether a path is changed by the patch that solves the task.
    pub(super) fn is_solved_in(&self, path: &str) -> bool {
        self.patch.as_deref().is_some_and(|text| patch::files(text).iter().any(|file| file == path))
    }
}

/// Names of tests: a list, or text that holds the JSON of one.
fn names(key: &str, value: &Json) -> Result<Vec<String>, String> {
    let held = match value {
        Json::String(text) => Some(
            Json::parse(text)
                .map_err(|error| format!("`{key}` is text, but not the JSON of a list: {error}"))?,
        ),
        _ => None,
    };
    let list = match held.as_ref().unwrap_or(value) {
        Json::Null => return Ok(Vec::new()),
        Json::Array(items) => items,
        other => return Err(format!("`{key}` is to be a list of tests, not {other}")),
    };
    let name = |item: &Json| match item {
        Json::String(name) => Ok(name.to_string()),
        other => Err(format!("`{key}` is to be a list of texts, and holds {other}")),
    };
    list.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(change: impl FnOnce(&mut Value)) -> Result<Target, String> {
        let test_patch = "diff --git a/tests/test_a.py b/tests/test_a.py\n--- a/tests/test_a.py\n+++ b/tests/test_a.py\n@@ -1 +1,2 @@\n a\n+b\n";
        let mut row = json!({
            "instance_id": "owner__name-1", "repo": "owner/name", "problem_statement": "It fails.",
            "test_patch": test_patch, "FAIL_TO_PASS": ["a::b"], "PASS_TO_PASS": "[\"a::c\", \"a::d\"]",
            "responses_create_params": { "input": [] }, "hints_text": "", "version": "5.0",
        });
        change(&mut row);
        Target::read(&Row::parse(&row.to_string()).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn tests_are_lists_or_json_of_lists() {
        let target = row(|_| {}).unwrap();
        assert_eq!(target.exam.fail_to_pass, ["a::b"]);
        assert_eq!(target.exam.pass_to_pass, ["a::c", "a::d"]);
        assert_eq!(target.exam.files, ["tests/test_a.py"]);
        let named = row(|row| {
            row["PASS_TO_PASS"] = json!(["b/t.py::T::x[::]", "tests/test_a.py::y", "z::w"])
        });
        assert_eq!(named.unwrap().exam.files, ["tests/test_a.py", "b/t.py"]);
        assert!(row(|row| row["PASS_TO_PASS"] = json!(null)).is_ok());
        assert!(row(|row| row["FAIL_TO_PASS"] = json!([])).is_ok());
    }

    #[test]
    fn what_cannot_be_graded_is_malformed() {
        let cases: [(&str, Value, &str); 9] = [
            ("FAIL_TO_PASS", json!("['a::b']"), "`FAIL_TO_PASS` is text, but not the JSON"),
            ("FAIL_TO_PASS", json!(3), "to be a list of tests"),
            ("PASS_TO_PASS", json!([3]), "to be a list of texts"),
            ("test_patch", json!("--- nothing"), "`test_patch` changes no file"),
            ("test_patch", json!(null), "test_patch"),
            ("instance_id", json!("../../etc"), "`instance_id` is to consist of"),
            ("instance_id", json!("a/b"), "`instance_id` is to consist of"),
            ("repo", json!(null), "repo"),
            ("log_format", json!("tap"), "log_format"),
        ];
        for (key, value, expected) in cases {
            let error = row(|row| row[key] = value.clone()).unwrap_err();
            assert!(error.contains(expected), "{key} {value}: {error}");
        }
        let empty = row(|row| {
            row["FAIL_TO_PASS"] = json!("[]");
            row["PASS_TO_PASS"] = json!([]);
        });
        assert!(empty.unwrap_err().contains("without a test"));
    }
}
