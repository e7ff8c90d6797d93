//! The way into a sandbox, taken by the child between `fork` and `exec`: system calls only.
#![expect(unsafe_code, reason = "system calls that no library wraps, and `fork`")]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::UnshareFlags;
use seccompiler::BpfProgram;

use super::root::{Root, make_private};
use crate::sandbox::machine::Machine;

/// What is being done, for the message of its failure.
pub(super) type Step = &'static str;

/// All the ways in which a worker is kept apart.
#[derive(Debug)]
pub(super) struct Jail {
    root: Root,
    filter: BpfProgram,
    user: User,
    namespaces: UnshareFlags,
}

/// Whom the host takes the sandbox's processes for.
#[derive(Debug)]
enum User {
    /// The user who runs this process; the kernel lets nobody else choose.
    Same {
        /// The lines of the maps.
        uid_map: String,
        gid_map: String,
    },
    /// A user that exists nowhere else, which only root can choose.
    Apart { uid_map: String, gid_map: String },
}

/// The first of the users that sandboxes of root run as: beyond those that systems give to people,
/// services and containers.
const USERS_FIRST: u32 = 0x7000_0000;

impl Jail {
    pub(super) fn plan(root: Root, filter: BpfProgram) -> Self {
        let namespaces = UnshareFlags::NEWUSER
            | UnshareFlags::NEWNS
            | UnshareFlags::NEWPID
            | UnshareFlags::NEWNET
            | Machine::this().optional_namespaces();
        Self { root, filter, user: User::current(), namespaces }
    }

    /// Enters. On failure the step's name goes to standard error.
    pub(super) fn enter(&self) -> io::Result<()> {
        let mut step = "leave the terminal";
        let entered = self.take_steps(&mut step);
        if entered.is_err() {
            let _ = rustix::io::write(rustix::stdio::stderr(), step.as_bytes());
        }
        entered
    }

    fn take_steps(&self, step: &mut Step) -> io::Result<()> {
        leave_the_terminal()?;
        // When memory is short, what runs here goes first. Not every container has the file.
        let _ = write_to(c"/proc/self/oom_score_adj", b"1000");
        rustix::process::umask(Mode::from_raw_mode(0o022));
        match &self.user {
            User::Same { uid_map, gid_map } => {
                *step = "make namespaces";
                unshare(self.namespaces)?;
                *step = "map the user";
                write_to(c"/proc/self/setgroups", b"deny")?;
                write_to(c"/proc/self/uid_map", uid_map.as_bytes())?;
                write_to(c"/proc/self/gid_map", gid_map.as_bytes())?;
                make_private()?;
                self.root.enter(step)?;
            }
            User::Apart { uid_map, gid_map } => {
                *step = "start the mapper";
                let mapper = Mapper::start(uid_map, gid_map)?;
                *step = "make a mount namespace";
                unshare(UnshareFlags::NEWNS)?;
                make_private()?;
                self.root.enter(step)?;
                *step = "make namespaces";
                unshare(self.namespaces)?;
                *step = "map the user";
                mapper.map()?;
                *step = "become the user";
                let (uid, gid) = (rustix::process::Uid::ROOT, rustix::process::Gid::ROOT);
                rustix::thread::set_thread_groups(&[])?;
                rustix::thread::set_thread_res_gid(gid, gid, gid)?;
                rustix::thread::set_thread_res_uid(uid, uid, uid)?;
            }
        }
        *step = "give up privileges";
        rustix::thread::set_no_new_privs(true)?;
        close_all_on_exec()?;
        *step = "filter system calls";
        seccompiler::apply_filter(&self.filter).map_err(|_| io::Error::last_os_error())
    }
}

impl User {
    fn current() -> Self {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        if !uid.is_root() {
            let map = |id: u32| format!("0 {id} 1");
            return Self::Same { uid_map: map(uid.as_raw()), gid_map: map(gid.as_raw()) };
        }
        let map = format!("0 {} 1", apart());
        Self::Apart { uid_map: map.clone(), gid_map: map }
    }
}

/// A user of the host that nobody is: one of this process's own where the host has so many.
fn apart() -> u32 {
    let wanted = USERS_FIRST + std::process::id() % (1 << 20);
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let is_mapped = map.lines().any(|line| {
        let mut numbers = line.split_ascii_whitespace().map(|it| it.parse::<u64>().unwrap_or(0));
        let (first, _, count) = (numbers.next(), numbers.next(), numbers.next());
        let first = first.unwrap_or(0);
        (first..first + count.unwrap_or(0)).contains(&u64::from(wanted))
    });
    // `nobody`, in containers that have few users.
    if is_mapped { wanted } else { 65_534 }
}

/// A child that stays outside, where alone it may write the maps of those inside.
struct Mapper {
    pid: libc::pid_t,
    /// Closed, it maps.
    go: OwnedFd,
}

