//! The file system that a sandbox sees: a read-only tree with nothing in it but what is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Result;
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};

use super::c_path;
use super::jail::Step;

/// Devices that are nothing but functions.
const DEVICES: [&str; 5] = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];
/// The kernel's view of processes.
const PROCESSES: &str = "/proc";
/// Names of a process's own descriptors, which shells use.
const DESCRIPTORS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
];
/// Where the tree is built before it becomes the root; any folder that exists.
const BASES: [&str; 4] = ["/tmp", "/mnt", "/var", "/usr"];

/// The steps that build the tree, in order.
#[derive(Debug)]
pub(super) struct Root {
    base: CString,
    folders: Vec<CString>,
    links: Vec<(CString, CString)>,
    shown: Vec<Shown>,
}

/// A file or folder of the host that is shown.
#[derive(Debug)]
struct Shown {
    source: CString,
    /// Relative to the new root.
    target: CString,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
    Device,
    /// The kernel's view of processes; covered before foreign code runs.
    Processes,
}

/// How many trees can be shown.
const SHOWN_MAX: usize = 128;

#[derive(Default)]
struct Draft {
    links: BTreeMap<PathBuf, PathBuf>,
    shown: BTreeSet<PathBuf>,
}

impl Draft {
    /// Adds a path, and every symbolic link on the way to it.
    fn show(&mut self, path: &Path, depth: u32) {
        let mut prefix = PathBuf::new();
        let mut components = path.components();
        while let Some(component) = components.next() {
            match component {
                Component::ParentDir => _ = prefix.pop(),
                Component::CurDir | Component::Prefix(_) => {}
                Component::RootDir | Component::Normal(_) => prefix.push(component),
            }
            let Ok(target) = std::fs::read_link(&prefix) else { continue };
            let parent = prefix.parent().unwrap_or(Path::new("/"));
            let further = parent.join(&target).join(components.as_path());
            self.links.insert(prefix, target);
            // The kernel gives up at 40 links.
            if depth < 40 {
                self.show(&further, depth + 1);
            }
            return;
        }
        if prefix.exists() {
            self.shown.insert(prefix);
        }
    }
}

impl Root {
    /// Plans a tree that shows these paths, and has these folders to mount on.
    pub(super) fn plan(view: &BTreeSet<PathBuf>, folders: &[&str]) -> Self {
        let mut draft = Draft::default();
        for path in view.iter().map(PathBuf::as_path).chain(DEVICES.map(Path::new)) {
            draft.show(path, 0);
        }
        let Draft { mut links, shown } = draft;
        if view.contains(Path::new(PROCESSES)) {
            links.extend(DESCRIPTORS.map(|(path, target)| (path.into(), target.into())));
        }
        let is_shown = |path: &Path| path.ancestors().skip(1).any(|it| shown.contains(it));
        let shown_once: Vec<&PathBuf> = shown.iter().filter(|path| !is_shown(path)).collect();
        let links = links.iter().filter(|(path, _)| !is_shown(path));
        let relative = |path: &Path| path.strip_prefix("/").unwrap_or(path).to_owned();
        let mut made: BTreeSet<PathBuf> =
            folders.iter().map(|it| relative(Path::new(it))).collect();
        let places = shown_once.iter().map(|path| path.as_path());
        for place in places.chain(links.clone().map(|(path, _)| path.as_path())) {
            made.extend(relative(place).ancestors().skip(1).map(Path::to_owned));
        }
        let base = BASES.into_iter().find(|it| Path::new(it).is_dir()).unwrap_or("/");
        let shown = shown_once.into_iter().take(SHOWN_MAX);
        Self {
            base: c_path(Path::new(base)),
            folders: made
                .iter()
                .filter(|it| !it.as_os_str().is_empty())
                .map(|it| c_path(it))
                .collect(),
            links: links.map(|(path, target)| (c_path(target), c_path(&relative(path)))).collect(),
            shown: shown
                .map(|path| Shown {
                    source: c_path(path),
                    target: c_path(&relative(path)),
                    kind: Kind::of(path),
                })
                .collect(),
        }
    }

