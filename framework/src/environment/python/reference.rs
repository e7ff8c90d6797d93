//! The real Python, for tests that compare with it where there is one.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Runs a script on an input and returns what it prints; `None`, after saying so in one line, where
/// there is no `python3`, a module is not installed, or the script asserts that it is too new.
///
/// # Panics
/// Panics if the script fails for any other reason.
pub(crate) fn python(script: &str, input: &str) -> Option<String> {
    let Some(Output { status, stdout, stderr }) = run(script, input) else {
        println!("skipped: no `python3` to compare with");
        return None;
    };
    if status.success() {
        return Some(String::from_utf8(stdout).expect("Python was told to write UTF-8"));
    }
    let error = String::from_utf8_lossy(&stderr);
    let is_unfit =
        ["ModuleNotFoundError", "AssertionError"].iter().any(|name| error.contains(name));
    assert!(is_unfit, "{error}");
    println!("skipped: {}", error.lines().last().unwrap_or_default());
    None
}

fn run(script: &str, input: &str) -> Option<Output> {
    let mut command = Command::new("python3");
    command.args(["-c", script]).env("PYTHONIOENCODING", "utf-8");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    let mut stdin = child.stdin.take()?;
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().ok()?;
    drop(writer.join());
    Some(output)
}
