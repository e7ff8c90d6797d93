//! A recorder that fails, crashes, blocks or comes back: what is kept, and what its collector does.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use rehearsal::framework::collection::CollectError;
use rehearsal::framework::recorder::{Kept, Record, RecordWriter, Recorder, RecorderError};
use rehearsal::prelude::*;

use crate::support::command::Folder;
use crate::support::scene::{Place, Scene};
use crate::support::{ledger, records, until};

const ROWS: u32 = 400;

/// A memory recorder with mishaps.
struct Clumsy {
    memory: MemoryRecorder,
    written: AtomicU64,
    opened: AtomicU32,
    /// Writers that live now.
    writers: AtomicU32,
    mishap: Mishap,
}

/// What happens to it.
enum Mishap {
    /// The writes with these numbers, over all its lives, panic.
    PanicAt(Vec<u64>),
    /// Every write panics.
    PanicAlways,
    /// The write with this number fails, and all after it.
    FailFrom(u64),
    /// Syncing fails.
    FailToSync,
    /// It does not open.
    FailToOpen,
    /// It cannot say what it has kept, because it panics.
    PanicWhenRead,
    /// What it has kept is no record.
    Garbage,
    /// The thread of the write with this number ends.
    Gone(u64),
    /// The first write waits for a word from the test.
    Block(Mutex<mpsc::Receiver<()>>),
}

impl Clumsy {
    fn new(mishap: Mishap) -> Arc<Self> {
        Self::with_memory(MemoryRecorder::new(), mishap)
    }

    fn with_memory(memory: MemoryRecorder, mishap: Mishap) -> Arc<Self> {
        let (written, opened, writers) = Default::default();
        Arc::new(Self { memory, written, opened, writers, mishap })
    }
}

/// An open recorder; never is there a second one.
struct Writer(Arc<Clumsy>);

