//! What the sandbox does, and what foreign code cannot do in it.

use super::*;

/// Runs each frame as Python and answers with what it left in `answer`.
const RUNNER: &str = r#"
import os
def serve(channel):
    names = {"channel": channel, "os": os}
    while (frame := channel.receive()) is not None:
        names["answer"] = None
        try:
            exec(frame.decode(), names)
        except MemoryError:
            raise
        except Exception as error:
            names["answer"] = f"{type(error).__name__}: {error}"
        channel.send(str(names["answer"]).encode())
"#;

const LIMITS: RequestLimits =
    RequestLimits { wall: Duration::from_secs(20), cpu: Duration::from_secs(20) };

fn profile() -> Profile {
    let limits = Limits { memory: 256 << 20, disk: 8 << 20, ..Limits::default() };
    Profile { name: "test", driver: RUNNER, preload: &["json"], programs: Programs::Denied, limits }
}

fn pool() -> Pool {
    Pool::new("test".into(), Settings::default(), profile())
}

/// A pool whose executions may start programs.
fn pool_with_programs() -> Pool {
    let profile = Profile { programs: Programs::System, ..profile() };
    Pool::new("test".into(), Settings::default(), profile)
}

async fn start(pool: &Pool) -> Execution {
    pool.execute(pool.limits().clone()).await.unwrap()
}

async fn run(execution: &mut Execution, code: &str) -> String {
    let answer = execution.request(code.as_bytes(), &LIMITS).await;
    String::from_utf8(answer.unwrap()).unwrap()
}

/// How an execution of some code ends that is not to answer.
async fn end_of(pool: &Pool, code: &str) -> Exit {
    let mut execution = start(pool).await;
    let short = RequestLimits { wall: Duration::from_secs(20), cpu: Duration::from_millis(500) };
    match execution.request(code.as_bytes(), &short).await {
        Ok(_) => {
            while execution.receive().await.is_some() {}
            execution.finish().await.exit
        }
        Err(exit) => exit,
    }
}

/// The processes with this text in their command line.
fn processes(marker: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has_marker = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(marker)
    };
    pids.filter(has_marker).collect()
}

/// The processes of a worker's sandbox, found by its user namespace.
fn processes_in_namespace_of(pid: u32, kind: &str) -> Vec<u32> {
    let of = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok();
    let wanted = of(&pid).unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| of(pid).as_ref() == Some(&wanted)).collect()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let patience = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), patience).await.expect(what);
}

#[tokio::test]
async fn an_execution_answers_requests_and_keeps_its_state() {
    let pool = pool();
    let mut execution = start(&pool).await;
    assert_eq!(run(&mut execution, "x = 3; answer = x + 1").await, "4");
    assert_eq!(run(&mut execution, "answer = x + 2").await, "5");
    let ended = execution.finish().await;
    assert_eq!(ended.exit, Exit::Exited { code: 0 });
    let mut another = start(&pool).await;
    assert_eq!(run(&mut another, "answer = x").await, "NameError: name 'x' is not defined");
}

#[tokio::test]
async fn it_starts_programs_where_it_may() {
    let mut execution = start(&pool_with_programs()).await;
    let code = "import subprocess\nanswer = subprocess.run(['bash', '-lc', 'cat <(echo $((6*7))); pwd; id -u; echo $$ > f; ls'], capture_output=True, text=True)";
    let answer = run(&mut execution, code).await;
    assert!(answer.contains(r"42\n/workspace\n65534\nf\n"), "{answer}");
}

