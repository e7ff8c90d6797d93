//! What the backend of containers does, with an engine that is real as far as this machine goes.

use std::time::Duration;

use super::engine::{Caller, Order};
use super::fake::Fake;
use super::{ContainerSettings, Engine};
use crate::sandbox::tests::{RUNNER, end_of, nap, processes, run, start, until};
use crate::sandbox::{
    BackendName, Clock, Command, Exit, File, Limits, Pool, Profile, Programs, RequestLimits,
    SandboxError, Settings, Workspace,
};

fn profile() -> Profile {
    let limits = Limits { memory: 256 << 20, disk: 8 << 20, ..Limits::default() };
    let (driver, programs) = (RUNNER, Programs::Denied);
    Profile { name: "test", driver, preload: &["json", "absent"], programs, limits }
}

fn pool(settings: Settings) -> Pool {
    Pool::new("test".into(), settings, profile())
}

/// The processes of an engine's containers.
fn processes_of(fake: &Fake) -> Vec<u32> {
    processes(&fake.path("roots").display().to_string())
}

#[tokio::test]
async fn an_execution_has_a_container_of_its_own() {
    let Some(fake) = Fake::new() else { return };
    let pool = pool(fake.settings("image"));
    let mut first = start(&pool).await;
    assert_eq!(run(&mut first, "x = 3; answer = x + 1").await, "4");
    assert_eq!(run(&mut first, "answer = (x, os.getpid(), os.getcwd())").await, "(3, 1, '/tmp')");
    assert_eq!(pool.missing(), ["absent"]);
    let mut second = start(&pool).await;
    assert_eq!(run(&mut second, "answer = x").await, "NameError: name 'x' is not defined");
    assert_eq!(run(&mut second, "open('mine', 'w').write('2')").await, "None");
    assert_eq!(run(&mut first, "answer = os.path.exists('mine')").await, "False");
    assert_eq!(first.finish().await.exit, Exit::Exited { code: 0 });
    assert_eq!(second.kill().await.exit, Exit::Killed);
    drop(pool);
    until("no container is left", || fake.running().is_empty()).await;
    until("nor a process", || processes_of(&fake).is_empty()).await;
}

#[tokio::test]
async fn whatever_ends_an_execution_ends_its_container() {
    let Some(fake) = Fake::new() else { return };
    let pool = pool(fake.settings("image"));
    let stubborn = "import signal\nfor number in range(1, 65):\n  try: signal.signal(number, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True:\n  try:\n    while True: pass\n  except BaseException: pass";
    let limits = Limits { wall: Duration::from_millis(500), ..pool.limits().clone() };
    let mut execution = pool.execute(limits).await.unwrap();
    execution.send(stubborn.as_bytes()).await;
    assert_eq!(execution.finish().await.exit, Exit::TimedOut(Clock::Wall));
    let mut execution = start(&pool).await;
    let short = RequestLimits { wall: Duration::from_millis(500), cpu: Duration::from_secs(9) };
    let late = execution.request(stubborn.as_bytes(), &short).await;
    assert_eq!(late, Err(Exit::TimedOut(Clock::Wall)));
    let limits = Limits { cpu: Duration::from_secs(1), ..pool.limits().clone() };
    let mut execution = pool.execute(limits).await.unwrap();
    execution.send(stubborn.as_bytes()).await;
    assert_eq!(execution.finish().await.exit, Exit::TimedOut(Clock::Cpu));
    assert_eq!(end_of(&pool, "x = bytearray(1 << 40)").await, Exit::OutOfMemory);
    assert_eq!(end_of(&pool, "while True: channel.send(bytes(1 << 20))").await, Exit::OutputLimit);
    assert_eq!(end_of(&pool, "os._exit(7)").await, Exit::Exited { code: 7 });
    // What the engine says with when it has failed is not taken for it when it says nothing.
    assert_eq!(end_of(&pool, "os._exit(125)").await, Exit::Exited { code: 125 });
    let crash = end_of(&pool, "import ctypes\nctypes.string_at(0)").await;
    assert_eq!(crash, Exit::Signalled { signal: libc::SIGSEGV });
    until("only the one that waits is left", || processes_of(&fake).len() <= 1).await;
    drop(pool);
    until("no process is left", || processes_of(&fake).is_empty()).await;
}

#[tokio::test]
async fn filters_hold_in_containers_too() {
    let Some(fake) = Fake::new() else { return };
    let pool = pool(fake.settings("image"));
    let mut execution = start(&pool).await;
    let descriptors = "answer = sorted(os.listdir('/proc/self/fd'))";
    let answer = run(&mut execution, descriptors).await;
    assert_eq!(
        answer, "['0', '1', '2', '3', '4', '5']",
        "nowhere three times, in, out, the listing"
    );
    for (attack, expected) in [
        ("os.fork()", "PermissionError"),
        ("import subprocess\nsubprocess.run(['true'])", "PermissionError"),
        ("import socket\nsocket.socket()", "PermissionError"),
        ("os.kill(1, 9); answer = 'alive'", "alive"),
        ("open('big', 'wb').write(bytes(9 << 20))", "Error"),
        ("[os.open('/dev/null', 0) for _ in range(9999)]", "Too many open files"),
        (
            "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nanswer = (libc.unshare(0x10000000), ctypes.get_errno())",
            "(-1, 1)",
        ),
    ] {
        let answer = run(&mut execution, attack).await;
        assert!(answer.contains(expected), "{attack}: {answer}");
    }
}

