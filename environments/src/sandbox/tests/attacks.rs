//! What foreign code tries, and does not get.

use super::*;

/// Each attack is Python that leaves `"inside"` in `answer`, or an error; `"outside"` means that it got out.
#[tokio::test]
async fn attacks_on_files_find_nothing() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "secret").unwrap();
    let secret = secret.path().display().to_string();
    let home = std::env::var("HOME").unwrap_or("/home".into());
    let cases = [
        ("open('/etc/shadow').read()", "No such file"),
        ("open('SECRET').read()", "No such file"),
        ("os.listdir('HOME/.ssh')", "No such file"),
        ("os.listdir('/home')", "No such file"),
        ("os.listdir('/proc')", "No such file"),
        ("os.listdir('/sys')", "No such file"),
        ("os.listdir('/run')", "No such file"),
        ("os.listdir('SOURCE')", "No such file"),
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
            let attack = attack
                .replace("SECRET", &secret)
                .replace("SOURCE", env!("CARGO_MANIFEST_DIR"))
                .replace("HOME", &home);
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
async fn what_a_command_leaves_behind_cannot_touch_the_driver() {
    let limits = Limits { wall: Duration::from_secs(60), ..profile().limits };
    let pool = Pool::new("test".into(), Settings::default(), Workspace::profile(limits.clone()));
    let mut workspace = Workspace::open(&pool, limits).await.unwrap();
    for script in [
        "kill -9 1; kill -STOP 1; kill -9 -1; false",
        "cat /proc/1/mem /proc/1/environ /proc/1/maps",
        "echo lie > /proc/1/fd/3",
        "readlink /proc/1/fd/3",
        "cd /proc/1/root",
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
    command.args(["sandbox::tests", "sandbox::container", "comp_coding::tests::attacks"]);
    command.args(["python_math_exec::tests::the_expected", "python_math_exec::tests::leaving"]);
    command.args(["--skip", "the_attacks_get_nowhere"]);
    command.env("HOME", "/tmp").current_dir("/tmp").uid(65_534).gid(65_534);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let counts = text.lines().find_map(|line| line.strip_prefix("test result: ok. "));
    let passed = counts.and_then(|line| line.split(' ').next()?.parse::<usize>().ok());
    assert!(output.status.success() && passed.is_some_and(|passed| passed > 30), "{text}");
}