/// Each attack is Python that leaves `"inside"` in `answer`, or an error; `"outside"` means that it got out.
#[tokio::test]
async fn attacks_on_files_find_nothing() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "secret").unwrap();
    let secret = secret.path().display().to_string();
    let cases = [
        ("open('/etc/shadow').read()", "No such file"),
        ("open('SECRET').read()", "No such file"),
        ("os.listdir('/root/.ssh')", "No such file"),
        ("os.listdir('/home')", "No such file"),
        ("os.listdir('/proc')", "No such file"),
        ("os.listdir('/sys')", "No such file"),
        ("os.listdir('/run')", "No such file"),
        ("os.listdir('/work')", "No such file"),
        ("sorted(os.listdir('/dev'))", "'full', 'null', 'random', '"),
        ("sorted(os.listdir('/tmp'))", "[]"),
        ("open('/new', 'w')", "Error"),
        ("open('/etc/new', 'w')", "Error"),
        ("open(os.__file__, 'a')", "Error"),
        ("open(os.path.dirname(os.__file__) + '/new.py', 'w')", "Error"),
        ("os.chmod(os.__file__, 0o777)", "Error"),
        ("os.unlink(os.__file__)", "Error"),
        ("os.mkdir('/dev/new')", "Error"),
        ("os.mknod('/tmp/disk', 0o60666, os.makedev(254, 0))", "PermissionError"),
        ("os.mkdir('/tmp/a'), os.chroot('/tmp/a')", "PermissionError"),
        ("os.symlink('SECRET', '/tmp/link'), open('/tmp/link').read()", "No such file"),
        ("os.symlink('/', '/tmp/up'), open('/tmp/up/etc/shadow').read()", "No such file"),
        ("open('../../../../../../SECRET').read()", "No such file"),
        ("os.link(os.__file__, '/tmp/hard')", "Error"),
        ("os.setuid(0)", "Error"),
        ("open('/dev/kmsg', 'w')", "Error"),
        ("open('/dev/null', 'w').write('x')", "1"),
    ];
    for pool in [pool(), pool_with_programs()] {
        let mut execution = start(&pool).await;
        for (attack, expected) in &cases {
            let attack = attack.replace("SECRET", &secret);
            let answer = run(&mut execution, &format!("answer = {attack}")).await;
            let is_shown = attack.contains("/proc");
            assert!(answer.contains(expected) || is_shown, "{attack}: {answer}");
            assert!(!answer.contains("secret"), "{attack}: {answer}");
        }
    }
}

/// An attack on the machine's resources, and what it is told or how it ends.
#[tokio::test]
async fn bombs_go_off_inside() {
    let pool = pool();
    let mut execution = start(&pool).await;
    let thread_bomb = "import threading, time\nn = 0\ntry:\n  while n < 10000:\n    threading.Thread(target=time.sleep, args=(9,), daemon=True).start(); n += 1\nexcept RuntimeError: pass\nanswer = n";
    let threads: u32 = run(&mut execution, thread_bomb).await.parse().unwrap();
    assert!(threads < pool.limits().processes, "{threads}");
    for (bomb, expected) in [
        ("os.fork()", "PermissionError"),
        ("os.posix_spawn('/usr/bin/true', ['true'], {})", "PermissionError"),
        ("os.execv('/usr/bin/true', ['true'])", "Error"),
        ("open('/tmp/big', 'wb').write(bytes(9 << 20))", "Error"),
        ("[os.open('/dev/null', 0) for _ in range(9999)]", "Too many open files"),
        ("[open(f'/tmp/{n}', 'w').close() for n in range(99999)]", "No space left"),
    ] {
        let mut execution = start(&pool).await;
        let answer = run(&mut execution, &format!("answer = {bomb}")).await;
        assert!(answer.contains(expected), "{bomb}: {answer}");
    }
    assert_eq!(end_of(&pool, "x = bytearray(1 << 40)").await, Exit::OutOfMemory);
    assert_eq!(
        end_of(&pool, "x = []\nwhile True: x.append(bytearray(1 << 20))").await,
        Exit::OutOfMemory
    );
    assert_eq!(end_of(&pool, "while True: pass").await, Exit::TimedOut(Clock::Cpu));
    assert_eq!(end_of(&pool, "while True: channel.send(bytes(1 << 20))").await, Exit::OutputLimit);
    assert_eq!(end_of(&pool, "os.close(3)").await, Exit::Exited { code: 1 });
    assert_eq!(end_of(&pool, "os._exit(7)").await, Exit::Exited { code: 7 });
    let crash = end_of(&pool, "import ctypes\nctypes.string_at(0)").await;
    assert_eq!(crash, Exit::Signalled { signal: libc::SIGSEGV });
}

