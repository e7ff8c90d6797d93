//! Control groups (cgroup v2), where this process may make them: limits for all processes of an execution
//! together, which `setrlimit` does not have.
//!
//! They need a group of this process's own whose controllers it may hand on, as systemd gives to units with
//! `Delegate=yes`. Elsewhere the other limits have to do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Limits;

static GROUPS: LazyLock<Result<Groups, String>> = LazyLock::new(Groups::find);
static NEXT: AtomicU64 = AtomicU64::new(0);

/// How long a group may take to be empty after its processes were killed.
const EMPTY_MAX: Duration = Duration::from_secs(5);

/// Where groups are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Groups {
    parent: PathBuf,
    /// Controllers that its groups have.
    controllers: Vec<String>,
}

/// The group of one execution.
#[derive(Debug)]
pub(super) struct Group(PathBuf);

impl Groups {
    /// Those of this process; or why it has none.
    pub(super) fn here() -> Result<&'static Self, &'static String> {
        GROUPS.as_ref()
    }

    /// The controllers that limit something.
    pub(super) fn controllers(&self) -> String {
        self.controllers.join(", ")
    }

    fn find() -> Result<Self, String> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mount = mount_of(&read("/proc/self/mountinfo")).ok_or("it is not mounted")?;
        let groups = read("/proc/self/cgroup");
        let own = own_path(&groups).ok_or("this process is in none")?;
        let parent = mount.join(own.trim_start_matches('/'));
        let groups = Self::under(&parent)?;
        let tried = groups.create(&Limits::default()).map_err(|error| error.to_string())?;
        fs::remove_dir(&tried.0).map_err(|error| error.to_string())?;
        Ok(groups)
    }

    fn under(parent: &Path) -> Result<Self, String> {
        let list = |file: &str| fs::read_to_string(parent.join(file)).unwrap_or_default();
        let wanted = ["memory", "pids"];
        let available = list("cgroup.controllers");
        let given =
            wanted.into_iter().filter(|it| available.split_whitespace().any(|name| name == *it));
        for controller in given {
            // Refused where processes are in the group itself, or it is not ours; seen below.
            let _ = tell(&parent.join("cgroup.subtree_control"), &format!("+{controller} "));
        }
        let enabled = list("cgroup.subtree_control");
        let has = |name: &&str| enabled.split_whitespace().any(|it| it == *name);
        let controllers: Vec<_> = wanted.into_iter().filter(has).map(str::to_owned).collect();
        if controllers.is_empty() {
            return Err("neither `memory` nor `pids` is given to this process".into());
        }
        Ok(Self { parent: parent.to_owned(), controllers })
    }

    /// Makes a group with these limits.
    pub(super) fn create(&self, limits: &Limits) -> io::Result<Group> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rehearsal-{}-{number}", std::process::id());
        let group = Group(self.parent.join(name));
        fs::create_dir(&group.0)?;
        for controller in &self.controllers {
            let (file, limit) = match controller.as_str() {
                // Folders in memory count too.
                "memory" => ("memory.max", limits.memory.saturating_add(2 * limits.disk)),
                _ => ("pids.max", limits.processes.into()),
            };
            fs::write(group.0.join(file), limit.to_string())?;
        }
        if self.controllers.iter().any(|it| it == "memory") {
            // Absent where the kernel counts no swap.
            let _ = fs::write(group.0.join("memory.swap.max"), "0");
        }
        Ok(group)
    }
}

/// Writes to a file of the kernel's, whose content is not replaced by that.
fn tell(file: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    fs::OpenOptions::new().append(true).open(file)?.write_all(text.as_bytes())
}

impl Group {
    /// Puts a process into it, and what it starts from now on.
    pub(super) fn add(&self, pid: u32) -> io::Result<()> {
        fs::write(self.0.join("cgroup.procs"), pid.to_string())
    }

    /// Kills all its processes.
    pub(super) fn kill(&self) {
        // Unknown to kernels before 5.14; the process namespace ends them too.
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
    }

