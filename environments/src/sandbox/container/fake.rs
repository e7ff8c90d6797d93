//! An engine for tests, whose containers are namespaces of this machine: machines that build this have
//! rarely a daemon, and all that is ours is the same with it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::{ContainerSettings, Engine};
use crate::sandbox::{BackendName, Settings};

/// The engine's folder. Dropped, it is gone.
pub(crate) struct Fake {
    folder: tempfile::TempDir,
}

impl Fake {
    /// An engine; none, after saying so in one line, where there are no namespaces to make it of.
    pub(crate) fn new() -> Option<Self> {
        let mut unshare = std::process::Command::new("unshare");
        unshare.args(["--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "true"]);
        if !unshare.status().is_ok_and(|status| status.success()) {
            println!("skipped: no namespaces can be made here for containers");
            return None;
        }
        let fake = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(fake.path("docker"), include_str!("fake_engine.sh")).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(fake.path("docker"), executable).unwrap();
        Some(fake)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// What it was called with, a line each.
    pub(crate) fn calls(&self) -> String {
        std::fs::read_to_string(self.path("calls")).unwrap_or_default()
    }

    /// The names of its containers that run.
    pub(crate) fn running(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("running")).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// A sandbox whose containers are this engine's.
    pub(crate) fn settings(&self, image: &str) -> Settings {
        let program = Some(self.path("docker"));
        Settings {
            backend: BackendName::Docker,
            image: Some(image.to_owned()),
            container: ContainerSettings { program, ..ContainerSettings::default() },
            ..Settings::default()
        }
    }

    /// The same as the `sandbox:` of an environment's settings.
    pub(crate) fn json(&self, image: &str) -> serde_json::Value {
        let engine = Engine::Docker.name();
        let program = self.path("docker");
        serde_json::json!({ "backend": engine, "image": image, "container": { "program": program } })
    }
}
