//! What is known about a failure, and who gets to know it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::cell::Cell;
use super::exit::Exit;
use super::guard::Panic;

/// How many failures, and how many restarts, of one path are logged in one window; further ones are
/// only counted.
const LOGGED_PER_WINDOW: u32 = 10;
const LOG_WINDOW: Duration = Duration::from_secs(10);

/// One failure of an actor or of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailureReport {
    /// The path of the actor; of the dynamic supervisor, for a session.
    pub path: Arc<str>,
    /// The incarnation.
    pub generation: u64,
    /// The type of the message being handled, if there was one.
    pub message: Option<&'static str>,
    /// The text of the panic, or what the actor gave as its reason.
    pub text: Arc<str>,
    /// `file:line:column` of a panic.
    pub location: Option<String>,
    /// What kind of failure it was: `panic`, `task_panic`, `drop_panic`, `failed`, `hung`, `circle` …
    pub reason: &'static str,
}

type LogWindows = HashMap<(Topic, Arc<str>), LogWindow>;
type Observer = Arc<dyn Fn(&FailureReport) + Send + Sync>;

static OBSERVERS: RwLock<Vec<(u64, Observer)>> = RwLock::new(Vec::new());
static LOG_WINDOWS: LazyLock<Mutex<LogWindows>> = LazyLock::new(Mutex::default);

/// Keeps an observer registered until it is dropped.
#[derive(Debug)]
#[must_use = "the observer is removed when this is dropped"]
pub struct ObserverGuard(u64);

impl Drop for ObserverGuard {
    fn drop(&mut self) {
        let mut observers = OBSERVERS.write().unwrap_or_else(PoisonError::into_inner);
        observers.retain(|(id, _)| *id != self.0);
    }
}

/// Has `observer` called with every failure in this process, on the thread where it happened. It
/// must be quick and must not block.
pub fn observe_failures(
    observer: impl Fn(&FailureReport) + Send + Sync + 'static,
) -> ObserverGuard {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = NEXT.fetch_add(1, Relaxed);
    OBSERVERS.write().unwrap_or_else(PoisonError::into_inner).push((id, Arc::new(observer)));
    ObserverGuard(id)
}

/// Reports a caught panic.
pub(crate) fn panicked(
    cell: &Cell,
    generation: u64,
    message: Option<&'static str>,
    reason: &'static str,
    panic: Panic,
) {
    let Panic { text, location } = panic;
    let path = cell.path().clone();
    deliver(&FailureReport { path, generation, message, text: text.into(), location, reason });
}

/// Reports an abnormal end that was no panic.
pub(crate) fn failed(path: &Arc<str>, generation: u64, exit: &Exit) {
    deliver(&FailureReport {
        path: path.clone(),
        generation,
        message: None,
        text: exit.to_string().into(),
        location: None,
        reason: exit.label(),
    });
}

/// Reports actors that wait for each other in a circle, which begins and ends with this one.
pub(crate) fn waits_in_circle(cell: &Cell, circle: &[Arc<Cell>]) {
    let names: Vec<&str> = circle.iter().map(|cell| &**cell.path()).collect();
    let text = format!("asks in a circle, until a deadline ends it: {}", names.join(" -> "));
    deliver(&FailureReport {
        path: cell.path().clone(),
        generation: cell.generation(),
        message: Some(cell.message()),
        text: text.into(),
        location: None,
        reason: "circle",
    });
}

/// Logs that a supervisor restarts one of its children.
pub(crate) fn restarting(supervisor: &str, child: &Arc<str>, reason: &'static str) {
    if let Some(suppressed) = admit(Topic::Restart, child) {
        tracing::warn!(supervisor, child = &**child, reason, suppressed, "restarting");
    }
}

fn deliver(report: &FailureReport) {
    let observers = OBSERVERS.read().unwrap_or_else(PoisonError::into_inner).clone();
    for (_, observer) in observers {
        observer(report);
    }
    log(report);
}

fn log(report: &FailureReport) {
    let Some(suppressed) = admit(Topic::Failure, &report.path) else { return };
    tracing::error!(
        actor = %report.path,
        generation = report.generation,
        message_type = report.message.unwrap_or("none"),
        location = report.location.as_deref().unwrap_or("unknown"),
        reason = report.reason,
        suppressed,
        "{}",
        report.text
    );
}

/// What a line of the log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Topic {
    Failure,
    Restart,
}

/// How many lines about one path were logged, and not logged, since `opened`.
struct LogWindow {
    opened: Instant,
    logged: u32,
    suppressed: u64,
}

/// Whether a line about `path` may be logged now, and how many were not since the last that was.
fn admit(topic: Topic, path: &Arc<str>) -> Option<u64> {
    let mut windows = log_windows();
    let window = windows.entry((topic, path.clone())).or_insert_with(|| LogWindow {
        opened: Instant::now(),
        logged: 0,
        suppressed: 0,
    });
    if window.opened.elapsed() >= LOG_WINDOW {
        window.opened = Instant::now();
        window.logged = 0;
    }
    if window.logged >= LOGGED_PER_WINDOW {
        window.suppressed += 1;
        return None;
    }
    window.logged += 1;
    Some(std::mem::take(&mut window.suppressed))
}

fn log_windows() -> MutexGuard<'static, LogWindows> {
    LOG_WINDOWS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case 79 of `tests/supervision.rs`.
    #[test]
    fn a_crash_loop_is_logged_a_few_times_and_counted_always() {
        let path: Arc<str> = "test/crash_loop".into();
        let logged = (0..100).filter(|_| admit(Topic::Failure, &path).is_some()).count();
        assert_eq!(logged, LOGGED_PER_WINDOW as usize);
        let window = (Topic::Failure, path.clone());
        let suppressed = log_windows().get(&window).map(|window| window.suppressed);
        assert_eq!(suppressed, Some(100 - u64::from(LOGGED_PER_WINDOW)));
        assert!(admit(Topic::Restart, &path).is_some());
        assert!(admit(Topic::Failure, &"test/another".into()).is_some());
    }
}
