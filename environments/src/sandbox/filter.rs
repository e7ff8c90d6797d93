//! Filters of system calls (seccomp): what a worker may never ask the kernel for, and the little that
//! foreign code may.
//!
//! Foreign code gets a list of what is allowed, since what a kernel will learn tomorrow is not known
//! today. The worker itself, which must mount and unshare, has a list of what is denied.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::{Programs, SandboxError};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// `CLONE_NEW…`: every flag of `clone` that makes a namespace.
const CLONE_NAMESPACES: u64 = 0x7E02_0000;
const CLONE_THREAD: u64 = 0x0001_0000;

/// Calls that neither a worker nor an execution has any use for.
const NEVER: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mbind,
    libc::SYS_memfd_create,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_mq_open,
    libc::SYS_msgget,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_semget,
    libc::SYS_shmget,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Calls that work on what a process has already: memory, threads, time, files, itself.
const ALWAYS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_capget,
    libc::SYS_chdir,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_fchdir,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_fgetxattr,
    libc::SYS_flistxattr,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_get_mempolicy,
    libc::SYS_get_robust_list,
    libc::SYS_getcpu,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getitimer,
    libc::SYS_getpeername,
    libc::SYS_getpgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getpriority,
    libc::SYS_getrandom,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getrusage,
    libc::SYS_getsid,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_getxattr,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch,
    libc::SYS_ioctl,
    libc::SYS_kill,
    libc::SYS_lgetxattr,
    libc::SYS_linkat,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mincore,
    libc::SYS_mkdirat,
    libc::SYS_mlock,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_msync,
    libc::SYS_munlock,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_prctl,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_prlimit64,
    libc::SYS_pselect6,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readahead,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_renameat2,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getattr,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_rr_get_interval,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendfile,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_setitimer,
    libc::SYS_setpgid,
    libc::SYS_setpriority,
    libc::SYS_setsid,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_signalfd4,
    libc::SYS_socketpair,
    libc::SYS_splice,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_symlinkat,
    libc::SYS_sync_file_range,
    libc::SYS_sysinfo,
    libc::SYS_tee,
    libc::SYS_tgkill,
    libc::SYS_timer_create,
    libc::SYS_timer_delete,
    libc::SYS_timer_getoverrun,
    libc::SYS_timer_gettime,
    libc::SYS_timer_settime,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    libc::SYS_times,
    libc::SYS_tkill,
    libc::SYS_truncate,
    libc::SYS_umask,
    libc::SYS_uname,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Older forms of calls above, which only this architecture has.
#[cfg(target_arch = "x86_64")]
const ALWAYS_OLD: &[i64] = &[
    libc::SYS_access,
    libc::SYS_alarm,
    libc::SYS_arch_prctl,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_creat,
    libc::SYS_dup2,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_getdents,
    libc::SYS_getpgrp,
    libc::SYS_inotify_init,
    libc::SYS_lchown,
    libc::SYS_link,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_pause,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_rmdir,
    libc::SYS_select,
    libc::SYS_signalfd,
    libc::SYS_stat,
    libc::SYS_symlink,
    libc::SYS_time,
    libc::SYS_unlink,
    libc::SYS_utime,
    libc::SYS_utimes,
];
#[cfg(not(target_arch = "x86_64"))]
const ALWAYS_OLD: &[i64] = &[libc::SYS_renameat];

/// What it takes to run programs that talk to each other, in a network of their own without a way out.
const PROGRAMS: &[i64] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_listen,
    libc::SYS_setfsgid,
    libc::SYS_setfsuid,
    libc::SYS_setgid,
    libc::SYS_setgroups,
    libc::SYS_setregid,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    libc::SYS_setreuid,
    libc::SYS_setuid,
];
#[cfg(target_arch = "x86_64")]
const PROGRAMS_OLD: &[i64] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const PROGRAMS_OLD: &[i64] = &[];

/// Calls that fail as if the kernel did not know them, since programs then do without: the C library takes
/// `clone`, whose flags can be looked at, and `sed -i` and `cp` do not complain about access lists.
const ABSENT: &[i64] =
    &[libc::SYS_clone3, libc::SYS_fsetxattr, libc::SYS_lsetxattr, libc::SYS_setxattr];

/// The worker's own filter.
///
/// # Errors
/// Fails on a processor that the compiler of filters does not know.
pub(super) fn of_worker() -> Result<BpfProgram, SandboxError> {
    let rules = NEVER.iter().map(|call| (*call, Vec::new())).collect();
    compile(rules, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM as u32))
}

/// The filters of foreign code, in the order of their installation.
///
/// # Errors
/// Fails on a processor that the compiler of filters does not know.
pub(super) fn of_execution(programs: Programs) -> Result<Vec<BpfProgram>, SandboxError> {
    let denied = SeccompAction::Errno(libc::EPERM as u32);
    let allowed = compile(allowed(programs), denied, SeccompAction::Allow)?;
    let absent = SeccompAction::Errno(libc::ENOSYS as u32);
    let unknown = ABSENT.iter().map(|call| (*call, Vec::new())).collect();
    Ok(vec![allowed, compile(unknown, SeccompAction::Allow, absent)?])
}

/// A filter as the kernel reads it, in hexadecimal.
pub(super) fn as_text(program: &BpfProgram) -> String {
    let bytes = program.iter().flat_map(|it| {
        let code = it.code.to_ne_bytes().into_iter();
        code.chain([it.jt, it.jf]).chain(it.k.to_ne_bytes())
    });
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

fn allowed(programs: Programs) -> Rules {
    let mut calls = [ALWAYS, ALWAYS_OLD].concat();
    let clone = match programs {
        Programs::Denied => where_flags(CLONE_NAMESPACES | CLONE_THREAD, CLONE_THREAD),
        Programs::System | Programs::Image => where_flags(CLONE_NAMESPACES, 0),
    };
    let mut rules = Rules::from([(libc::SYS_clone, vec![clone])]);
    if programs != Programs::Denied {
        calls.extend([PROGRAMS, PROGRAMS_OLD].concat());
        let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
        let of_family = |family: i32| {
            let equal = SeccompCmpOp::Eq;
            rule(SeccompCondition::new(0, SeccompCmpArgLen::Dword, equal, family as u64))
        };
        rules.insert(libc::SYS_socket, families.map(of_family).into());
    }
    rules.extend(calls.into_iter().map(|call| (call, Vec::new())));
    rules
}

/// The first argument's bits under the mask are these.
fn where_flags(mask: u64, bits: u64) -> SeccompRule {
    let masked = SeccompCmpOp::MaskedEq(mask);
    rule(SeccompCondition::new(0, SeccompCmpArgLen::Qword, masked, bits))
}

fn rule(condition: Result<SeccompCondition, seccompiler::BackendError>) -> SeccompRule {
    let condition = condition.expect("a call has a first argument");
    SeccompRule::new(vec![condition]).expect("there is a condition")
}

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, SandboxError> {
    let lacks = |error: &dyn std::fmt::Display| SandboxError::Isolation {
        lacks: format!("a filter of system calls for this processor ({error})"),
    };
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| lacks(&error))?;
    let filter = SeccompFilter::new(rules, otherwise, matched, arch);
    let filter = filter.map_err(|error| lacks(&error))?;
    filter.try_into().map_err(|error: seccompiler::BackendError| lacks(&error))
}
