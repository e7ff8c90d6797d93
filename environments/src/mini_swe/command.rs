//! The command that runs a task's tests: by repository, as the harnesses of SWE-bench and SWE-Gym have it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::row::Target;

/// What stands for the runner that ships with the environment.
pub(super) const UNITTEST: &str = "unittest";
/// The repositories that ship with the environment.
const OWN: &str = "rehearsal/";
/// How pytest is run where nothing else is known.
const PYTEST: &str = "python3 -m pytest -rA --no-header -p no:cacheprovider";

/// What the harnesses run, where it is not pytest's usual command; facts of their specifications, by
/// repository.
const KNOWN: [(&str, &str); 20] = [
    ("astropy/astropy", "pytest -rA -vv -o console_output_style=classic --tb=no"),
    ("bokeh/bokeh", "pytest -rA -n0"),
    ("conan-io/conan", "pytest -n0 -rA"),
    ("dask/dask", "pytest -n0 -rA --color=no"),
    ("django/django", "./tests/runtests.py --verbosity 2 --settings=test_sqlite --parallel 1"),
    ("facebookresearch/hydra", "pytest -rA --tb=long"),
    ("getmoto/moto", "pytest -n0 -rA"),
    ("iterative/dvc", "pytest -rA"),
    ("matplotlib/matplotlib", "pytest -rA"),
    ("modin-project/modin", "pytest -n0 -rA"),
    ("mwaskom/seaborn", "pytest --no-header -rA"),
    ("pallets/flask", "pytest -rA"),
    ("pandas-dev/pandas", "pytest -rA --tb=long"),
    ("project-monai/monai", "pytest -rA"),
    ("psf/requests", "pytest -rA"),
    ("pydantic/pydantic", "pytest -rA --tb=short -vv -o console_output_style=classic --no-header"),
    ("python/mypy", "pytest -n0 -rA -k"),
    ("scikit-learn/scikit-learn", "pytest -rA"),
    ("sphinx-doc/sphinx", "tox --current-env -epy39 -v --"),
    (
        "sympy/sympy",
        "PYTHONWARNINGS='ignore::UserWarning,ignore::SyntaxWarning' bin/test -C --verbose",
    ),
];

/// Files of a test patch that are data and no tests.
const DATA: [&str; 11] =
    [".json", ".png", ".csv", ".txt", ".md", ".jpg", ".jpeg", ".pkl", ".yml", ".yaml", ".toml"];

/// The command that runs the tests of a task, with what it is to run.
pub(super) fn of(target: &Target, configured: &BTreeMap<String, String>) -> String {
    let repo = target.repo.to_ascii_lowercase();
    let known = || KNOWN.iter().find(|(name, _)| *name == repo).map(|(_, command)| *command);
    let own = || repo.starts_with(OWN).then_some(UNITTEST);
    let command = target.test_command.as_deref();
    let command = command.or_else(|| configured.get(&target.repo).map(String::as_str));
    let command = command.or_else(known).or_else(own).unwrap_or(PYTEST);
    let files = target.exam.files.iter().map(String::as_str);
    let files = files.filter(|file| !DATA.iter().any(|ending| file.ends_with(ending)));
    let directives = match repo.as_str() {
        "django/django" => files.map(django_label).collect(),
        "python/mypy" => vec![mypy_cases(&target.test_patch)],
        _ => files.map(str::to_owned).collect::<Vec<_>>(),
    };
    let quoted = directives.iter().map(|directive| format!(" {}", quote(directive)));
    command.to_owned() + &quoted.collect::<String>()
}

/// `tests/a/b.py` as `a.b`.
fn django_label(file: &str) -> String {
    let file = file.strip_suffix(".py").unwrap_or(file);
    file.strip_prefix("tests/").unwrap_or(file).replace('/', ".")
}

/// The cases that a patch names, as an expression for `-k`.
fn mypy_cases(patch: &str) -> String {
    static CASE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[case ([^\]]+)\]").expect("the pattern is well-formed"));
    let cases: Vec<&str> =
        CASE.captures_iter(patch).filter_map(|case| Some(case.get(1)?.as_str())).collect();
    cases.join(" or ")
}

/// Text as one word of a shell.
pub(super) fn quote(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use framework::task::Row;
    use serde_json::json;

    use super::*;

    fn target(repo: &str, files: &[&str], extra: &str) -> Target {
        let patch: String =
            files.iter().map(|file| format!("diff --git a/{file} b/{file}\n{extra}")).collect();
        let row = json!({
            "instance_id": "x", "repo": repo, "problem_statement": "", "test_patch": patch,
            "FAIL_TO_PASS": ["a"], "responses_create_params": { "input": [] },
        });
        Target::read(&Row::parse(&row.to_string()).unwrap()).unwrap()
    }

    #[test]
    fn each_repository_has_its_command() {
        let none = BTreeMap::new();
        for (repo, files, extra, expected) in [
            ("getmoto/moto", &["tests/a.py", "tests/b.json"][..], "", "pytest -n0 -rA tests/a.py"),
            ("Project-MONAI/MONAI", &["tests/a b.py"], "", "pytest -rA 'tests/a b.py'"),
            (
                "django/django",
                &["tests/x/y.py"],
                "",
                "./tests/runtests.py --verbosity 2 --settings=test_sqlite --parallel 1 x.y",
            ),
            (
                "python/mypy",
                &["test-data/a.test"],
                "+[case one]\n+[case two]\n",
                "pytest -n0 -rA -k 'one or two'",
            ),
            ("rehearsal/tally", &["tests/a.py"], "", "unittest tests/a.py"),
            (
                "some/one",
                &["t.py"],
                "",
                "python3 -m pytest -rA --no-header -p no:cacheprovider t.py",
            ),
        ] {
            assert_eq!(of(&target(repo, files, extra), &none), expected, "{repo}");
        }
    }

    #[test]
    fn a_rows_command_comes_before_the_settings_and_these_before_the_known_ones() {
        let mut target = target("getmoto/moto", &["t.py"], "");
        let configured = BTreeMap::from([("getmoto/moto".to_owned(), "make test".to_owned())]);
        assert_eq!(of(&target, &configured), "make test t.py");
        target.test_command = Some("tox --".to_owned());
        assert_eq!(of(&target, &configured), "tox -- t.py");
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        for (text, expected) in
            [("a/b.py", "a/b.py"), ("", "''"), ("a'b; rm", r"'a'\''b; rm'"), ("$x", "'$x'")]
        {
            assert_eq!(quote(text), expected);
        }
    }
}
