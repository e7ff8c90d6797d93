//! The Prometheus exporter: installs the recorder and serves what it holds.
//!
//! The HTTP listener that `metrics-exporter-prometheus` brings cannot report the port it got, be
//! stopped, or share one recorder between two listeners, so [`http`](crate::http) serves instead.
//! The recorder is one per process; each further exporter serves the same one.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::{self, MissedTickBehavior},
};

use crate::http::{Page, answer_with, serve};

use super::{BUILD_INFO, DESCRIPTIONS, family::Kind, process::measure_process};

/// How often histograms are drained and the process is measured.
///
/// Samples pile up in memory between two drains: 16 bytes each, whether scraped or not.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves the metrics of this process at `/metrics` until it is stopped or dropped.
///
/// It starts before the actors are built, as their handles bind to the recorder it installs, and
/// on the runtime of the program, never inside an arbiter: scrapes would then take time from the
/// actors, and end with that arbiter.
#[derive(Debug)]
pub struct Exporter {
    address: SocketAddr,
    recorder: PrometheusHandle,
    /// Closed, it tells the tasks to end.
    running: watch::Sender<()>,
    tasks: JoinSet<()>,
}

impl Exporter {
    /// Listens on the address, where port 0 means any free port, installs the recorder of the
    /// process unless an earlier exporter did, and serves on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be listened on, or if the program has installed a metrics
    /// recorder of its own.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime that has I/O and time enabled.
    pub async fn start(address: SocketAddr) -> Result<Self, ExporterError> {
        Self::start_with(address, Vec::new()).await
    }

    /// Does what [`start`](Self::start) does, and serves these pages beside `/metrics`.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(address: SocketAddr, pages: Vec<Page>) -> Result<Self, ExporterError> {
        let failure = |source| ExporterError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failure)?;
        let address = listener.local_addr().map_err(failure)?;
        let recorder = installed_recorder().ok_or(ExporterError::ForeignRecorder)?;

        let (running, signal) = watch::channel(());
        let mut tasks = JoinSet::new();
        let pages: Arc<[Page]> = routes(recorder.clone(), pages).into();
        let answer = move |request| answer_with(request, pages.clone());
        tasks.spawn(serve(listener, answer, signal.clone()));
        let kept_up = recorder.clone();
        tasks.spawn(repeat(UPKEEP_INTERVAL, move || upkeep(&kept_up), signal));
        Ok(Self { address, recorder, running, tasks })
    }

    /// The address it listens on, with the actual port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The metrics as `/metrics` would show them now, in the text format of Prometheus.
    ///
    /// It takes milliseconds with thousands of series.
    #[must_use]
    pub fn render(&self) -> String {
        self.recorder.render()
    }

    /// Stops listening and returns once the port is free; scrapes under way may end first.
    pub async fn stop(self) {
        let Self { running, mut tasks, .. } = self;
        drop(running);
        while tasks.join_next().await.is_some() {}
    }
}

/// Why the exporter cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExporterError {
    /// Nothing can listen on this address now.
    #[error("cannot listen on `{address}`, the value of `telemetry.prometheus`")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The program has a recorder that is not Rehearsal's, and there can be one only.
    #[error("cannot serve `telemetry.prometheus`: another metrics recorder is installed")]
    ForeignRecorder,
}

impl ExporterError {
    /// What the reader can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Listen { source, .. } => listen_hint(source.kind()),
            Self::ForeignRecorder => Some(
                "leave `telemetry.prometheus` out and export through the recorder of the program",
            ),
        }
    }
}

fn listen_hint(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::AddrInUse => Some(
            "another program, perhaps another run, listens there; \
             choose another port, or port 0 for any free one",
        ),
        io::ErrorKind::AddrNotAvailable => Some(
            "this machine has no such address; \
             `127.0.0.1:9464` is reachable from here only, `0.0.0.0:9464` from everywhere",
        ),
        io::ErrorKind::PermissionDenied => {
            Some("ports below 1024 need privileges; choose a higher one")
        }
        _ => None,
    }
}

/// The recorder of this process; `None` if the program installed another one first.
fn installed_recorder() -> Option<PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER.get_or_init(install_recorder).clone()
}

fn install_recorder() -> Option<PrometheusHandle> {
    let recorder = recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, record_constants);
    metrics::set_global_recorder(recorder).ok()?;
    Some(handle)
}

/// Records what the first scrape should show, even if nothing else happens.
pub(super) fn record_constants() {
    BUILD_INFO.with([env!("CARGO_PKG_VERSION")]).set(1.0);
    measure_process();
}

/// Makes a recorder that knows every description and all buckets.
pub(crate) fn recorder() -> PrometheusRecorder {
    let mut builder = PrometheusBuilder::new();
    for description in &DESCRIPTIONS {
        let Kind::Histogram(buckets) = description.kind else { continue };
        let name = Matcher::Full(description.name.to_owned());
        builder =
            builder.set_buckets_for_metric(name, buckets).expect("every histogram has buckets");
    }
    let recorder = builder.build_recorder();
    for description in &DESCRIPTIONS {
        description.tell(&recorder);
    }
    recorder
}

