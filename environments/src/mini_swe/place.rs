//! Where a repository lies and commands run in it: a workspace of the sandbox, of whichever backend.

use std::collections::BTreeMap;
use std::time::Duration;

use framework::environment::EnvironmentError;

use crate::sandbox::{Command, Exit, File, Workspace, WorkspaceError};

/// A copy of a repository. Dropped, it is gone, and everything that runs in it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) workspace: Workspace,
    /// The repository's folder.
    pub(super) folder: &'static str,
    /// The shell, which takes a script.
    pub(super) shell: &'static [&'static str],
}

/// What a command has done.
#[derive(Debug)]
pub(super) struct Done {
    /// How it ended; none if it was stopped for time.
    pub(super) code: Option<i32>,
    /// What it printed, perhaps without its middle.
    pub(super) output: String,
    /// How many characters are missing there.
    pub(super) dropped: u64,
}

impl Done {
    /// Whether it ended well.
    pub(super) fn is_ok(&self) -> bool {
        self.code == Some(0)
    }
}

/// Variables of every command: nothing waits for keys, and nothing draws.
const VARIABLES: [(&str, &str); 6] = [
    ("LESS", "-R"),
    ("MANPAGER", "cat"),
    ("PAGER", "cat"),
    ("PIP_PROGRESS_BAR", "off"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("TQDM_DISABLE", "1"),
];

/// What a script may take and say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) timeout: Duration,
    pub(super) output_max: usize,
}

impl Place {
    /// Runs a script in a shell of its own, in the repository's folder.
    ///
    /// # Errors
    /// Fails if the place is lost; how the script ended is no error.
    pub(super) async fn run(
        &mut self,
        script: &str,
        bounds: Bounds,
    ) -> Result<Done, EnvironmentError> {
        let arguments = self.shell.iter().copied().chain([script]).map(str::to_owned);
        let Bounds { timeout, output_max } = bounds;
        let command = Command {
            arguments: arguments.collect(),
            folder: self.folder.to_owned(),
            environment: variables(),
            timeout,
            output_max,
        };
        let ended = self.workspace.run(&command).await.map_err(lost)?;
        let code = match ended.exit {
            Exit::Exited { code } => Some(code),
            Exit::Signalled { signal } => Some(128 + signal),
            _ => None,
        };
        let output = String::from_utf8_lossy(&ended.output).into_owned();
        Ok(Done { code, output, dropped: ended.dropped })
    }

    /// Runs a script that has to end well.
    ///
    /// # Errors
    /// Fails if it does not, with what it says.
    pub(super) async fn run_well(
        &mut self,
        what: &str,
        script: &str,
    ) -> Result<Done, EnvironmentError> {
        let bounds = Bounds { timeout: Duration::from_secs(120), output_max: 1 << 20 };
        let done = self.run(script, bounds).await?;
        if done.is_ok() {
            return Ok(done);
        }
        let code =
            done.code.map_or_else(|| "time ran out".to_owned(), |code| format!("code {code}"));
        let said = done.output.trim();
        let tail = said.char_indices().rev().nth(500).map_or(0, |(index, _)| index);
        Err(EnvironmentError::permanent(format_args!("cannot {what} ({code}): {}", &said[tail..])))
    }

    /// Writes a file.
    ///
    /// # Errors
    /// Fails if the place is lost.
    pub(super) async fn put(&mut self, path: &str, content: &str) -> Result<(), EnvironmentError> {
        let content = content.as_bytes().to_vec();
        let file = File { path: path.to_owned(), content, is_executable: false };
        self.workspace.put(&[file]).await.map_err(lost)
    }
}

fn variables() -> BTreeMap<String, String> {
    VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// A workspace that has ended may be opened again.
pub(super) fn lost(error: WorkspaceError) -> EnvironmentError {
    EnvironmentError::temporary(error)
}