#[tokio::test]
async fn a_workspace_keeps_its_files_between_commands() {
    let limits = Limits { wall: Duration::from_secs(60), ..profile().limits };
    let pool = Pool::new("test".into(), Settings::default(), Workspace::profile(limits.clone()));
    let mut workspace = Workspace::open(&pool, limits.clone()).await.unwrap();
    let command = |script: &str| Command::bash(script, Duration::from_secs(20));
    let file = File { path: "a/b.sh".into(), content: b"echo hi $1".into(), is_executable: true };
    workspace.put(&[file]).await.unwrap();
    let ended = workspace.run(&command("a/b.sh you; echo error >&2; exit 3")).await.unwrap();
    assert_eq!(String::from_utf8(ended.output).unwrap(), "hi you\nerror\n");
    assert_eq!(ended.exit, Exit::Exited { code: 3 });
    workspace.run(&command("ln -s /etc/passwd link; sleep 60 & echo $! > pid")).await.unwrap();
    let gone = workspace.run(&command("kill -0 $(cat pid)")).await.unwrap();
    assert_eq!(gone.exit, Exit::Exited { code: 1 }, "it ended with the command that started it");
    let python = workspace.run(&command("command -v python3; ls -l link")).await.unwrap();
    assert_eq!(python.exit, Exit::Exited { code: 0 }, "{python:?}");
    let late = Command { timeout: Duration::from_millis(300), ..command("echo so far; sleep 60") };
    let late = workspace.run(&late).await.unwrap();
    assert_eq!((late.exit, &*late.output), (Exit::TimedOut(Clock::Wall), &b"so far\n"[..]));
    let archive = workspace.pack("/workspace").await.unwrap();
    let mut copy = Workspace::open(&pool, limits).await.unwrap();
    copy.unpack("/workspace", &archive).await.unwrap();
    workspace.close().await;
    assert_eq!(copy.read("a/b.sh", 100).await.unwrap(), b"echo hi $1");
    assert!(copy.read("a/b.sh", 3).await.is_err());
    assert!(copy.read("/dev/zero", 3).await.is_err());
}

