//! What the sandbox does, and what foreign code cannot do in it.

use super::*;

mod attacks;

/// Runs each frame as Python and answers with what it left in `answer`.
pub(super) const RUNNER: &str = r#"
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

pub(super) async fn start(pool: &Pool) -> Execution {
    pool.execute(pool.limits().clone()).await.unwrap()
}

pub(super) async fn run(execution: &mut Execution, code: &str) -> String {
    let answer = execution.request(code.as_bytes(), &LIMITS).await;
    String::from_utf8(answer.unwrap()).unwrap()
}

/// How an execution of some code ends that is not to answer.
pub(super) async fn end_of(pool: &Pool, code: &str) -> Exit {
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
pub(super) fn processes(marker: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has_marker = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(marker)
    };
    pids.filter(has_marker).collect()
}

/// Seconds to sleep, by which a test finds the sleepers that it started: other tests of this
/// process have another `number`, and another process that runs the same tests has another id.
pub(super) fn nap(number: u32) -> String {
    format!("{number}{:08}", std::process::id())
}

/// The processes of a worker's sandbox, found by its user namespace.
fn processes_in_namespace_of(pid: u32, kind: &str) -> Vec<u32> {
    let of = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok();
    let wanted = of(&pid).unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| of(pid).as_ref() == Some(&wanted)).collect()
}

pub(super) async fn until(what: &str, condition: impl Fn() -> bool) {
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
async fn nothing_survives_an_execution() {
    let pool = pool_with_programs();
    let mut execution = start(&pool).await;
    let nap = nap(1);
    let escape = "import subprocess\nfor _ in range(3):\n  subprocess.Popen(['setsid', 'bash', '-c', 'setsid sleep NAP & setsid sleep NAP &'])";
    run(&mut execution, &escape.replace("NAP", &nap)).await;
    until("all sleep", || processes(&format!("sleep\0{nap}")).len() == 6).await;
    let pid = execution.pid().unwrap();
    assert!(processes_in_namespace_of(pid, "pid").len() > 6);
    assert_eq!(execution.kill().await.exit, Exit::Killed);
    until("the processes are gone", || processes(&nap).is_empty()).await;
}

/// What this process has open: each descriptor's file.
fn open_files() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let files = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let mut files: Vec<_> = files.map(|file| file.display().to_string()).collect();
    // That of the listing itself.
    files.retain(|file| !file.contains("/proc/"));
    files.sort();
    files
}

/// The processes that this one has started.
fn children() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let children = tasks.map(|task| std::fs::read_to_string(task.path().join("children")));
    let children: String = children.filter_map(Result::ok).collect();
    children.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Executions that end in every way, and leave behind what they can.
async fn make_a_mess(pool: &Pool) {
    let leave = "open('left', 'w').write('x')\nheld = [open('left') for _ in range(20)]\nimport threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\ntry:\n  import subprocess\n  [subprocess.Popen(['setsid', 'setsid', 'sleep', 'NAP']) for _ in range(3)]\nexcept OSError: pass\nanswer = 'left'";
    let leave = leave.replace("NAP", &nap(2));
    for turn in 0..4 {
        let mut execution = start(pool).await;
        assert_eq!(run(&mut execution, &leave).await, "left");
        match turn {
            0 => _ = execution.kill().await,
            1 => _ = execution.finish().await,
            2 => drop(execution),
            _ => execution.send(b"os._exit(1)").await,
        }
    }
    end_of(pool, "x = bytearray(1 << 40)").await;
    end_of(pool, "while True: channel.send(bytes(1 << 20))").await;
}

/// Whether a process has given everything back can only be told of one that does nothing else.
#[test]
fn no_process_no_file_and_no_descriptor_is_left() {
    const ALONE: &str = "REHEARSAL_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "sandbox::tests::no_process_no_file_and_no_descriptor_is_left"]);
        let output = command.env(ALONE, "1").env("TMPDIR", temporary.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let before = (open_files(), children());
        let engine = fake::Fake::new();
        let mut pools = vec![pool(), pool_with_programs()];
        pools.extend(
            engine.as_ref().map(|it| Pool::new("test".into(), it.settings("image"), profile())),
        );
        for pool in pools {
            make_a_mess(&pool).await;
        }
        until("no process is left", || processes(&nap(2)).is_empty()).await;
        until("all is as it was", || (open_files(), children()) == before).await;
        if let Some(engine) = engine {
            let left = std::fs::read_dir(engine.path("roots")).unwrap().count();
            assert_eq!((engine.running(), left), (Vec::new(), 0));
        }
    });
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
async fn without_isolation_limits_and_deadlines_still_hold() {
    let settings = Settings { isolation: Isolation::None, ..Settings::default() };
    let pool = Pool::new("test".into(), settings, profile());
    let mut execution = start(&pool).await;
    assert_eq!(run(&mut execution, "answer = 6 * 7").await, "42");
    assert_eq!(end_of(&pool, "x = bytearray(1 << 40)").await, Exit::OutOfMemory);
    assert_eq!(end_of(&pool, "while True: pass").await, Exit::TimedOut(Clock::Cpu));
    let nap = nap(3);
    let sleepers =
        "import subprocess\nfor _ in range(2): subprocess.Popen(['sleep', 'NAP'])\nanswer = 1";
    assert_eq!(run(&mut execution, &sleepers.replace("NAP", &nap)).await, "1");
    until("both sleep", || processes(&nap).len() == 2).await;
    assert_eq!(execution.kill().await.exit, Exit::Killed);
    until("its group is killed", || processes(&nap).is_empty()).await;
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
