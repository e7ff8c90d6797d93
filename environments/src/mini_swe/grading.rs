//! Grading: what an agent handed in is applied to a fresh copy of the repository, whose tests it cannot
//! touch, and the tests are run.

use std::collections::BTreeMap;
use std::time::Duration;

use framework::environment::EnvironmentError;
use serde::Serialize;

use super::command::{self, UNITTEST, quote};
use super::log::{LogFormat, Status, Statuses};
use super::patch::without_bare_binaries;
use super::place::{Bounds, Place};
use super::row::Target;

/// The runner of `unittest` tests.
const RUNNER: &str = include_str!("unittest_runner.py");
const RUNNER_PATH: &str = "/tmp/rehearsal_unittest.py";
const TESTS_PATCH: &str = "/tmp/rehearsal_tests.patch";
const MODEL_PATCH: &str = "/tmp/rehearsal_model.patch";
/// The longest log that is read whole.
const LOG_MAX: usize = 16 << 20;

/// What grading follows.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) timeout: Duration,
    pub(super) commands: BTreeMap<String, String>,
    /// Names of files that decide how tests run, and that no patch may bring along.
    pub(super) protected: Vec<String>,
    /// Runs before the tests' command, in the same shell.
    pub(super) setup: &'static str,
}

/// What a patch came to, as SWE-bench's harness reports it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    instance_id: String,
    model_patch: Option<String>,
    eval_report: BTreeMap<String, Evaluation>,
}

/// The same of one task.
#[derive(Debug, Default, Serialize)]
pub(super) struct Evaluation {
    #[serde(rename = "patch_is_None")]
    patch_is_none: bool,
    patch_exists: bool,
    patch_successfully_applied: bool,
    resolved: bool,
    /// The tests took too long.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    timeout: bool,
    tests_status: TestsStatus,
}

/// The tests, by what is expected of them.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct TestsStatus {
    fail_to_pass: Sorted,
    pass_to_pass: Sorted,
    fail_to_fail: Sorted,
    pass_to_fail: Sorted,
}

/// Tests by how they ended.
#[derive(Debug, Default, Serialize)]
struct Sorted {
    success: Vec<String>,
    failure: Vec<String>,
}

impl Report {
    /// Whether the issue is solved.
    pub(super) fn is_resolved(&self) -> bool {
        self.eval_report.values().all(|evaluation| evaluation.resolved)
    }

    /// A report of a patch.
    pub(super) fn new(target: &Target, patch: Option<&str>, evaluation: Evaluation) -> Self {
        let id = target.instance_id.clone();
        let eval_report = BTreeMap::from([(id.clone(), evaluation)]);
        Self { instance_id: id, model_patch: patch.map(str::to_owned), eval_report }
    }
}

impl Evaluation {
    /// Nothing was handed in.
    pub(super) fn of_nothing() -> Self {
        Self { patch_is_none: true, ..Self::default() }
    }
}

impl Sorted {
    /// A test that was skipped, or is not in the log, did not pass.
    fn of(tests: &[String], statuses: &Statuses) -> Self {
        let is_passed =
            |test: &&String| matches!(statuses.get(*test), Some(Status::Passed | Status::Xfail));
        let (success, failure) = tests.iter().partition::<Vec<_>, _>(is_passed);
        let owned = |tests: Vec<&String>| tests.into_iter().cloned().collect();
        Self { success: owned(success), failure: owned(failure) }
    }
}

/// Makes a repository of a folder that is none yet, and has git ignore what Python leaves behind.
pub(super) const REPOSITORY: &str = "
set -e
git config --global --add safe.directory '*'
if [ ! -e .git ]; then
  git init -q
  git add -A
  git -c user.name=rehearsal -c user.email=rehearsal@localhost commit -q -m base
fi
mkdir -p .git/info
printf '__pycache__/\\n*.pyc\\n' >> .git/info/exclude
";

/// Grades a patch in a fresh copy of the repository.
///
/// # Errors
/// Fails if the place is lost, or what is wrong is no fault of the patch.
pub(super) async fn evaluate(
    place: &mut Place,
    target: &Target,
    patch: &str,
    rules: &Rules,
) -> Result<Evaluation, EnvironmentError> {
    let mut evaluation =
        Evaluation { patch_exists: !patch.trim().is_empty(), ..Evaluation::default() };
    if !evaluation.patch_exists {
        return Ok(evaluation);
    }
    let protected = set_the_exam(place, target, rules).await?;
    if !hand_in(place, target, patch, rules, &protected).await? {
        return Ok(evaluation);
    }
    evaluation.patch_successfully_applied = true;
    let Some(log) = run_tests(place, target, rules).await? else {
        evaluation.timeout = true;
        return Ok(evaluation);
    };
    let format = target.log_format.unwrap_or_else(|| LogFormat::of_repository(&target.repo));
    let statuses = format.read(&log);
    let sorted = |tests| Sorted::of(tests, &statuses);
    let exam = &target.exam;
    evaluation.tests_status = TestsStatus {
        fail_to_pass: sorted(&exam.fail_to_pass),
        pass_to_pass: sorted(&exam.pass_to_pass),
        ..TestsStatus::default()
    };
    let TestsStatus { fail_to_pass, pass_to_pass, .. } = &evaluation.tests_status;
    evaluation.resolved = fail_to_pass.failure.is_empty() && pass_to_pass.failure.is_empty();
    Ok(evaluation)
}