#[tokio::test]
async fn attacks_on_other_processes_and_the_network_reach_nobody() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let ptrace = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nanswer = (libc.ptrace(16, TARGET, 0, 0), ctypes.get_errno())".replace("TARGET", &std::process::id().to_string());
    let call = |code: &str| {
        format!(
            "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nanswer = ({code}, ctypes.get_errno())"
        )
    };
    let me = std::process::id();
    let attacks = [
        (
            "import socket\nanswer = socket.create_connection(('127.0.0.1', PORT), 2)".to_owned(),
            "Error",
        ),
        ("import socket\nanswer = socket.getaddrinfo('example.org', 80)".to_owned(), "rror"),
        (
            "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect('\\0anything')".to_owned(),
            "Error",
        ),
        (
            "import socket\ns = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)".to_owned(),
            "Error",
        ),
        ("import socket\ns = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)".to_owned(), "Error"),
        (format!("os.kill({me}, 0)"), "ProcessLookupError"),
        (format!("os.kill({me}, 9)"), "ProcessLookupError"),
        ("answer = os.getppid()".to_owned(), "0"),
        ("answer = os.getpid()".to_owned(), "1"),
        ("os.kill(-1, 9)".to_owned(), "ProcessLookupError"),
        ("os.killpg(0, 0); answer = os.getpgid(0)".to_owned(), "1"),
        ("answer = os.listdir('/proc/2')".to_owned(), "No such file"),
        (ptrace, "(-1, 1)"),
        (call("libc.unshare(0x10000000)"), "(-1, 1)"),
        (call("libc.unshare(0x20000)"), "(-1, 1)"),
        (call("libc.setns(0, 0)"), "(-1, 1)"),
        (call("libc.mount(b'/', b'/tmp', None, 4096, None)"), "(-1, 1)"),
        (call("libc.umount2(b'/tmp', 2)"), "(-1, 1)"),
        (call("libc.syscall(155, b'.', b'.')"), "(-1, 1)"),
        (call("libc.syscall(321, 0, 0, 0)"), "(-1, 1)"),
        (call("libc.syscall(425, 1, 0)"), "(-1, 1)"),
        (call("libc.syscall(250, 0, 0, 0)"), "(-1, 1)"),
        (call("libc.syscall(310, 1, 0, 0, 0, 0, 0)"), "(-1, 1)"),
        (call("libc.syscall(319, b'x', 0)"), "(-1, 1)"),
        (call("libc.shmget(1234, 4096, 0o1666)"), "(-1, 1)"),
        (call("libc.syscall(435, 0, 0)"), "(-1, 38)"),
        (call("libc.syscall(0x40000000 + 39)"), "(-1, "),
        ("import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))".to_owned(), "Error"),
        (
            "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (9999, 9999))".to_owned(),
            "Error",
        ),
    ];
    for pool in [pool(), pool_with_programs()] {
        for (attack, expected) in &attacks {
            let mut execution = start(&pool).await;
            let answer = run(&mut execution, &attack.replace("PORT", &port)).await;
            assert!(answer.contains(expected), "{attack}: {answer}");
        }
    }
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn executions_of_one_worker_do_not_see_each_other() {
    let pool = pool_with_programs();
    let (mut a, mut b) = (start(&pool).await, start(&pool).await);
    // Its three of nowhere, its channel, and that of the listing itself.
    let descriptors = "answer = sorted(os.listdir('/proc/self/fd'))";
    assert_eq!(run(&mut b, descriptors).await, "['0', '1', '2', '3', '4']");
    let hide = "open('/tmp/mine', 'w').write('a'); import socket; s = socket.socket(socket.AF_UNIX); s.bind('\\0mine'); s.listen()";
    run(&mut a, hide).await;
    assert_eq!(run(&mut b, "answer = os.path.exists('/tmp/mine')").await, "False");
    let connect = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('\\0mine')";
    assert!(run(&mut b, connect).await.contains("Error"));
    let others = "answer = [it for it in os.listdir('/proc') if it.isdigit()]";
    assert_eq!(run(&mut b, others).await, "['1']");
}

#[tokio::test]
async fn what_a_command_leaves_behind_cannot_touch_the_driver() {
    let limits = Limits { wall: Duration::from_secs(60), ..profile().limits };
    let pool = Pool::new("test".into(), Settings::default(), Workspace::profile(limits.clone()));
    let mut workspace = Workspace::open(&pool, limits).await.unwrap();
    for script in [
        "kill -9 1; kill -STOP 1; kill -9 -1; false",
        "cat /proc/1/mem /proc/1/environ /proc/1/maps",
        "echo lie > /proc/1/fd/3",
        "readlink /proc/1/fd/3",
        "ls /proc/1/root/",
        "ls -d /proc/1/cwd/..",
    ] {
        let ended = workspace.run(&Command::bash(script, Duration::from_secs(10))).await.unwrap();
        assert_ne!(
            ended.exit,
            Exit::Exited { code: 0 },
            "{script}: {:?}",
            String::from_utf8_lossy(&ended.output)
        );
    }
    let fork_bomb = "b() { b | b & }; b; sleep 2; echo over";
    let ended = workspace.run(&Command::bash(fork_bomb, Duration::from_secs(5))).await.unwrap();
    assert!(!matches!(ended.exit, Exit::Killed), "{ended:?}");
    let after = Command::bash("kill -9 -1; sleep 0.1", Duration::from_secs(5));
    workspace.run(&after).await.unwrap();
    let calm = workspace.run(&Command::bash("echo calm", Duration::from_secs(10))).await.unwrap();
    assert_eq!(calm.output, b"calm\n");
}

