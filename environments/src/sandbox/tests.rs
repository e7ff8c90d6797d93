//! What the sandbox does, and what foreign code cannot do in it.

use std::collections::BTreeSet;

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
    Profile { driver: RUNNER, preload: &["json"], programs: Programs::Denied, limits }
}

fn pool() -> Pool {
    Pool::start(&Settings::default(), &profile()).unwrap()
}

/// A pool whose executions may start programs.
fn pool_with_programs() -> Pool {
    let profile = Profile { programs: Programs::System, ..profile() };
    Pool::start(&Settings::default(), &profile).unwrap()
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

/// The processes in this one's sandboxes: all that descend from it.
fn descendants() -> BTreeSet<u32> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let fields = stat.rsplit_once(')').unwrap().1;
        parents
            .push((pid, fields.split_ascii_whitespace().nth(1).unwrap().parse::<u32>().unwrap()));
    }
    let mut found = BTreeSet::from([std::process::id()]);
    while parents.iter().any(|(pid, parent)| found.contains(parent) && found.insert(*pid)) {}
    found
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
        ("os.setuid(0)", "PermissionError"),
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
    let pool = Pool::start(&Settings::default(), &Workspace::profile(limits.clone())).unwrap();
    let mut workspace = Workspace::open(&pool, limits.clone()).await.unwrap();
    let command = |script: &str| Command::bash(script, Duration::from_secs(20));
    let file = File { path: "a/b.sh".into(), content: b"echo hi $1".into(), is_executable: true };
    workspace.put(&[file]).await.unwrap();
    let ended = workspace.run(&command("a/b.sh you; echo error >&2; exit 3")).await.unwrap();
    assert_eq!(String::from_utf8(ended.output).unwrap(), "hi you\nerror\n");
    assert_eq!(ended.exit, Exit::Exited { code: 3 });
    workspace.run(&command("ln -s /etc/passwd link; sleep 60 & echo $! > pid")).await.unwrap();
    let late = Command { timeout: Duration::from_millis(300), ..command("echo so far; sleep 60") };
    let late = workspace.run(&late).await.unwrap();
    assert_eq!((late.exit, &*late.output), (Exit::TimedOut(Clock::Wall), &b"so far\n"[..]));
    let gone = workspace.run(&command("kill -0 $(cat pid)")).await.unwrap();
    assert_eq!(gone.exit, Exit::Exited { code: 1 });
    let archive = workspace.pack("/workspace").await.unwrap();
    let mut copy = Workspace::open(&pool, limits).await.unwrap();
    copy.unpack("/workspace", &archive).await.unwrap();
    workspace.close().await;
    assert_eq!(copy.read("a/b.sh", 100).await.unwrap(), b"echo hi $1");
    assert!(copy.read("a/b.sh", 3).await.is_err());
    assert!(copy.read("/dev/zero", 3).await.is_err());
}
