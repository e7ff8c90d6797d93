//! The web as all sessions see it: one search service, one fetcher, their caches and limits.
//!
//! There is one for all shards, on a thread and a runtime of its own. A request that many sessions wait
//! for must not depend on any of them: not on its patience, nor on its shard, which a neighbour may
//! block while the others wait. So a shard spawns what it needs there and waits for it; who stops
//! waiting stops nothing. Nor is an HTTP client shared between the shards' runtimes
//! (`docs/decisions/0001-each-shard-its-own-runtime.md`).

use std::sync::Arc;
use std::thread;

use framework::config::TimeSpan;
use framework::cpu::CpuPool;
use framework::metrics::WebMetrics;
use framework::wiring::{BuildError, Wiring};
use reqwest::Url;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::cache::Answers;
use super::failure::Failure;
use super::fetch::{Fault, Fetcher};
use super::google::Google;
use super::local::Local;
use super::page::NoText;
use super::searxng::Searxng;
use super::{BackendKind, Config};

/// What a model reads where no page could be had.
pub(crate) const NO_PAGE: &str = "No HTML found";
/// What it reads where there is nothing to read on the page.
pub(crate) const NO_TEXT: &str = "No text found";
/// Names are looked up on so many threads at once.
const LOOKUPS_MAX: usize = 64;

/// A door to the web.
pub(crate) struct Web {
    desk: Arc<Desk>,
    runtime: Handle,
    wait_max: TimeSpan,
    /// Ends the thread when it is dropped.
    _running: oneshot::Sender<()>,
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Web({:?})", self.desk.source)
    }
}

/// What does the work.
#[derive(Debug)]
struct Desk {
    source: Source,
    searches: Answers,
    pages: Answers,
    cpu: CpuPool,
}

/// Who is searched, and where pages come from.
#[derive(Debug)]
enum Source {
    Google(Google, Fetcher),
    Searxng(Searxng, Fetcher),
    Local(Local),
}

impl Web {
    /// Opens the door that the configuration describes; nothing is asked yet.
    ///
    /// # Errors
    /// Fails if the settings of the backend are missing or malformed.
    pub(crate) fn open(config: &Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let (runtime, running) = start_thread(wiring.name())?;
        let fetcher = || Fetcher::new(&config.browse, wiring);
        let source = match config.backend() {
            BackendKind::Google => Source::Google(Google::new(config, wiring)?, fetcher()?),
            BackendKind::Searxng => Source::Searxng(Searxng::new(config, wiring)?, fetcher()?),
            BackendKind::Local => Source::Local(Local::open(config, &runtime)?),
        };
        let metrics = |service| WebMetrics::new(wiring.name(), service);
        let cache = config.cache;
        let desk = Desk {
            source,
            searches: Answers::new(cache.searches_max, cache.searches_for, metrics("search")),
            pages: Answers::new(cache.pages_max, cache.pages_for, metrics("page")),
            cpu: wiring.cpu(),
        };
        let desk = Arc::new(desk);
        Ok(Self { desk, runtime, wait_max: config.wait_max, _running: running })
    }

    /// Waits until searches can be answered.
    ///
    /// # Errors
    /// Fails if they never can: the local documents cannot be read.
    pub(crate) async fn ready(&self) -> Result<(), Failure> {
        match &self.desk.source {
            Source::Local(local) => local.index().await.map(|_| ()),
            Source::Google(..) | Source::Searxng(..) => Ok(()),
        }
    }

    /// Searches.
    pub(crate) async fn search(&self, query: &str) -> Result<Arc<str>, Arc<Failure>> {
        if let Some(found) = self.desk.searches.get(query).await {
            return Ok(found);
        }
        let (desk, query) = (self.desk.clone(), query.to_owned());
        let ask = async move { desk.searches.get_or(&query, desk.search(&query)).await };
        self.await_answer(&self.desk.searches, ask).await
    }

    /// Reads the page of a URL.
    pub(crate) async fn page(&self, url: &Url) -> Result<Arc<str>, Arc<Failure>> {
        if let Some(found) = self.desk.pages.get(url.as_str()).await {
            return Ok(found);
        }
        let (desk, url) = (self.desk.clone(), url.clone());
        let ask = async move { desk.pages.get_or(url.as_str(), desk.page(&url)).await };
        self.await_answer(&self.desk.pages, ask).await
    }

    /// Has something asked on the thread for that, and waits for the answer as long as allowed.
    async fn await_answer(
        &self,
        answers: &Answers,
        ask: impl Future<Output = Result<Arc<str>, Arc<Failure>>> + Send + 'static,
    ) -> Result<Arc<str>, Arc<Failure>> {
        let wait_max = self.wait_max;
        let late =
            move || Arc::new(Failure::not_allowed(format_args!("no answer within {wait_max}")));
        // What nobody can wait for any more is given up there too.
        let asked = self.runtime.spawn(async move {
            timeout(wait_max.duration(), ask).await.unwrap_or_else(|_| Err(late()))
        });
        match timeout(wait_max.duration(), asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Arc::new(Failure::outage("the search tool has crashed"))),
            Err(_) => {
                answers.late();
                Err(late())
            }
        }
    }
}

impl Desk {
    async fn search(&self, query: &str) -> Result<String, Failure> {
        match &self.source {
            Source::Google(google, _) => google.search(query).await,
            Source::Searxng(searxng, _) => searxng.search(query).await,
            Source::Local(local) => {
                let (index, query) = (local.index().await?, query.to_owned());
                self.cpu.run(move || index.search(&query)).await
            }
        }
    }

    async fn page(&self, url: &Url) -> Result<String, Failure> {
        match &self.source {
            Source::Google(_, fetcher) | Source::Searxng(_, fetcher) => {
                let page = fetcher.fetch(url).await.map_err(|fault| match fault {
                    Fault::Refused(refusal) => Failure::refused(refusal),
                    Fault::Failed { .. } => Failure::refused(NO_PAGE),
                })?;
                self.cpu.run(move || page.text()).await.map_err(|no_text| match no_text {
                    NoText::NoPage => Failure::refused(NO_PAGE),
                    NoText::Empty => Failure::refused(NO_TEXT),
                    NoText::TooComplex => Failure::refused(no_text),
                })
            }
            Source::Local(local) => {
                let (index, url) = (local.index().await?, url.clone());
                let page = self.cpu.run(move || index.page(&url)).await?;
                page.ok_or_else(|| Failure::refused(NO_PAGE))
            }
        }
    }
}

/// Starts a thread with a runtime that runs until the sender is dropped.
fn start_thread(name: &str) -> Result<(Handle, oneshot::Sender<()>), BuildError> {
    let cannot = |error| BuildError::new(format_args!("no thread for the web: {error}"));
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(LOOKUPS_MAX)
        .thread_name("rehearsal-lookup")
        .build()
        .map_err(cannot)?;
    let (handle, (running, ended)) = (runtime.handle().clone(), oneshot::channel::<()>());
    let thread = thread::Builder::new().name(format!("rehearsal-web-{name}"));
    let run = move || {
        let _ = runtime.block_on(ended);
        runtime.shutdown_background();
    };
    thread.spawn(run).map_err(cannot)?;
    Ok((handle, running))
}