/// Adds the tests to the repository, before anything of the model's is in it. Returns the files that
/// decide how they run.
async fn set_the_exam(
    place: &mut Place,
    target: &Target,
    rules: &Rules,
) -> Result<Vec<String>, EnvironmentError> {
    place.run_well("make a repository", REPOSITORY).await?;
    place.put(TESTS_PATCH, &without_bare_binaries(&target.test_patch)).await?;
    let apply = format!(
        "git apply --whitespace=nowarn {TESTS_PATCH} && git add -A && git -c user.name=rehearsal \
         -c user.email=rehearsal@localhost commit -q -m exam"
    );
    place.run_well("apply `test_patch` to a fresh copy of the repository", &apply).await?;
    let listed = place.run_well("list the files", "git -c core.quotePath=false ls-files").await?;
    let is_protected = |path: &&str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        rules.protected.iter().any(|it| it == name) && !target.is_solved_in(path)
    };
    Ok(listed.output.lines().filter(is_protected).map(str::to_owned).collect())
}

/// Applies the model's patch, except to what decides about it; whether it could be applied.
async fn hand_in(
    place: &mut Place,
    target: &Target,
    patch: &str,
    rules: &Rules,
    protected: &[String],
) -> Result<bool, EnvironmentError> {
    place.put(MODEL_PATCH, &without_bare_binaries(patch)).await?;
    let files = &target.exam.files;
    let mut excluded: Vec<String> = files.iter().map(|file| literally(file)).collect();
    for name in rules.protected.iter().filter(|name| !is_in_solution(target, name)) {
        excluded.extend([literally(name), format!("*/{}", literally(name))]);
    }
    excluded.extend(protected.iter().map(|file| literally(file)));
    let excluded: String =
        excluded.iter().map(|pattern| format!(" --exclude={}", quote(pattern))).collect();
    let apply = format!("git apply --whitespace=nowarn{excluded} {MODEL_PATCH}");
    let bounds = Bounds { timeout: Duration::from_secs(120), output_max: 64 << 10 };
    if !place.run(&apply, bounds).await?.is_ok() {
        return Ok(false);
    }
    // A file may also be moved away, or a folder replaced by a link.
    let kept = files.iter().chain(protected).map(|file| quote(file));
    let kept: String = kept.map(|file| format!(" {file}")).collect();
    let restore = format!(
        "for file in{kept}; do
           if git cat-file -e HEAD:\"$file\" 2>/dev/null; then git checkout -q HEAD -- \"$file\" || exit 1
           else [ ! -e \"$file\" ] || exit 1; fi
         done; git diff --quiet HEAD --{kept}"
    );
    Ok(place.run(&restore, bounds).await?.is_ok())
}

fn is_in_solution(target: &Target, name: &str) -> bool {
    let patch = target.patch.as_deref().unwrap_or_default();
    let files = super::patch::files(patch);
    files.iter().any(|path| path.rsplit('/').next() == Some(name))
}

/// A path as a pattern that matches nothing else.
fn literally(path: &str) -> String {
    path.chars().flat_map(|c| "\\*?[".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

/// Runs the tests and returns their log; none if they took too long.
async fn run_tests(
    place: &mut Place,
    target: &Target,
    rules: &Rules,
) -> Result<Option<String>, EnvironmentError> {
    let command = command::of(target, &rules.commands);
    let script = match command.strip_prefix(UNITTEST).filter(|rest| rest.starts_with(' ')) {
        Some(files) => {
            place.put(RUNNER_PATH, RUNNER).await?;
            // What tests and tested code print is no report, so it goes elsewhere.
            format!("python3 -I -B {RUNNER_PATH}{files} 2>/dev/null")
        }
        None => format!("{}{command}", rules.setup),
    };
    let bounds = Bounds { timeout: rules.timeout, output_max: LOG_MAX };
    let done = place.run(&script, bounds).await?;
    let Some(code) = done.code else { return Ok(None) };
    let is_absent = code == 127 || done.output.trim_end().ends_with("No module named pytest");
    if is_absent {
        let said = done.output.trim().lines().last().unwrap_or_default().to_owned();
        return Err(EnvironmentError::permanent(format_args!(
            "the tests of `{}` do not run: `{command}`: {said}; install what runs them beside the \
             sandbox's interpreter, or name another command in `settings.test_commands` or in the \
             row's `test_command`",
            target.instance_id
        )));
    }
    Ok(Some(done.output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_was_skipped_or_is_absent_did_not_pass() {
        let statuses = Statuses::from([
            ("a".to_owned(), Status::Passed),
            ("b".to_owned(), Status::Skipped),
            ("c".to_owned(), Status::Xfail),
            ("d".to_owned(), Status::Failed),
            ("e".to_owned(), Status::Error),
        ]);
        let tests = ["a", "b", "c", "d", "e", "f"].map(str::to_owned);
        let sorted = Sorted::of(&tests, &statuses);
        assert_eq!(sorted.success, ["a", "c"]);
        assert_eq!(sorted.failure, ["b", "d", "e", "f"]);
    }

    #[test]
    fn paths_are_taken_literally() {
        assert_eq!(literally("tests/a[1]*?.py"), r"tests/a\[1]\*\?.py");
    }
}