    /// Whether the kernel killed one of its processes for want of memory.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.0.join("memory.events")).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|kills| kills.trim() != "0")
    }

    /// Removes it, once its processes are gone.
    pub(super) async fn remove(self) {
        self.kill();
        let removed = async {
            while fs::remove_dir(&self.0)
                .is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY))
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(EMPTY_MAX, removed).await.is_err() {
            tracing::warn!(group = %self.0.display(), "a control group does not become empty");
        }
    }
}

/// Where the hierarchy is mounted.
fn mount_of(mounts: &str) -> Option<PathBuf> {
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    line.split(' ').nth(4).map(PathBuf::from)
}

/// This process's own group.
fn own_path(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| line.strip_prefix("0::"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A group of which the kernel says that it killed a process for want of memory.
    pub(in crate::sandbox) fn starved(folder: &Path) -> Group {
        fs::write(folder.join("memory.events"), "oom_kill 1\n").unwrap();
        Group(folder.to_owned())
    }

    #[test]
    fn the_hierarchy_is_found_beside_others() {
        let mounts = "40 31 0:37 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:1 - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_of(mounts), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(mount_of("1 2 0:3 / / rw - ext4 /dev/sda rw"), None);
        assert_eq!(own_path("3:pids:/a\n0::/user.slice/b\n"), Some("/user.slice/b"));
    }

    /// A folder with the files of a group whose controllers were handed on, as systemd does it. What the
    /// kernel makes of them is not to be had without its controllers.
    fn delegated() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cgroup.controllers"), "cpu io memory pids\n").unwrap();
        fs::write(folder.path().join("cgroup.subtree_control"), "memory pids\n").unwrap();
        folder
    }

    fn read(group: &Group, file: &str) -> String {
        fs::read_to_string(group.0.join(file)).unwrap()
    }

    #[test]
    fn controllers_are_asked_for_and_used_if_they_are_given() {
        let folder = delegated();
        let groups = Groups::under(folder.path()).unwrap();
        assert_eq!(groups.controllers(), "memory, pids");
        let control = folder.path().join("cgroup.subtree_control");
        assert_eq!(fs::read_to_string(&control).unwrap(), "memory pids\n+memory +pids ");
        fs::write(&control, "").unwrap();
        assert!(Groups::under(folder.path()).unwrap_err().contains("given to this process"));
        let empty = tempfile::tempdir().unwrap();
        assert!(Groups::under(empty.path()).unwrap_err().contains("given to this process"));
    }

    #[tokio::test]
    async fn a_group_has_the_limits_that_its_controllers_know() {
        let folder = delegated();
        let groups = Groups::under(folder.path()).unwrap();
        let limits = Limits { memory: 1000, disk: 10, processes: 7, ..Limits::default() };
        let group = groups.create(&limits).unwrap();
        assert_eq!(read(&group, "memory.max"), "1020", "with two folders in memory");
        assert_eq!(read(&group, "memory.swap.max"), "0");
        assert_eq!(read(&group, "pids.max"), "7");
        group.add(4077).unwrap();
        assert_eq!(read(&group, "cgroup.procs"), "4077");
        assert!(!group.ran_out_of_memory());
        fs::write(group.0.join("memory.events"), "oom 1\noom_kill 0\n").unwrap();
        assert!(!group.ran_out_of_memory());
        fs::write(group.0.join("memory.events"), "oom 1\noom_kill 1\n").unwrap();
        assert!(group.ran_out_of_memory());
        let only_pids = Groups { controllers: vec!["pids".into()], ..groups };
        let second = only_pids.create(&limits).unwrap();
        assert_ne!(second.0, group.0);
        assert!(!second.0.join("memory.max").exists());
        let path = group.0.clone();
        group.remove().await;
        assert_eq!(fs::read_to_string(path.join("cgroup.kill")).unwrap(), "1");
    }

    #[tokio::test]
    async fn a_group_is_killed_as_a_whole_and_removed() {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let parent = mount_of(&mounts).unwrap_or_default();
        let groups = Groups { parent, controllers: Vec::new() };
        let Ok(group) = groups.create(&Limits::default()) else {
            println!("skipped: no group can be made here");
            return;
        };
        let mut sleep = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        group.add(sleep.id()).unwrap();
        group.kill();
        let path = group.0.clone();
        assert!(!sleep.wait().unwrap().success());
        group.remove().await;
        assert!(!path.exists());
    }
}
