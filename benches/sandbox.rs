//! What it costs to run foreign code in the sandbox, beside a plain `python3 -c`.
//!
//! Run: cargo bench --bench sandbox
//! Prints the median and the 99th percentile of one run, runs per second on all cores, and the memory
//! of an idle worker and of an idle session.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it has found")]

use std::time::{Duration, Instant};

use rehearsal::environments::sandbox::{
    Execution, Exit, Limits, Pool, Profile, Programs, RequestLimits, Settings,
};

const DRIVER: &str = "
def serve(channel):
    names = {}
    while (code := channel.receive()) is not None:
        exec(code, names)
        channel.send(str(names.get('answer')).encode())
";
const LIMITS: RequestLimits =
    RequestLimits { wall: Duration::from_secs(10), cpu: Duration::from_secs(10) };

fn pool(preload: &'static [&'static str], programs: Programs) -> Pool {
    let limits = Limits::default();
    let profile = Profile { name: "bench", driver: DRIVER, preload, programs, limits };
    Pool::new("bench".into(), Settings::default(), profile)
}

async fn run(execution: &mut Execution) {
    let answer = execution.request(b"answer = sum(range(10))", &LIMITS).await;
    assert_eq!(answer.as_deref(), Ok(&b"45"[..]));
}

/// One whole execution: started, asked, answered and ended.
async fn execute(pool: &Pool) {
    let mut execution = pool.execute(pool.limits().clone()).await.expect("it starts");
    run(&mut execution).await;
    assert_eq!(execution.finish().await.exit, Exit::Exited { code: 0 });
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("{name:<44}{:>9.2} ms{:>9.2} ms", at(0.5), at(0.99));
}

async fn timed(count: usize, mut once: impl AsyncFnMut()) -> Vec<Duration> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        once().await;
        times.push(start.elapsed());
    }
    times
}

async fn throughput(name: &str, pool: &Pool, seconds: u64) {
    let start = Instant::now();
    let until = start + Duration::from_secs(seconds);
    let lanes = (0..8).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut count = 0_u32;
            while Instant::now() < until {
                execute(&pool).await;
                count += 1;
            }
            count
        })
    });
    let mut total = 0;
    for lane in lanes.collect::<Vec<_>>() {
        total += lane.await.expect("it does not panic");
    }
    println!("{name:<44}{:>9.0} /s", f64::from(total) / start.elapsed().as_secs_f64());
}

/// Proportional and private memory of the processes that a pool has started, in MiB.
fn memory(pids: impl IntoIterator<Item = u32>) -> f64 {
    let of = |pid: u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_ascii_whitespace().next()?.parse::<f64>().ok()
    };
    pids.into_iter().filter_map(of).sum::<f64>() / 1024.0
}

fn descendants() -> Vec<u32> {
    let mut found = vec![std::process::id()];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let children =
                std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_ascii_whitespace().filter_map(|it| it.parse::<u32>().ok()));
        }
    }
    found.split_off(1)
}

async fn measure(name: &str, preload: &'static [&'static str], programs: Programs) {
    let pool = pool(preload, programs);
    execute(&pool).await;
    println!("\n{name}; missing: {:?}", pool.missing());
    report("  start, run, end", timed(300, async || execute(&pool).await).await);
    let mut answers = Vec::new();
    for _ in 0..300 {
        let start = Instant::now();
        let mut execution = pool.execute(pool.limits().clone()).await.expect("it starts");
        run(&mut execution).await;
        answers.push(start.elapsed());
        execution.kill().await;
    }
    report("  start to answer", answers);
    let mut session = pool.execute(pool.limits().clone()).await.expect("it starts");
    run(&mut session).await;
    report("  a request to a session", timed(300, async || run(&mut session).await).await);
    drop(session);
    throughput("  executions on all cores", &pool, 5).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let idle = memory(descendants());
    println!("{:<44}{idle:>9.1} MiB", "  memory of an idle worker");
    let mut sessions = Vec::new();
    for _ in 0..50 {
        let mut execution = pool.execute(pool.limits().clone()).await.expect("it starts");
        run(&mut execution).await;
        sessions.push(execution);
    }
    let each = (memory(descendants()) - idle) / sessions.len() as f64;
    println!("{:<44}{each:>9.2} MiB", "  memory of an idle session");
}

#[tokio::main]
async fn main() {
    println!("{:<44}{:>12}{:>12}", "", "median", "99th");
    let plain = async || {
        let status = tokio::task::spawn_blocking(|| {
            std::process::Command::new("python3").args(["-c", "sum(range(10))"]).status()
        });
        assert!(status.await.expect("it does not panic").is_ok_and(|status| status.success()));
    };
    report("python3 -c", timed(50, plain).await);
    measure("python", &[], Programs::Denied).await;
    measure("python with numpy", &["numpy"], Programs::Denied).await;
    measure("programs", &[], Programs::System).await;
}