fn routes(recorder: PrometheusHandle, pages: Vec<Page>) -> Vec<Page> {
    let metrics = Page::new("/metrics", METRICS_CONTENT_TYPE, move || recorder.render());
    let index = Page::new("/", "text/plain; charset=utf-8", || {
        "Rehearsal: the metrics are at /metrics\n".to_owned()
    });
    [metrics, index].into_iter().chain(pages).collect()
}

/// Drains the histograms, which keep every sample until then, and measures the process.
fn upkeep(recorder: &PrometheusHandle) {
    recorder.run_upkeep();
    measure_process();
}

/// Does the work at once and then at intervals, on a blocking thread, until the signal closes.
async fn repeat<F>(interval: Duration, work: F, mut signal: watch::Receiver<()>)
where
    F: Fn() + Clone + Send + 'static,
{
    let mut ticks = time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = signal.changed() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = spawn_blocking(work.clone()).await {
            tracing::warn!(%error, "the upkeep of the metrics failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::mpsc,
    };

    use super::*;
    use crate::metrics::CollectionMetrics;

    const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

    async fn exporter() -> Exporter {
        Exporter::start(ANY_PORT.into()).await.unwrap()
    }

    async fn exchange(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        exchange(address, &format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await
    }

    fn listen_error(kind: io::ErrorKind) -> ExporterError {
        ExporterError::Listen { address: ANY_PORT.into(), source: kind.into() }
    }

    #[tokio::test]
    async fn a_scrape_shows_the_handles_made_after_the_start() {
        let exporter = exporter().await;
        CollectionMetrics::new().records_written(1);

        let reply = get(exporter.address(), "/metrics").await;

        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
        assert!(reply.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
        assert!(reply.contains("\nrehearsal_records_written_total "), "{reply}");
        let version = env!("CARGO_PKG_VERSION");
        assert!(reply.contains(&format!("\nrehearsal_build_info{{version=\"{version}\"}} 1\n")));
    }

    #[tokio::test]
    async fn the_first_scrape_shows_the_process() {
        let exporter = exporter().await;
        assert!(exporter.render().contains("\nprocess_resident_memory_bytes "));
    }

    #[tokio::test]
    async fn a_second_exporter_serves_the_same_recorder() {
        let first = exporter().await;
        let second = exporter().await;
        assert_ne!(first.address(), second.address());
        CollectionMetrics::new().rows_rejected(1);

        first.stop().await;

        let reply = get(second.address(), "/metrics").await;
        assert!(reply.contains("\nrehearsal_dataset_rows_rejected_total "), "{reply}");
    }

    #[tokio::test]
    async fn a_port_in_use_is_an_error_that_names_the_address_and_the_key() {
        let first = exporter().await;
        let address = first.address();

        let error = Exporter::start(address).await.unwrap_err();

        let expected = format!("cannot listen on `{address}`, the value of `telemetry.prometheus`");
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().unwrap().contains("another port"));
    }

    #[test]
    fn a_hint_follows_the_reason_of_the_system() {
        let hint = |kind| listen_error(kind).hint();
        assert!(hint(io::ErrorKind::AddrNotAvailable).unwrap().contains("no such address"));
        assert!(hint(io::ErrorKind::PermissionDenied).unwrap().contains("1024"));
        assert_eq!(hint(io::ErrorKind::OutOfMemory), None);
        assert!(ExporterError::ForeignRecorder.hint().is_some());
    }

    #[tokio::test]
    async fn a_stopped_exporter_leaves_its_port_free() {
        let stopped = exporter().await;
        let address = stopped.address();
        stopped.stop().await;
        let again = Exporter::start(address).await.unwrap();
        assert_eq!(again.address(), address);
    }

    #[tokio::test]
    async fn the_root_points_to_the_metrics_and_other_pages_can_be_added() {
        let tree = Page::new("/tree", "application/json", || "{}".to_owned());
        let exporter = Exporter::start_with(ANY_PORT.into(), vec![tree]).await.unwrap();

        let root = get(exporter.address(), "/").await;
        let tree = get(exporter.address(), "/tree?depth=1").await;

        assert!(root.ends_with("the metrics are at /metrics\n"), "{root}");
        assert!(tree.contains("content-type: application/json\r\n"), "{tree}");
        assert!(tree.ends_with("\r\n\r\n{}"), "{tree}");
    }

    #[tokio::test(start_paused = true)]
    async fn upkeep_runs_at_once_then_at_intervals_until_the_signal_closes() {
        let (done, mut runs) = mpsc::unbounded_channel();
        let (running, signal) = watch::channel(());
        let work = move || done.send(()).expect("the test waits for it");
        let task = tokio::spawn(repeat(UPKEEP_INTERVAL, work, signal));

        let start = time::Instant::now();
        for _ in 0..3 {
            runs.recv().await.unwrap();
        }
        assert_eq!(start.elapsed(), 2 * UPKEEP_INTERVAL);

        drop(running);
        task.await.unwrap();
    }
}
