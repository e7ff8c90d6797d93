//! The configured interpreter: whether it runs, and which files it needs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::SandboxError;

/// Tells what a sandbox must show for the interpreter to work: its executable, its prefixes, the folders
/// that it imports from, and those of the shared libraries that it and the modules brought in.
const PROBE: &str = r#"
import json, os, sys
import ctypes
for name in sys.argv[1:]:
    try: __import__(name)
    except ImportError: pass
mapped = set()
with open("/proc/self/maps") as maps:
    for line in maps:
        path = line.rstrip("\n").split(" ", 5)[-1].strip()
        if path.startswith("/") and ".so" in path: mapped.add(os.path.dirname(path))
print(json.dumps({
    # Python does not know its own where there is no PATH.
    "executable": sys.executable or os.readlink("/proc/self/exe"), "version": list(sys.version_info[:3]),
    "prefixes": sorted({sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}),
    "modules": [path for path in sys.path if path], "libraries": sorted(mapped),
}))
"#;

/// Prefixes that hold much else besides the interpreter.
const SYSTEM_PREFIXES: [&str; 4] = ["/", "/usr", "/usr/local", "/opt"];

/// Files that programs expect, without secrets; shown where they exist.
const COMMON: [&str; 5] =
    ["/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo", "/lib64", "/usr/lib64"];

/// An interpreter that runs.
#[derive(Clone, Debug)]
pub(super) struct Interpreter {
    pub(super) executable: PathBuf,
    /// Files and folders that it needs to see.
    pub(super) view: BTreeSet<PathBuf>,
}

#[derive(Deserialize)]
struct Probed {
    executable: PathBuf,
    version: [u32; 3],
    prefixes: Vec<PathBuf>,
    modules: Vec<PathBuf>,
    libraries: Vec<PathBuf>,
}

impl Interpreter {
    /// Where programs are looked for: its own folder first, so that `python3` is this one.
    pub(super) fn path(&self) -> String {
        let own = self.executable.parent().unwrap_or(Path::new("/usr/bin"));
        format!("{}:/usr/local/bin:/usr/bin:/bin", own.display())
    }

    /// What it needs in one of these folders, and the folder.
    pub(super) fn hidden_by(&self, folders: &[&'static str]) -> Option<(String, &'static str)> {
        let inside =
            |path: &PathBuf| folders.iter().find(|folder| path.starts_with(folder)).copied();
        self.view.iter().find_map(|path| Some((path.display().to_string(), inside(path)?)))
    }

    /// Runs the interpreter once, unconfined, since it belongs to the user.
    ///
    /// # Errors
    /// Fails if it does not run, is too old or lacks `ctypes`.
    pub(super) fn probe(python: &Path, preload: &[&str]) -> Result<Self, SandboxError> {
        let failed = |reason: String| {
            let python = python.display().to_string();
            SandboxError::Interpreter { python, reason }
        };
        let mut command = Command::new(python);
        command.args(["-I", "-B", "-c", PROBE]).args(preload).stdin(Stdio::null());
        let output = command.output().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(failed(text.trim().lines().last().unwrap_or("it failed").to_owned()));
        }
        let probed: Probed = serde_json::from_slice(&output.stdout)
            .map_err(|error| failed(format!("its answer is not understood: {error}")))?;
        if probed.version < [3, 9, 0] {
            let [major, minor, _] = probed.version;
            return Err(failed(format!("it is Python {major}.{minor}")));
        }
        Ok(Self { view: probed.view(), executable: probed.executable })
    }
}

impl Probed {
    fn view(&self) -> BTreeSet<PathBuf> {
        let is_own =
            |prefix: &&PathBuf| !SYSTEM_PREFIXES.iter().any(|it| Path::new(it) == **prefix);
        let mut view: BTreeSet<PathBuf> = self.prefixes.iter().filter(is_own).cloned().collect();
        view.extend(self.modules.iter().chain(&self.libraries).cloned());
        view.insert(self.executable.clone());
        view.extend(std::fs::canonicalize(&self.executable).ok());
        view.extend(COMMON.map(PathBuf::from));
        // Where `/lib` leads to `/usr/lib`, libraries are asked for by either name.
        let without_usr =
            |path: &PathBuf| Some(Path::new("/").join(path.strip_prefix("/usr").ok()?));
        view.extend(self.libraries.iter().filter_map(without_usr));
        view.retain(|path| path.exists());
        view
    }
}
