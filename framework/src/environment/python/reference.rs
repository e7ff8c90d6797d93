//! The real Python, for tests that compare with it where there is one.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Runs a script on an input and returns what it prints; `None`, after saying so in one line, where
/// `python3` is absent or cannot run it.
pub(crate) fn python(script: &str, input: &str) -> Option<String> {
    let output = run(script, input);
    if output.is_none() {
        println!("skipped: no `python3` that can run this comparison");
    }
    output
}

fn run(script: &str, input: &str) -> Option<String> {
    let mut command = Command::new("python3");
    command.args(["-c", script]).env("PYTHONIOENCODING", "utf-8");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let mut stdin = child.stdin.take()?;
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().ok()?;
    writer.join().ok()?.ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok())?
}