#[tokio::test]
async fn a_container_that_is_killed_is_lost_and_the_next_takes_its_place() {
    let Some(fake) = Fake::new() else { return };
    let pool = pool(fake.settings("image"));
    let mut execution = start(&pool).await;
    assert_eq!(run(&mut execution, "answer = 1").await, "1");
    let everything = || {
        for name in fake.running() {
            let arguments = ["rm", "-f", &name];
            let removed = std::process::Command::new(fake.path("docker")).args(arguments).status();
            assert!(removed.unwrap().success());
        }
    };
    until("another waits", || fake.running().len() == 2).await;
    // This kills the one that waits as well.
    everything();
    assert_eq!(execution.finish().await.exit, Exit::WorkerLost);
    let mut another = start(&pool).await;
    assert_eq!(run(&mut another, "answer = 2").await, "2");
    // Clients may also be killed, which leaves their containers running.
    let clients = processes(&fake.path("docker").display().to_string());
    for client in clients {
        let client = rustix::process::Pid::from_raw(client as i32).unwrap();
        let _ = rustix::process::kill_process(client, rustix::process::Signal::KILL);
    }
    assert_eq!(another.finish().await.exit, Exit::WorkerLost);
    drop(pool);
    until("no process is left", || processes_of(&fake).is_empty()).await;
}

#[tokio::test]
async fn a_workspace_is_a_container_of_an_image() {
    let Some(fake) = Fake::new() else { return };
    let image = tempfile::tempdir().unwrap();
    std::fs::write(image.path().join("file"), "of the image\n").unwrap();
    let image = image.path().display().to_string();
    let limits = Limits { wall: Duration::from_secs(60), ..profile().limits };
    let profile = Profile { programs: Programs::Image, ..Workspace::profile(limits.clone()) };
    let pool = Pool::new("test".into(), fake.settings("unused"), profile);
    let mut workspace = Workspace::open_in(&pool, &image, limits).await.unwrap();
    let command = |script: &str| {
        let command = Command::bash(script, Duration::from_secs(20));
        Command { folder: "/testbed".into(), ..command }
    };
    let file =
        File { path: "/testbed/a/b.sh".into(), content: b"echo hi $1".into(), is_executable: true };
    workspace.put(&[file]).await.unwrap();
    let ended =
        workspace.run(&command("a/b.sh you; cat file; echo error >&2; exit 3")).await.unwrap();
    assert_eq!(String::from_utf8(ended.output).unwrap(), "hi you\nof the image\nerror\n");
    assert_eq!(ended.exit, Exit::Exited { code: 3 });
    let nap = nap(4);
    let sleepers = format!("setsid sleep {nap} & setsid sleep {nap} & sleep 0.2");
    workspace.run(&command(&sleepers)).await.unwrap();
    until("they end with the command that started them", || processes(&nap).is_empty()).await;
    let late = Command { timeout: Duration::from_millis(300), ..command("echo so far; sleep 60") };
    let late = workspace.run(&late).await.unwrap();
    assert_eq!((late.exit, &*late.output), (Exit::TimedOut(Clock::Wall), &b"so far\n"[..]));
    assert_eq!(workspace.read("/testbed/file", 100).await.unwrap(), b"of the image\n");
    workspace.close().await;
    until("no container is left", || fake.running().is_empty()).await;
}

#[tokio::test]
async fn an_engine_that_cannot_run_containers_says_why_and_what_to_do() {
    let refused = async |settings: Settings| {
        let pool = pool(settings);
        pool.execute(pool.limits().clone()).await.unwrap_err()
    };
    let absent =
        ContainerSettings { program: Some("/nowhere/podman".into()), ..Default::default() };
    let image = Some("python:3.13-slim".to_owned());
    let (backend, container) = (BackendName::Podman, absent);
    let settings = Settings { backend, image, container, ..Settings::default() };
    let error = refused(settings.clone()).await;
    assert!(
        error.to_string().starts_with("`/nowhere/podman` runs no containers: No such file"),
        "{error}"
    );
    assert!(!error.is_retryable() && error.hint().contains("sandbox.container.program"));
    let error = refused(Settings { image: None, ..settings }).await;
    assert_eq!(error.to_string(), "`sandbox.backend: podman` needs `sandbox.image`");
    assert!(error.hint().contains("python:3.13-slim"));
    let Some(fake) = Fake::new() else { return };
    for (image, reason) in [
        (
            "absent",
            "a container of `absent`: docker: Error response from daemon: pull access denied",
        ),
        ("broken", "/nonexistent/python3"),
    ] {
        let error = refused(fake.settings(image)).await;
        assert!(error.to_string().contains(reason) && error.is_retryable(), "{error}");
    }
    std::fs::write(fake.path("is-down"), "").unwrap();
    let error = refused(fake.settings("image")).await.to_string();
    assert!(error.contains("Is the docker daemon running?"), "{error}");
}

