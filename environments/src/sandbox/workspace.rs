//! A workspace: folders that stay for a session, and commands that run in them one after another.
//!
//! Commands share `/workspace` (where they start) and `/tmp`, both of limited size, and see the
//! system's programs. What a command leaves in the background is killed when it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Execution, Exit, Limits, Pool, Profile, Programs, RequestLimits, SandboxError};

/// How much longer than its command a request may take.
const GRACE: Duration = Duration::from_secs(10);
/// How long moving files may take.
const MOVE_MAX: Duration = Duration::from_secs(60);

/// Folders of one session, and what runs in them. Dropped, everything in it is gone.
#[derive(Debug)]
pub struct Workspace {
    execution: Execution,
}

/// A command to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// The program and its arguments.
    pub arguments: Vec<String>,
    /// Where it starts.
    pub folder: String,
    /// Variables besides those that every command has.
    pub environment: BTreeMap<String, String>,
    /// How long it may run.
    pub timeout: Duration,
    /// How many bytes of its output are kept: one half from its start, one from its end.
    pub output_max: usize,
}

impl Command {
    /// A script for `bash -lc`, started in `/workspace`.
    pub fn bash(script: &str, timeout: Duration) -> Self {
        let arguments = ["bash", "-lc", script].map(str::to_owned).into();
        let (folder, environment) = ("/workspace".to_owned(), BTreeMap::new());
        Self { arguments, folder, environment, timeout, output_max: 1 << 20 }
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandEnded {
    /// By itself, by a signal, or at its deadline.
    pub exit: Exit,
    /// What it wrote to its output and its errors, in the order of writing.
    pub output: Vec<u8>,
    /// Characters between the kept halves of the output that were dropped.
    pub dropped: u64,
}

/// A file to be put into a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Absolute, or relative to `/workspace`. Folders on the way are made.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// Whether it may be run.
    pub is_executable: bool,
}

/// Why a workspace did not do what it was asked to.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkspaceError {
    /// It has ended.
    #[error("the workspace has ended: {0:?}")]
    Ended(Exit),
    /// It says that it cannot.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Answer {
    error: Option<String>,
    code: Option<i32>,
    #[serde(default)]
    is_timed_out: bool,
    #[serde(default)]
    dropped: u64,
}

impl Workspace {
    /// The profile of workspaces with these limits.
    pub fn profile(limits: Limits) -> Profile {
        let driver = include_str!("shell.py");
        Profile { name: "shell", driver, preload: &[], programs: Programs::System, limits }
    }

    /// Opens an empty workspace of a pool of that profile.
    ///
    /// # Errors
    /// Fails as [`Pool::execute`] does.
    pub async fn open(pool: &Pool, limits: Limits) -> Result<Self, SandboxError> {
        Ok(Self { execution: pool.execute(limits).await? })
    }

    /// Opens a workspace that is a container of an image, for pools of [`Programs::Image`].
    ///
    /// # Errors
    /// Fails as [`Pool::execute_in`] does.
    pub async fn open_in(pool: &Pool, image: &str, limits: Limits) -> Result<Self, SandboxError> {
        Ok(Self { execution: pool.execute_in(image, limits).await? })
    }

    /// Runs a command to its end, or to its deadline, and kills what is left of it.
    ///
    /// # Errors
    /// Fails if the workspace has ended, or there is no such program or folder.
    pub async fn run(&mut self, command: &Command) -> Result<CommandEnded, WorkspaceError> {
        let Command { arguments, folder, environment, timeout, output_max } = command;
        let request = json!({"run": {
            "argv": arguments, "folder": folder, "env": environment,
            "timeout": timeout.as_secs_f64(), "output_max": output_max,
        }});
        let (answer, output) = self.ask(&request, &[], *timeout + GRACE).await?;
        let exit = match answer.code {
            _ if answer.is_timed_out => Exit::TimedOut(super::Clock::Wall),
            Some(code @ 0..) => Exit::Exited { code },
            Some(signal) => Exit::Signalled { signal: -signal },
            None => return Err(WorkspaceError::Refused { reason: "it answered nothing".into() }),
        };
        Ok(CommandEnded { exit, output, dropped: answer.dropped })
    }

    /// Puts files into the workspace, in place of those there.
    ///
    /// # Errors
    /// Fails if the workspace has ended, is full, or a path cannot be written.
    pub async fn put(&mut self, files: &[File]) -> Result<(), WorkspaceError> {
        let entry = |file: &File| {
            let File { path, content, is_executable } = file;
            json!({"path": path, "length": content.len(), "is_executable": is_executable})
        };
        let request = json!({"put": files.iter().map(entry).collect::<Vec<_>>()});
        let content: Vec<u8> = files.iter().flat_map(|file| &file.content).copied().collect();
        self.ask(&request, &content, MOVE_MAX).await.map(drop)
    }

    /// The content of a file, links followed as the sandbox sees them.
    ///
    /// # Errors
    /// Fails if the workspace has ended, or there is no such file of at most so many bytes.
    pub async fn read(&mut self, path: &str, bytes_max: u64) -> Result<Vec<u8>, WorkspaceError> {
        let request = json!({"read": {"path": path, "length_max": bytes_max}});
        self.ask(&request, &[], MOVE_MAX).await.map(|(_, content)| content)
    }

    /// A folder as an archive, for [`unpack`](Self::unpack) of another workspace. The host must not look
    /// into it: foreign code wrote it.
    ///
    /// # Errors
    /// Fails if the workspace has ended, or there is no such folder.
    pub async fn pack(&mut self, folder: &str) -> Result<Vec<u8>, WorkspaceError> {
        let request = json!({"pack": folder});
        self.ask(&request, &[], MOVE_MAX).await.map(|(_, archive)| archive)
    }

    /// Unpacks an archive into a folder.
    ///
    /// # Errors
    /// Fails if the workspace has ended or is full, or it is no archive.
    pub async fn unpack(&mut self, folder: &str, archive: &[u8]) -> Result<(), WorkspaceError> {
        let request = json!({"unpack": folder});
        self.ask(&request, archive, MOVE_MAX).await.map(drop)
    }

    /// Ends it, and everything that runs in it.
    pub async fn close(self) {
        self.execution.kill().await;
    }

    async fn ask(
        &mut self,
        request: &Value,
        payload: &[u8],
        timeout: Duration,
    ) -> Result<(Answer, Vec<u8>), WorkspaceError> {
        let mut frame = request.to_string().into_bytes();
        frame.push(b'\n');
        frame.extend_from_slice(payload);
        let limits = RequestLimits { wall: timeout, cpu: timeout.saturating_mul(64) };
        let answer = self.execution.request(&frame, &limits).await;
        let mut answer = answer.map_err(WorkspaceError::Ended)?;
        let unclear = || WorkspaceError::Refused { reason: "its answer is not understood".into() };
        let end = answer.iter().position(|byte| *byte == b'\n').ok_or_else(unclear)?;
        let content = answer.split_off(end + 1);
        let answer: Answer = serde_json::from_slice(&answer).map_err(|_| unclear())?;
        match answer.error {
            Some(reason) => Err(WorkspaceError::Refused { reason }),
            None => Ok((answer, content)),
        }
    }
}
