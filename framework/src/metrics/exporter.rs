//! The Prometheus exporter: installs the recorder and serves what it holds.
//!
//! The HTTP listener that `metrics-exporter-prometheus` brings cannot report the port it got, be
//! stopped, or share one recorder between two listeners, so [`http`](super::http) serves instead.
//! The recorder is one per process; each further exporter serves the same one.

use std::{io, net::SocketAddr, sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::{self, MissedTickBehavior},
};

use super::{
    BUILD_INFO, DESCRIPTIONS,
    family::Kind,
    http::{self, Page},
    process::measure_process,
};

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
        tasks.spawn(http::serve(listener, routes(recorder.clone(), pages), signal.clone()));
        tasks.spawn(keep_up(recorder.clone(), signal));
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
    metrics::with_local_recorder(&recorder, || {
        BUILD_INFO.with([env!("CARGO_PKG_VERSION")]).set(1.0);
        measure_process();
    });
    metrics::set_global_recorder(recorder).ok()?;
    Some(handle)
}

/// Makes a recorder that knows every description and all buckets.
pub(super) fn recorder() -> PrometheusRecorder {
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

/// Drains the histograms and measures the process, again and again, until the signal closes.
async fn keep_up(recorder: PrometheusHandle, mut signal: watch::Receiver<()>) {
    let mut ticks = time::interval(UPKEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = signal.changed() => return,
            _ = ticks.tick() => {}
        }
        let recorder = recorder.clone();
        let upkeep = spawn_blocking(move || {
            recorder.run_upkeep();
            measure_process();
        });
        if let Err(error) = upkeep.await {
            tracing::warn!(%error, "the upkeep of the metrics failed");
        }
    }
}
