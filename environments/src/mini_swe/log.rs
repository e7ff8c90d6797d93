//! What the output of a test run says of each test.
//!
//! Test runners print their results in ways of their own, and the names in `FAIL_TO_PASS` and
//! `PASS_TO_PASS` are whatever was read from such output when a dataset was made. So logs are read by the
//! rules of the harnesses that made them: SWE-bench's and SWE-Gym's log parsers (both MIT licensed), whose
//! behaviour this follows, repository by repository.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Passed,
    Failed,
    Error,
    Skipped,
    /// Failed, as it was expected to.
    Xfail,
}

/// The words that start or end a line, as pytest has them.
const WORDS: [(&str, Status); 5] = [
    ("FAILED", Status::Failed),
    ("PASSED", Status::Passed),
    ("SKIPPED", Status::Skipped),
    ("ERROR", Status::Error),
    ("XFAIL", Status::Xfail),
];

/// Statuses by test.
pub(super) type Statuses = HashMap<String, Status>;

/// The dialect that a repository's tests speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// pytest's summary: the status first, then the test.
    Pytest,
    /// The same, where paths in parameters are cut down to their last part.
    PytestOptions,
    /// The same with escape sequences taken out, and statuses at the ends of lines.
    PytestV2,
    /// pydantic's, whose lines may have the progress in brackets.
    Pydantic,
    /// Django's runner, which is `unittest`'s.
    Django,
    /// seaborn's: the status first or in the middle.
    Seaborn,
    /// SymPy's own runner.
    Sympy,
    /// matplotlib's, where mouse buttons in parameters are numbers.
    Matplotlib,
}

impl LogFormat {
    /// The format of a repository, by the harnesses that it is known to.
    pub(super) fn of_repository(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "django/django" => Self::Django,
            "mwaskom/seaborn" => Self::Seaborn,
            "sympy/sympy" => Self::Sympy,
            "matplotlib/matplotlib" => Self::Matplotlib,
            "pydantic/pydantic" => Self::Pydantic,
            "psf/requests" | "pylint-dev/pylint" | "pydicom/pydicom" => Self::PytestOptions,
            "astropy/astropy" | "scikit-learn/scikit-learn" | "sphinx-doc/sphinx" => Self::PytestV2,
            _ => Self::Pytest,
        }
    }

    /// Reads a log.
    pub(super) fn read(self, log: &str) -> Statuses {
        match self {
            Self::Pytest => pytest(log, str::to_owned),
            Self::PytestOptions => pytest(log, short_option),
            Self::PytestV2 => pytest_v2(log),
            Self::Pydantic => pydantic(log),
            Self::Django => django(log),
            Self::Seaborn => seaborn(log),
            Self::Sympy => sympy(log),
            Self::Matplotlib => {
                let log = log.replace("MouseButton.LEFT", "1");
                pytest(&log.replace("MouseButton.RIGHT", "3"), str::to_owned)
            }
        }
    }
}

fn starting(line: &str) -> Option<Status> {
    WORDS.iter().find(|(word, _)| line.starts_with(word)).map(|(_, status)| *status)
}

fn ending(line: &str) -> Option<Status> {
    WORDS.iter().find(|(word, _)| line.ends_with(word)).map(|(_, status)| *status)
}

fn exactly(word: &str) -> Option<Status> {
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, status)| *status)
}

/// A line of pytest's summary: its status and its test.
fn summary_line(line: &str) -> Option<(String, Status)> {
    let status = starting(line)?;
    // A failed test is followed by why it failed.
    let blanked = (status == Status::Failed).then(|| line.replace(" - ", " "));
    let mut words = blanked.as_deref().unwrap_or(line).split_whitespace();
    let (first, test) = (words.next()?, words.next()?);
    Some((test.to_owned(), exactly(first)?))
}

fn pytest(log: &str, name: impl Fn(&str) -> String) -> Statuses {
    let lines = log.split('\n').filter_map(summary_line);
    lines.map(|(test, status)| (name(&test), status)).collect()
}