#[tokio::test]
async fn nothing_survives_an_execution() {
    let pool = pool_with_programs();
    let mut execution = start(&pool).await;
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let escape = "import subprocess\nfor _ in range(3):\n  subprocess.Popen(['setsid', 'bash', '-c', 'setsid sleep 98765 & setsid sleep 98765 &'])\nimport time; time.sleep(0.3)";
    run(&mut execution, escape).await;
    let pid = execution.pid().unwrap();
    assert!(processes_in_namespace_of(pid, "pid").len() > 3);
    assert_eq!(processes("98765").len(), 6);
    let before = descriptors();
    assert_eq!(execution.kill().await.exit, Exit::Killed);
    until("the processes are gone", || processes("98765").is_empty()).await;
    until("the descriptors are closed", || descriptors() < before).await;
    assert!(
        std::fs::read_dir(std::env::temp_dir())
            .unwrap()
            .flatten()
            .all(|entry| { !entry.file_name().to_string_lossy().contains("rehearsal-sandbox") })
    );
}

#[tokio::test]
async fn a_pool_that_nobody_needs_takes_its_workers_along() {
    let pool = pool();
    let mut execution = start(&pool).await;
    let pid = execution.pid().unwrap();
    let namespace = std::fs::read_link(format!("/proc/{pid}/ns/user")).unwrap();
    assert_eq!(run(&mut execution, "answer = 1").await, "1");
    drop(execution);
    drop(pool);
    let is_gone = || {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| std::fs::read_link(entry.path().join("ns/user")).ok())
            .all(|it| it != namespace)
    };
    until("the worker is gone", is_gone).await;
}

#[tokio::test]
async fn a_worker_that_dies_is_replaced_and_its_executions_say_so() {
    let pool = pool();
    let mut execution = start(&pool).await;
    assert_eq!(run(&mut execution, "answer = 1").await, "1");
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", execution.pid().unwrap())).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim();
    let zygote = rustix::process::Pid::from_raw(parent.parse().unwrap()).unwrap();
    rustix::process::kill_process(zygote, rustix::process::Signal::KILL).unwrap();
    assert_eq!(execution.finish().await.exit, Exit::WorkerLost);
    let mut another = start(&pool).await;
    assert_eq!(run(&mut another, "answer = 2").await, "2");
}

#[tokio::test]
async fn deadlines_end_what_catches_every_exception() {
    let pool = pool();
    let stubborn = "import signal, sys\nfor number in range(1, 65):\n  try: signal.signal(number, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True:\n  try:\n    while True: pass\n  except BaseException: pass";
    assert_eq!(end_of(&pool, stubborn).await, Exit::TimedOut(Clock::Cpu));
    let limits = Limits { wall: Duration::from_millis(300), ..pool.limits().clone() };
    let mut execution = pool.execute(limits.clone()).await.unwrap();
    execution.send(b"import time; time.sleep(60)").await;
    assert_eq!(execution.finish().await.exit, Exit::TimedOut(Clock::Wall));
    let cpu = Limits { cpu: Duration::from_secs(1), ..pool.limits().clone() };
    let mut execution = pool.execute(cpu).await.unwrap();
    execution.send(stubborn.as_bytes()).await;
    assert_eq!(execution.finish().await.exit, Exit::TimedOut(Clock::Cpu));
}