/// The client that is really there, if it is: on machines without a daemon it says so.
#[tokio::test]
async fn dockers_own_client_says_that_its_daemon_does_not_run() {
    let settings = Settings {
        backend: BackendName::Docker,
        image: Some("rehearsal.invalid/none".to_owned()),
        ..Settings::default()
    };
    let pool = pool(settings);
    let error = pool.execute(pool.limits().clone()).await.unwrap_err();
    match &error {
        SandboxError::Engine { reason, .. } => {
            let is_known = ["No such file", "daemon", "permission denied"];
            assert!(is_known.iter().any(|known| reason.contains(known)), "{error}");
        }
        // There is a daemon, which has no such image.
        SandboxError::Worker { reason } => assert!(reason.contains("rehearsal.invalid"), "{error}"),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_a_killed_process_left_behind_is_removed_by_the_next() {
    let Some(fake) = Fake::new() else { return };
    let caller = Caller::new(Engine::Docker, &fake.settings("image").container);
    let ours = caller.name_of(0);
    let mut parts: Vec<&str> = ours.split('-').collect();
    // A process that was started at another time had this number, and is gone.
    parts[3] = "1";
    let gone = parts.join("-");
    let elsewhere = gone.replace(parts[1], "0123456789ab.1");
    let listed = format!("{ours}\n{gone}\n{elsewhere}\nrehearsal-\nsomebody-elses\n");
    std::fs::write(fake.path("listed"), listed).unwrap();
    caller.remove_left_over().unwrap();
    until("it is removed", || fake.calls().contains(&format!("rm -f {gone}\n"))).await;
    assert_eq!(fake.calls().matches("rm -f").count(), 1, "{}", fake.calls());
}

fn arguments(engine: Engine, programs: Programs, settings: &ContainerSettings) -> String {
    let limits = Limits { memory: 1 << 30, disk: 64 << 20, processes: 32, ..Limits::default() };
    let caller = Caller::new(engine, settings);
    let python = "python3".as_ref();
    let order =
        Order { name: "r-1", image: "image:1", python, programs, limits: &limits, settings };
    let command = caller.run(&order);
    let arguments: Vec<_> = command.get_args().map(|it| it.to_string_lossy()).collect();
    let source = arguments.iter().position(|it| *it == "-c").unwrap();
    assert_eq!(arguments[source + 2..], ["contained"]);
    arguments[..source].join(" ")
}

#[test]
fn docker_and_podman_are_asked_for_all_that_keeps_code_inside() {
    let settings = ContainerSettings::default();
    let walls = "run -i --rm --name r-1 --label rehearsal.sandbox --log-driver none --security-opt no-new-privileges --cap-drop ALL --network none --memory 1744830464b --memory-swap 1744830464b --cpus 1 --pids-limit 32";
    let variables = "-e HOME=/tmp -e LANG=C.UTF-8 -e LC_ALL=C.UTF-8 -e OMP_NUM_THREADS=1 -e OPENBLAS_NUM_THREADS=1 -e MKL_NUM_THREADS=1 -e TZ=UTC";
    let tmp =
        |may_run| format!("--tmpfs /tmp:rw,nosuid,nodev,{may_run},size=67108864,mode=1777 -w /tmp");
    let end = "--entrypoint python3 image:1 -I -B";
    let sealed = "--read-only --ipc none --user 65534:65534";
    for engine in [Engine::Docker, Engine::Podman] {
        assert_eq!(
            arguments(engine, Programs::Denied, &settings),
            format!("{walls} {sealed} {} {variables} {end}", tmp("noexec"))
        );
        let workspace = tmp("exec").replace("/tmp", "/workspace");
        assert_eq!(
            arguments(engine, Programs::System, &settings),
            format!("{walls} {sealed} {} {workspace} {variables} {end}", tmp("exec"))
        );
        let capabilities = "--cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER --cap-add SETGID --cap-add SETUID";
        let of_image = arguments(engine, Programs::Image, &settings);
        assert_eq!(of_image, format!("{walls} {capabilities} {end}"));
        let open = ContainerSettings { network: true, control_groups: false, ..settings.clone() };
        let open = arguments(engine, Programs::Image, &open);
        assert!(!open.contains("--network") && !open.contains("--memory"), "{open}");
    }
}

#[test]
fn apptainer_is_asked_for_the_same_in_its_own_words() {
    let settings = ContainerSettings::default();
    let walls = "exec --containall --cleanenv --no-init --net --network none --memory 1744830464 --cpus 1 --pids-limit 32";
    let sealed = arguments(Engine::Apptainer, Programs::System, &settings);
    let start = format!("{walls} --no-privs --scratch /workspace --pwd /workspace --env HOME=/tmp");
    assert!(sealed.starts_with(&start), "{sealed}");
    assert!(sealed.ends_with("docker://image:1 python3 -I -B"), "{sealed}");
    assert_eq!(
        arguments(Engine::Apptainer, Programs::Image, &settings),
        format!("{walls} --writable-tmpfs docker://image:1 python3 -I -B")
    );
}