/// `test[/a/path/to/file]` as `test[/file]`.
fn short_option(test: &str) -> String {
    let parts =
        test.split_once('[').and_then(|(main, rest)| Some((main, rest.rsplit_once(']')?.0)));
    match parts {
        Some((main, option))
            if option.starts_with('/') && !option.starts_with("//") && !option.contains('*') =>
        {
            let last = option.rsplit('/').next().unwrap_or_default();
            format!("{main}[/{last}]")
        }
        Some((main, option)) => format!("{main}[{option}]"),
        None => test.to_owned(),
    }
}

fn pytest_v2(log: &str) -> Statuses {
    static COLOUR: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[(\d+)m").expect("the pattern is well-formed"));
    let mut statuses = Statuses::new();
    for line in log.split('\n') {
        let line = COLOUR.replace_all(line, "");
        let line: String = line.chars().filter(|c| !('\u{1}'..='\u{1f}').contains(c)).collect();
        if starting(&line).is_some() {
            statuses.extend(summary_line(&line));
        } else if ending(&line).is_some() {
            let mut words = line.split_whitespace();
            if let Some((test, status)) = words.next().zip(words.next()) {
                statuses.extend(exactly(status).map(|status| (test.to_owned(), status)));
            }
        }
    }
    statuses
}

/// Lines may be `FAILED [ 50%] test`, and `test FAILED [ 50%]` while the tests run.
fn pydantic(log: &str) -> Statuses {
    static PROGRESS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[\s*\d+%\]").expect("the pattern is well-formed"));
    pytest_v2(
        &PROGRESS
            .replace_all(log, "")
            .lines()
            .map(|line| line.trim_end().to_owned() + "\n")
            .collect::<String>(),
    )
}

fn seaborn(log: &str) -> Statuses {
    let read = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (first, second) = (*words.first()?, *words.get(1)?);
        match starting(line) {
            Some(status @ (Status::Failed | Status::Passed)) => Some((second.to_owned(), status)),
            _ if line.contains(" PASSED ") && second == "PASSED" => {
                Some((first.to_owned(), Status::Passed))
            }
            _ => None,
        }
    };
    log.split('\n').filter_map(read).collect()
}

fn sympy(log: &str) -> Statuses {
    static FAILURE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"_* (.*)\.py:(.*) _*").expect("the pattern is well-formed"));
    let failures = FAILURE.captures_iter(log);
    let failures =
        failures.map(|found| (format!("{}.py:{}", &found[1], &found[2]), Status::Failed));
    let mut statuses: Statuses = failures.collect();
    for line in log.split('\n').map(str::trim).filter(|line| line.starts_with("test_")) {
        let line = match line.rfind('[') {
            Some(at) if line.ends_with("[FAIL]") || line.ends_with("[OK]") => line[..at].trim(),
            _ => line,
        };
        let endings = [(" E", Status::Error), (" F", Status::Failed), (" ok", Status::Passed)];
        let status = endings.iter().find(|(ending, _)| line.ends_with(ending));
        if let Some(((_, status), test)) = status.zip(line.split_whitespace().next()) {
            statuses.insert(test.to_owned(), *status);
        }
    }
    statuses
}

/// Reports of `unittest`: `test (module.Class) ... ok`, where output of the test may stand between.
fn django(log: &str) -> Statuses {
    let mut statuses = Statuses::new();
    let mut previous: Option<&str> = None;
    for line in log.split('\n').map(str::trim) {
        const VERSIONS: &str = "--version is equivalent to version";
        if line.contains(VERSIONS) {
            statuses.insert(VERSIONS.to_owned(), Status::Passed);
        }
        let before = line.split_once(" ... ").map(|(test, _)| test);
        previous = before.or(previous);
        statuses.extend(unittest_line(line).map(|(test, status)| (test.to_owned(), status)));
        if let Some(test) = previous.filter(|_| line.starts_with("ok")) {
            statuses.insert(test.to_owned(), Status::Passed);
        }
    }
    statuses.extend(interrupted(log));
    statuses
}