#[tokio::test]
async fn more_executions_than_there_are_places_wait_and_more_than_may_wait_are_refused() {
    let one = |count| std::num::NonZeroUsize::new(count).unwrap();
    let settings = Settings { executions_max: one(1), queue_max: one(1), ..Settings::default() };
    let pool = Pool::new("test".into(), settings, profile());
    let held = start(&pool).await;
    let mut waits = Box::pin(pool.execute(pool.limits().clone()));
    assert!(futures_util::FutureExt::now_or_never(&mut waits).is_none());
    let refused = pool.execute(pool.limits().clone()).await.unwrap_err();
    assert_eq!(refused, SandboxError::QueueFull { queue_max: 1 });
    drop(held);
    waits.await.unwrap();
}

#[tokio::test]
async fn an_interpreter_that_is_none_is_named_with_what_to_do() {
    for (python, reason) in [("/nowhere/python3", "No such file"), ("/bin/false", "it failed")] {
        let settings = Settings { python: python.into(), ..Settings::default() };
        let pool = Pool::new("test".into(), settings, profile());
        let error = pool.execute(pool.limits().clone()).await.unwrap_err();
        assert!(
            error.to_string().contains(python) && error.to_string().contains(reason),
            "{error}"
        );
        assert!(!error.is_retryable() && error.hint().contains("sandbox.python"));
    }
}

#[tokio::test]
async fn executions_that_hold_their_turns_do_not_wait_for_others() {
    let pool = pool();
    let start = || pool.execute_in_turn(pool.limits().clone());
    let mut first = start().await.unwrap();
    assert_eq!(run(&mut first, "answer = 1").await, "1");
    let mut several = Vec::new();
    drop(first);
    for _ in 0..std::thread::available_parallelism().unwrap().get() {
        several.push(start().await.unwrap());
    }
    for execution in &mut several {
        assert_eq!(run(execution, "answer = 2").await, "2");
    }
}

#[tokio::test]
async fn without_isolation_limits_and_deadlines_still_hold() {
    let settings = Settings { isolation: Isolation::None, ..Settings::default() };
    let pool = Pool::new("test".into(), settings, profile());
    let mut execution = start(&pool).await;
    assert_eq!(run(&mut execution, "answer = 6 * 7").await, "42");
    assert_eq!(end_of(&pool, "x = bytearray(1 << 40)").await, Exit::OutOfMemory);
    assert_eq!(end_of(&pool, "while True: pass").await, Exit::TimedOut(Clock::Cpu));
    let sleepers =
        "import subprocess\nfor _ in range(2): subprocess.Popen(['sleep', '87654'])\nanswer = 1";
    assert_eq!(run(&mut execution, sleepers).await, "1");
    until("both sleep", || processes("87654").len() == 2).await;
    assert_eq!(execution.kill().await.exit, Exit::Killed);
    until("its group is killed", || processes("87654").is_empty()).await;
}

#[tokio::test]
async fn an_interpreter_that_a_sandbox_would_hide_is_refused_with_the_reason() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let made = std::process::Command::new("python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(folder.path())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no virtual environment can be made here");
        return;
    }
    let settings = Settings { python: folder.path().join("bin/python3"), ..Settings::default() };
    let pool = Pool::new("test".into(), settings, profile());
    let error = pool.execute(pool.limits().clone()).await.unwrap_err().to_string();
    assert!(error.contains("in a sandbox `/tmp` is a folder of its own"), "{error}");
}

/// Root has ways of its own into a sandbox, so what holds for it need not hold for others.
#[test]
fn the_attacks_get_nowhere_for_an_ordinary_user_either() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        println!("skipped: the tests themselves run as an ordinary user");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open.clone()).unwrap();
    let program = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, open).unwrap();
    let mut command = std::process::Command::new(program);
    command.args(["sandbox::tests::attacks", "sandbox::tests::bombs", "sandbox::tests::nothing"]);
    command.env("HOME", "/tmp").current_dir("/tmp").uid(65_534).gid(65_534);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("4 passed"), "{text}");
}