    /// Builds the tree and makes it the root of this mount namespace. Makes system calls only.
    ///
    /// Nothing on the host may change through it, and what is not shown is gone.
    pub(super) fn enter(&self, step: &mut Step) -> Result<()> {
        const NONE: Option<OwnedFd> = None;
        let mut trees = [NONE; SHOWN_MAX];
        *step = "clone what is shown";
        for (tree, shown) in trees.iter_mut().zip(&self.shown) {
            *tree = shown.clone_tree()?;
        }
        *step = "mount the root";
        let nowhere = MountFlags::NOSUID | MountFlags::NODEV;
        let options = Some(c"size=1m,mode=755");
        rustix::mount::mount(c"tmpfs", &*self.base, c"tmpfs", nowhere, options)?;
        rustix::process::chdir(&*self.base)?;
        *step = "make folders";
        for folder in &self.folders {
            rustix::fs::mkdirat(CWD, &**folder, Mode::from_raw_mode(0o755))?;
        }
        for (target, path) in &self.links {
            rustix::fs::symlinkat(&**target, CWD, &**path)?;
        }
        *step = "attach what is shown";
        for (tree, shown) in trees.iter().zip(&self.shown) {
            if let Some(tree) = tree {
                shown.attach(tree)?;
            }
        }
        *step = "change the root";
        rustix::process::pivot_root(c".", c".")?;
        rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
        rustix::process::chdir(c"/")?;
        let read_only = MountFlags::BIND | MountFlags::RDONLY | nowhere;
        rustix::mount::mount_remount(c"/", read_only, c"")
    }
}

impl Shown {
    /// A copy of the tree, of what is mounted in it too, that cannot be written through. None if the
    /// caller may not see it, as others' folders.
    fn clone_tree(&self) -> Result<Option<OwnedFd>> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE;
        let tree = match rustix::mount::open_tree(CWD, &*self.source, flags) {
            Ok(tree) => tree,
            Err(rustix::io::Errno::ACCESS | rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error),
        };
        let attributes = match self.kind {
            Kind::Folder | Kind::File => ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV,
            Kind::Device => ATTR_NOSUID | ATTR_NOEXEC,
            Kind::Processes => ATTR_NOSUID | ATTR_NOEXEC | ATTR_NODEV,
        };
        set_attributes(&tree, attributes)?;
        Ok(Some(tree))
    }

    fn attach(&self, tree: &OwnedFd) -> Result<()> {
        let mode = Mode::from_raw_mode(0o755);
        match self.kind {
            Kind::Folder | Kind::Processes => rustix::fs::mkdirat(CWD, &*self.target, mode)?,
            Kind::File | Kind::Device => {
                let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
                drop(rustix::fs::openat(CWD, &*self.target, flags, mode)?);
            }
        }
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        rustix::mount::move_mount(tree.as_fd(), c"", CWD, &*self.target, flags)
    }
}

impl Kind {
    fn of(path: &Path) -> Self {
        match path {
            path if path == Path::new(PROCESSES) => Self::Processes,
            path if path.starts_with("/dev") => Self::Device,
            path if path.is_dir() => Self::Folder,
            _ => Self::File,
        }
    }
}

const ATTR_RDONLY: u64 = 0x1;
const ATTR_NOSUID: u64 = 0x2;
const ATTR_NODEV: u64 = 0x4;
const ATTR_NOEXEC: u64 = 0x8;

/// `mount_setattr` on a whole tree: with these attributes, and private, so that nothing mounted later
/// comes in.
fn set_attributes(tree: &OwnedFd, set: u64) -> Result<()> {
    super::jail::mount_setattr(tree.as_raw_fd(), c"", set)
}

/// Cuts this mount namespace off from the one that it was copied from.
pub(super) fn make_private() -> Result<()> {
    use rustix::mount::MountPropagationFlags as Propagation;
    let root: &CStr = c"/";
    rustix::mount::mount_change(root, Propagation::PRIVATE | Propagation::REC)
}