impl Writer {
    fn new(clumsy: &Arc<Clumsy>) -> Self {
        assert_eq!(
            clumsy.writers.fetch_add(1, Ordering::Relaxed),
            0,
            "two recorders write at once"
        );
        Self(clumsy.clone())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.writers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn broken() -> RecorderError {
    let source = Arc::new(std::io::Error::other("injected"));
    RecorderError::Write { path: "clumsy.jsonl".into(), source }
}

/// The shared end that records are written through.
struct Pen(Arc<Clumsy>);

impl Recorder for Pen {
    fn open(&self) -> Result<Box<dyn RecordWriter>, RecorderError> {
        self.0.opened.fetch_add(1, Ordering::Relaxed);
        match self.0.mishap {
            Mishap::FailToOpen => Err(broken()),
            _ => Ok(Box::new(Writer::new(&self.0))),
        }
    }

    fn kept(&self, visit: &mut dyn FnMut(Kept)) -> Result<(), RecorderError> {
        match self.0.mishap {
            Mishap::PanicWhenRead => panic!("injected while reading"),
            Mishap::Garbage => {
                let (path, reason) = ("clumsy.jsonl".into(), "injected".to_owned());
                Err(RecorderError::NotARecord { path, line: 7, reason })
            }
            _ => self.0.memory.kept(visit),
        }
    }
}

impl RecordWriter for Writer {
    fn write(&mut self, record: Record) -> Result<(), RecorderError> {
        let number = self.0.written.fetch_add(1, Ordering::Relaxed) + 1;
        match &self.0.mishap {
            Mishap::PanicAt(numbers) if numbers.contains(&number) => panic!("injected at {number}"),
            Mishap::PanicAlways => panic!("injected, always"),
            Mishap::FailFrom(first) if number >= *first => return Err(broken()),
            Mishap::Block(word) if number == 1 => word.lock().unwrap().recv().unwrap(),
            Mishap::Gone(last) if number == *last => {
                actix::Arbiter::current().stop();
            }
            Mishap::PanicAt(_)
            | Mishap::FailFrom(_)
            | Mishap::FailToSync
            | Mishap::FailToOpen
            | Mishap::PanicWhenRead
            | Mishap::Garbage
            | Mishap::Gone(_)
            | Mishap::Block(_) => {}
        }
        let mut memory = self.0.memory.clone();
        memory.write(record)
    }

    fn sync(&mut self) -> Result<(), RecorderError> {
        match self.0.mishap {
            Mishap::FailToSync => Err(broken()),
            _ => Ok(()),
        }
    }
}

/// A runtime with one ledger of [`ROWS`] tasks, of which at most 32 are in flight.
async fn ledger_runtime(folder: &Folder, scene: &str) -> Runtime {
    ledger_runtime_with(folder, scene, "repeats: 1").await
}

/// The same, with something more under `collect`.
async fn ledger_runtime_with(folder: &Folder, scene: &str, collect: &str) -> Runtime {
    folder.write("tasks.jsonl", &ledger::dataset(ROWS));
    let tasks = folder.path("tasks.jsonl");
    let yaml = format!(
        "models: {{ clerk: {{ kind: clerk, settings: {{ scene: {scene} }} }} }}
environments: {{ ledger: {{ kind: ledger, settings: {{ scene: {scene} }} }} }}
agents:
  keeper:
    kind: bookkeeper
    model: clerk
    environment: ledger
    settings: {{ scene: {scene} }}
    datasets: [{{ name: tasks, type: example, path: '{}' }}]
collect: {{ output: unused, max_in_flight: 32, sync_interval: 10ms, {collect} }}
runtime: {{ shards: 2 }}
",
        tasks.display()
    );
    let config = Loader::new().text("recorder", &yaml).load().unwrap();
    Runtime::start(config, &ledger::kinds()).await.unwrap()
}

async fn collect(runtime: &Runtime, clumsy: &Arc<Clumsy>) -> Result<Summary, CollectError> {
    let collection = runtime.collection().unwrap();
    runtime.collect(collection, Arc::new(Pen(clumsy.clone())), Arc::default()).await
}

/// Asserts that every row was recorded once, with the reward of a run in which nothing goes wrong.
#[track_caller]
fn assert_complete(clumsy: &Clumsy) {
    let records = clumsy.memory.records();
    let lines = records::by_key(records.iter().map(|record| record.line.as_str()));
    assert_eq!(lines.len(), ROWS as usize);
    for line in lines.values() {
        assert_eq!(line.reward, Some(ledger::reward(line.row())));
    }
}

#[tokio::test]
pub(super) async fn a_recorder_that_crashes_a_few_times_is_opened_again_and_nothing_is_recorded_twice()
 {
    let folder = Folder::new();
    Scene::set("recorder_crashes", Vec::new());
    let runtime = ledger_runtime(&folder, "recorder_crashes").await;
    let clumsy = Clumsy::new(Mishap::PanicAt(vec![1, 2, 50, 150, 151, 400]));
    let summary = collect(&runtime, &clumsy).await.unwrap();
    assert_eq!(clumsy.opened.load(Ordering::Relaxed), 7);
    assert_eq!(summary.kept + summary.scored, u64::from(ROWS));
    assert_eq!(summary.environments["ledger"].rollouts, u64::from(ROWS));
    assert_complete(&clumsy);
    runtime.stop().await;
}

#[tokio::test]
async fn a_recorder_that_always_crashes_ends_the_collection_not_the_runtime() {
    let folder = Folder::new();
    Scene::set("recorder_never_works", Vec::new());
    let runtime = ledger_runtime(&folder, "recorder_never_works").await;
    let error = collect(&runtime, &Clumsy::new(Mishap::PanicAlways)).await.unwrap_err();
    assert!(matches!(error, CollectError::GaveUp { .. }), "{error}");
    assert!(error.hint().unwrap().contains("--resume"));
    let healthy = Clumsy::new(Mishap::PanicAt(Vec::new()));
    collect(&runtime, &healthy).await.unwrap();
    assert_complete(&healthy);
    runtime.stop().await;
}

#[tokio::test]
pub(super) async fn a_recorder_whose_thread_ends_is_opened_again_on_another() {
    let folder = Folder::new();
    Scene::set("recorder_gone", Vec::new());
    let runtime = ledger_runtime(&folder, "recorder_gone").await;
    let clumsy = Clumsy::new(Mishap::Gone(150));
    let summary = collect(&runtime, &clumsy).await.unwrap();
    assert_eq!(clumsy.opened.load(Ordering::Relaxed), 2);
    assert_eq!(summary.kept + summary.scored, u64::from(ROWS));
    assert_complete(&clumsy);
    runtime.stop().await;
}

#[tokio::test]
pub(super) async fn a_recorder_that_hangs_ends_the_collection_after_its_timeout() {
    let folder = Folder::new();
    Scene::set("recorder_hangs", Vec::new());
    let runtime = ledger_runtime_with(&folder, "recorder_hangs", "record_timeout: 300ms").await;
    let (word, receiver) = mpsc::channel();
    let clumsy = Clumsy::new(Mishap::Block(Mutex::new(receiver)));
    let error = collect(&runtime, &clumsy).await.unwrap_err();
    assert!(error.to_string().contains("within 0.3 s (`collect.record_timeout`)"), "{error}");
    assert!(error.hint().unwrap().contains("--resume"));
    word.send(()).unwrap();
    let mended = Clumsy::new(Mishap::PanicAt(Vec::new()));
    collect(&runtime, &mended).await.unwrap();
    assert_complete(&mended);
    runtime.stop().await;
}

#[tokio::test]
async fn a_recorder_that_blocks_and_is_killed_is_not_joined_by_another() {
    let folder = Folder::new();
    Scene::set("recorder_killed", Vec::new());
    let runtime = ledger_runtime(&folder, "recorder_killed").await;
    let (word, receiver) = mpsc::channel();
    let clumsy = Clumsy::new(Mishap::Block(Mutex::new(receiver)));
    let blocking = async {
        until("a record is being written", || clumsy.written.load(Ordering::Relaxed) == 1).await;
        runtime.kill("collection/recorder").unwrap();
        word.send(()).unwrap();
    };
    let (summary, ()) = tokio::join!(collect(&runtime, &clumsy), blocking);
    assert_eq!(clumsy.opened.load(Ordering::Relaxed), 2);
    let summary = summary.unwrap();
    assert_eq!((summary.kept > 0, summary.kept + summary.scored), (true, u64::from(ROWS)));
    assert_complete(&clumsy);
    runtime.stop().await;
}

#[tokio::test]
pub(super) async fn a_failing_write_ends_the_collection_and_what_was_written_is_resumed() {
    let folder = Folder::new();
    Scene::set("recorder_fails", Vec::new());
    let runtime = ledger_runtime(&folder, "recorder_fails").await;
    let clumsy = Clumsy::new(Mishap::FailFrom(100));
    let error = collect(&runtime, &clumsy).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot write `clumsy.jsonl`: injected");
    assert_eq!(clumsy.memory.records().len(), 99);
    let mended = Clumsy::with_memory(clumsy.memory.clone(), Mishap::PanicAt(Vec::new()));
    let summary = collect(&runtime, &mended).await.unwrap();
    assert_eq!((summary.kept, summary.scored), (99, u64::from(ROWS) - 99));
    assert_complete(&mended);
    runtime.stop().await;
}

#[tokio::test]
pub(super) async fn a_recorder_that_cannot_open_sync_or_be_read_ends_the_collection_with_its_reason()
 {
    let folder = Folder::new();
    Scene::set("recorder_broken", Vec::new());
    let runtime = ledger_runtime(&folder, "recorder_broken").await;
    for (mishap, reason) in [
        (Mishap::FailToOpen, "injected"),
        (Mishap::FailToSync, "cannot write `clumsy.jsonl`: injected"),
        (Mishap::PanicWhenRead, "injected while reading"),
        (Mishap::Garbage, "`clumsy.jsonl` line 7: not a record of a collection: injected"),
    ] {
        let error = collect(&runtime, &Clumsy::new(mishap)).await.unwrap_err();
        assert!(error.to_string().contains(reason), "`{reason}` is not in: {error}");
    }
    runtime.stop().await;
}

#[tokio::test]
pub(super) async fn a_recorder_that_blocks_holds_up_the_dataset_but_not_what_is_in_flight() {
    let folder = Folder::new();
    let scene = Scene::set("recorder_blocks", Vec::new());
    let runtime = ledger_runtime(&folder, "recorder_blocks").await;
    let (word, receiver) = mpsc::channel();
    let clumsy = Clumsy::new(Mishap::Block(Mutex::new(receiver)));
    let progress = Arc::new(Progress::default());
    let collection = runtime.collection().unwrap();
    let collecting = runtime.collect(collection, Arc::new(Pen(clumsy.clone())), progress.clone());
    let blocking = async {
        until("a record is being written", || clumsy.written.load(Ordering::Relaxed) == 1).await;
        let visits = |place| (1..=ROWS).map(|row| scene.visits(place, row)).sum::<u32>();
        until("the rollouts in flight have been scored", || visits(Place::Verifier) >= 32).await;
        assert_eq!((visits(Place::Open), progress.snapshot().in_flight), (32, 32));
        word.send(()).unwrap();
    };
    let (summary, ()) = tokio::join!(collecting, blocking);
    assert_eq!(summary.unwrap().scored, u64::from(ROWS));
    assert_complete(&clumsy);
    runtime.stop().await;
}
