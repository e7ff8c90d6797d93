//! What this machine gives to keep foreign code inside, found out by trying.

use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::LazyLock;

use rustix::thread::UnshareFlags;

use super::cgroup::Groups;
use super::native::jail;

/// The layers of isolation that this machine has.
#[derive(Clone, Debug)]
pub struct Machine {
    layers: Vec<Layer>,
}

/// One layer of isolation.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What it is.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Whether code is run without it.
    pub need: Need,
    /// What was found; or why it is not there.
    pub found: Result<String, String>,
}

/// Whether foreign code is run without a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It is not, unless `sandbox.isolation: none` says so.
    Minimum,
    /// It is: other layers stand behind this one.
    Beyond,
}

/// The namespaces that are made where there are any.
const OPTIONAL: [(&str, &str, UnshareFlags); 3] = [
    ("ipc namespaces", "no shared memory with the host", UnshareFlags::NEWIPC),
    ("uts namespaces", "no view of the host's name", UnshareFlags::NEWUTS),
    ("cgroup namespaces", "no view of the host's groups", UnshareFlags::NEWCGROUP),
];

static MACHINE: LazyLock<Machine> = LazyLock::new(Machine::probe);

impl Machine {
    /// This machine, looked at once.
    pub fn this() -> &'static Self {
        &MACHINE
    }

    /// Its layers, those of the minimum first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// What it lacks of the minimum; nothing if it can keep foreign code inside.
    pub fn lacks(&self) -> Option<String> {
        let is_lacking = |layer: &&Layer| layer.need == Need::Minimum && layer.found.is_err();
        let lacking = self.layers.iter().filter(is_lacking).map(|layer| match &layer.found {
            Err(reason) => format!("no {} ({reason})", layer.name),
            Ok(_) => unreachable!("it is lacking"),
        });
        let lacking = lacking.collect::<Vec<_>>().join(", ");
        Some(lacking).filter(|lacking| !lacking.is_empty())
    }

    /// The namespaces beyond the minimum that it has.
    pub(super) fn optional_namespaces(&self) -> UnshareFlags {
        let has = |name: &str| self.layers.iter().any(|it| it.name == name && it.found.is_ok());
        OPTIONAL.into_iter().filter(|(name, ..)| has(name)).map(|(.., flags)| flags).collect()
    }

    fn probe() -> Self {
        let yes = |()| "yes".to_owned();
        let minimum = |name, purpose, found: io::Result<()>| {
            let found = found.map(yes).map_err(|error| reason(&error));
            Layer { name, purpose, need: Need::Minimum, found }
        };
        let namespaces = |flags| attempt(move || jail::unshare(UnshareFlags::NEWUSER | flags));
        let mut layers = vec![
            minimum(
                "user namespaces",
                "everything below without root",
                attempt(|| jail::unshare(UnshareFlags::NEWUSER)),
            ),
            minimum(
                "mount namespaces",
                "no files but those shown",
                attempt(jail::mount_in_private),
            ),
            minimum(
                "process namespaces",
                "no other processes; one kill ends all",
                namespaces(UnshareFlags::NEWPID),
            ),
            minimum("network namespaces", "no network", namespaces(UnshareFlags::NEWNET)),
            minimum("mount attributes", "what is shown is read-only", jail::has_mount_attributes()),
            minimum(
                "system call filters",
                "little kernel to attack",
                attempt(jail::filter_nothing),
            ),
        ];
        let beyond = |name, purpose, found| Layer { name, purpose, need: Need::Beyond, found };
        for (name, purpose, flags) in OPTIONAL {
            let found = namespaces(flags).map(yes).map_err(|error| reason(&error));
            layers.push(beyond(name, purpose, found));
        }
        let landlock = jail::landlock_abi().map(|version| format!("version {version}"));
        let landlock = landlock.ok_or_else(|| "not in this kernel".to_owned());
        layers.push(beyond("Landlock", "a second wall around files and signals", landlock));
        let groups = Groups::here().map(Groups::controllers).map_err(Clone::clone);
        layers.push(beyond("control groups v2", "limits for all processes together", groups));
        Self { layers }
    }
}

/// Tries a step in a child that goes no further.
fn attempt(mut step: impl FnMut() -> io::Result<()> + Send + Sync + 'static) -> io::Result<()> {
    // No step fails with this.
    const DONE: i32 = libc::EXDEV;
    let mut command = Command::new("/");
    let step = move || {
        step()?;
        Err(io::Error::from_raw_os_error(DONE))
    };
    #[expect(unsafe_code, reason = "`pre_exec` is how to be in a child process")]
    // SAFETY: the steps make system calls only.
    unsafe {
        command.pre_exec(step)
    };
    match command.spawn() {
        Err(error) if error.raw_os_error() == Some(DONE) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => unreachable!("a folder is no program"),
    }
}

fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "not permitted".into(),
        Some(libc::ENOSYS | libc::EINVAL) => "not in this kernel".into(),
        Some(libc::ENOSPC | libc::EUSERS) => "their number is limited to 0, or used up".into(),
        _ => error.to_string(),
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<22}{:<10}{:<42}here", "isolation", "needed", "for")?;
        for Layer { name, purpose, need, found } in &self.layers {
            let needed = match need {
                Need::Minimum => "yes",
                Need::Beyond => "no",
            };
            let here = match found {
                Ok(found) => found.clone(),
                Err(reason) => format!("no: {reason}"),
            };
            writeln!(f, "{name:<22}{needed:<10}{purpose:<42}{here}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &'static str, need: Need, found: Result<&str, &str>) -> Layer {
        let found = found.map(str::to_owned).map_err(str::to_owned);
        Layer { name, purpose: "a purpose", need, found }
    }

    #[test]
    fn what_is_missing_of_the_minimum_is_named_with_its_reason() {
        let good = layer("a", Need::Minimum, Ok("yes"));
        let beyond = layer("b", Need::Beyond, Err("not in this kernel"));
        let machine = Machine { layers: vec![good.clone(), beyond.clone()] };
        assert_eq!(machine.lacks(), None);
        let bad = layer("c", Need::Minimum, Err("not permitted"));
        let machine = Machine { layers: vec![good, bad, beyond] };
        assert_eq!(machine.lacks().as_deref(), Some("no c (not permitted)"));
        let table = machine.to_string();
        assert_eq!(table.lines().count(), 4);
        assert!(table.contains("no: not permitted"), "{table}");
    }

    #[test]
    fn a_step_that_is_not_permitted_is_found_out_and_changes_nothing_here() {
        let refused = attempt(|| Err(io::Error::from_raw_os_error(libc::EPERM)));
        assert_eq!(reason(&refused.unwrap_err()), "not permitted");
        let before = std::fs::read_link("/proc/self/ns/user").unwrap();
        let _ = attempt(|| jail::unshare(UnshareFlags::NEWUSER));
        assert_eq!(std::fs::read_link("/proc/self/ns/user").unwrap(), before);
    }
}