impl Mapper {
    fn start(uid_map: &str, gid_map: &str) -> io::Result<Self> {
        let (told, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let mapped = rustix::process::getpid();
        // SAFETY: the child makes system calls only, and ends by `_exit`.
        let pid = unsafe { libc::fork() };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        if pid == 0 {
            drop(go);
            let result = map_when_told(&told, mapped.as_raw_nonzero().get(), uid_map, gid_map);
            // SAFETY: it ends here, without running anything of its parent's.
            unsafe { libc::_exit(i32::from(result.is_err())) }
        }
        Ok(Self { pid, go })
    }

    fn map(self) -> io::Result<()> {
        drop(self.go);
        let mut status = 0;
        // SAFETY: it is our child, and `status` outlives the call.
        let waited = unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
        if waited < 0 {
            return Err(io::Error::last_os_error());
        }
        if status == 0 { Ok(()) } else { Err(Errno::PERM.into()) }
    }
}

fn map_when_told(told: &OwnedFd, pid: i32, uid_map: &str, gid_map: &str) -> io::Result<()> {
    let mut byte = [0];
    rustix::io::read(told, &mut byte)?;
    let mut path = [0; 40];
    write_to(proc_path(&mut path, pid, b"/uid_map\0"), uid_map.as_bytes())?;
    write_to(proc_path(&mut path, pid, b"/gid_map\0"), gid_map.as_bytes())
}

/// `/proc/<pid><file>`, without allocating.
fn proc_path<'a>(buffer: &'a mut [u8; 40], pid: i32, file: &[u8]) -> &'a CStr {
    let mut digits = [0; 10];
    let (mut count, mut rest) = (0, pid);
    while rest > 0 || count == 0 {
        digits[count] = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
    }
    let number = digits[..count].iter().rev();
    let path = b"/proc/".iter().chain(number).chain(file);
    for (place, byte) in buffer.iter_mut().zip(path) {
        *place = *byte;
    }
    CStr::from_bytes_until_nul(buffer).expect("it ends in NUL")
}

fn write_to(path: &CStr, text: &[u8]) -> io::Result<()> {
    let file = rustix::fs::openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(file.as_fd(), text)?;
    Ok(())
}

pub(in crate::sandbox) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: the flags do not contain `FILES`: no descriptor table is split from another thread's.
    unsafe { rustix::thread::unshare_unsafe(flags) }?;
    Ok(())
}

/// A session of its own, so that an interrupt from the keyboard is the host's to handle.
pub(super) fn leave_the_terminal() -> io::Result<()> {
    rustix::process::setsid()?;
    Ok(())
}

/// Whatever the host has open ends at `exec`, also where it forgot to say so.
fn close_all_on_exec() -> io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: it takes numbers only, and closes nothing now.
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Sets attributes on a mount and all below it, and makes them private.
pub(super) fn mount_setattr(tree: i32, path: &CStr, set: u64) -> rustix::io::Result<()> {
    const AT_EMPTY_PATH: libc::c_uint = 0x1000;
    const AT_RECURSIVE: libc::c_uint = 0x8000;
    const MS_PRIVATE: u64 = 1 << 18;
    let attributes = MountAttributes { set, clear: 0, propagation: MS_PRIVATE, user_namespace: 0 };
    // SAFETY: the pointers outlive the call, and the size is that of what they point to.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree,
            path.as_ptr(),
            AT_EMPTY_PATH | AT_RECURSIVE,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    if result < 0 {
        Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::PERM))
    } else {
        Ok(())
    }
}

/// The version of Landlock that the kernel has, if it has it.
pub(in crate::sandbox) fn landlock_abi() -> Option<i64> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag and no attributes the call only answers a number.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION)
    };
    (version > 0).then_some(version)
}

/// Mounts something where only the caller sees it: some systems permit the namespace, but nothing in it.
pub(in crate::sandbox) fn mount_in_private() -> io::Result<()> {
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)?;
    make_private()?;
    let flags = rustix::mount::MountFlags::NOSUID;
    Ok(rustix::mount::mount(c"tmpfs", c"/tmp", c"tmpfs", flags, Some(c"size=4k"))?)
}

/// Whether the kernel sets attributes on whole trees of mounts.
pub(in crate::sandbox) fn has_mount_attributes() -> io::Result<()> {
    match mount_setattr(-1, c"", 0) {
        Err(Errno::NOSYS) => Err(Errno::NOSYS.into()),
        // There is no such tree, as a kernel says that knows the call, nor may everybody ask.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Installs a filter of system calls that allows all.
pub(in crate::sandbox) fn filter_nothing() -> io::Result<()> {
    // `ret SECCOMP_RET_ALLOW`
    let allow = [seccompiler::sock_filter { code: 6, jt: 0, jf: 0, k: 0x7FFF_0000 }];
    seccompiler::apply_filter(&allow).map_err(|_| io::Error::last_os_error())
}