fn unittest_line(line: &str) -> Option<(&str, Status)> {
    const PASSED: [&str; 3] = [" ... ok", " ... OK", " ...  OK"];
    // One test prints this in front of the report of another.
    const MIGRATION: &str = "Applying sites.0002_alter_domain_unique...test_no_migrations";
    if let Some(test) = PASSED.iter().find_map(|ending| line.strip_suffix(ending)) {
        let test = match test.split_once("...") {
            Some((_, rest)) if line.starts_with(MIGRATION) => rest.trim(),
            _ => test,
        };
        return Some((test, Status::Passed));
    }
    if let Some((test, _)) = line.split_once(" ... skipped") {
        return Some((test, Status::Skipped));
    }
    for (ending, start, status) in
        [(" ... FAIL", "FAIL:", Status::Failed), (" ... ERROR", "ERROR:", Status::Error)]
    {
        if let Some(test) = line.strip_suffix(ending) {
            return Some((test, status));
        }
        if line.starts_with(start) {
            return line.split_whitespace().nth(1).map(|test| (test, status));
        }
    }
    None
}

/// Tests whose reports are torn by what the tested code printed.
fn interrupted(log: &str) -> Vec<(String, Status)> {
    static TORN: LazyLock<[Regex; 3]> = LazyLock::new(|| {
        [
            r"(?m)^(.*?)\s\.\.\.\sTesting against Django installed in (?s:.*?) silenced\)\.\nok$",
            r"(?m)^(.*?)\s\.\.\.\sInternal Server Error: /(.*)/\nok$",
            r"(?m)^(.*?)\s\.\.\.\sSystem check identified no issues \(0 silenced\)\nok$",
        ]
        .map(|pattern| Regex::new(pattern).expect("the pattern is well-formed"))
    });
    let found = TORN.iter().flat_map(|torn| torn.captures_iter(log));
    found.map(|found| (found[1].to_owned(), Status::Passed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: LogFormat, log: &str, expected: &[(&str, Status)]) {
        let expected: Statuses =
            expected.iter().map(|(test, status)| ((*test).to_owned(), *status)).collect();
        assert_eq!(format.read(log), expected, "{format:?}");
    }

    #[test]
    fn pytests_summary_names_each_test() {
        let log = "\
tests/test_a.py::test_dots PASSED
PASSED tests/test_a.py::test_one
PASSED tests/test_a.py::test_case[a b]
FAILED tests/test_a.py::test_two - AssertionError: 1 - 2
ERROR tests/test_b.py
SKIPPED [1] tests/test_a.py:7: no reason
XFAIL tests/test_a.py::test_three
ERRORS
FAILED
PASSEDX y
";
        read(
            LogFormat::Pytest,
            log,
            &[
                ("tests/test_a.py::test_one", Status::Passed),
                ("tests/test_a.py::test_case[a", Status::Passed),
                ("tests/test_a.py::test_two", Status::Failed),
                ("tests/test_b.py", Status::Error),
                ("[1]", Status::Skipped),
                ("tests/test_a.py::test_three", Status::Xfail),
            ],
        );
    }

    #[test]
    fn later_lines_win() {
        let log = "PASSED a::b\nFAILED a::b - once more\n";
        read(LogFormat::Pytest, log, &[("a::b", Status::Failed)]);
    }

    #[test]
    fn paths_in_parameters_are_shortened() {
        let log = "PASSED a::t[/x/y/z.py]\nPASSED a::u[//x/y]\nPASSED a::v[/x/*]\nPASSED a::w[x/y]\nPASSED a::x\n";
        read(
            LogFormat::PytestOptions,
            log,
            &["a::t[/z.py]", "a::u[//x/y]", "a::v[/x/*]", "a::w[x/y]", "a::x"]
                .map(|test| (test, Status::Passed)),
        );
    }

    #[test]
    fn escape_sequences_are_taken_out_and_statuses_may_come_last() {
        let log = "\u{1b}[32mPASSED\u{1b}[0m a::\u{1b}[1mb\u{1b}[0m\nc.py::d FAILED\nnoise about PASSED\nFAILED e - why\n";
        read(
            LogFormat::PytestV2,
            log,
            &[("a::b", Status::Passed), ("c.py::d", Status::Failed), ("e", Status::Failed)],
        );
    }

    #[test]
    fn pydantics_progress_is_no_test() {
        let log = "tests/a.py::t PASSED                  [ 50%]\nFAILED [100%] tests/a.py::u - why\nFAILED tests/a.py::v - why\n";
        read(
            LogFormat::Pydantic,
            log,
            &[
                ("tests/a.py::t", Status::Passed),
                ("tests/a.py::u", Status::Failed),
                ("tests/a.py::v", Status::Failed),
            ],
        );
    }

    #[test]
    fn djangos_reports_are_unittests() {
        let log = "\
test_a (x.tests.T) ... ok
test_b (x.tests.T) ... FAIL
test_c (x.tests.T) ... ERROR
test_d (x.tests.T) ... skipped 'no'
test_e (x.tests.T) ... some output
ok
test_f (x.tests.T)
Says what it does. ... ok
FAIL: test_g (x.tests.T)
ERROR: test_h (x.tests.T)
Applying sites.0002_alter_domain_unique...test_no_migrations (y.T) ... ok
test_i (x.tests.T) ... Testing against Django installed in '/x' with 2 processes
more
System check identified no issues (0 silenced).
ok
test_j (x.tests.T) ... Internal Server Error: /a/
ok
";
        read(
            LogFormat::Django,
            log,
            &[
                ("test_a (x.tests.T)", Status::Passed),
                ("test_b (x.tests.T)", Status::Failed),
                ("test_c (x.tests.T)", Status::Error),
                ("test_d (x.tests.T)", Status::Skipped),
                ("test_e (x.tests.T)", Status::Passed),
                ("Says what it does.", Status::Passed),
                ("test_g", Status::Failed),
                ("test_h", Status::Error),
                ("test_no_migrations (y.T)", Status::Passed),
                ("test_i (x.tests.T)", Status::Passed),
                ("test_j (x.tests.T)", Status::Passed),
            ],
        );
    }

    #[test]
    fn other_runners_have_formats_of_their_own() {
        read(
            LogFormat::Seaborn,
            "FAILED a::b - why\nc::d PASSED [ 5%]\nPASSED e::f\nERROR g\n",
            &[("a::b", Status::Failed), ("c::d", Status::Passed), ("e::f", Status::Passed)],
        );
        read(
            LogFormat::Sympy,
            "test_a ok\ntest_b F\ntest_c E\ntest_d ok [OK]\ntest_e F [FAIL]\n__ sympy/x/tests/test_y.py:test_z __\n",
            &[
                ("test_a", Status::Passed),
                ("test_b", Status::Failed),
                ("test_c", Status::Error),
                ("test_d", Status::Passed),
                ("test_e", Status::Failed),
                ("sympy/x/tests/test_y.py:test_z", Status::Failed),
            ],
        );
        read(
            LogFormat::Matplotlib,
            "PASSED a::b[MouseButton.LEFT]\nFAILED a::c[MouseButton.RIGHT] - x\n",
            &[("a::b[1]", Status::Passed), ("a::c[3]", Status::Failed)],
        );
    }

    #[test]
    fn a_repository_is_known_in_any_case() {
        assert_eq!(LogFormat::of_repository("Django/django"), LogFormat::Django);
        assert_eq!(LogFormat::of_repository("getmoto/moto"), LogFormat::Pytest);
    }
}
