//! Fetches a page: every hop is judged by the [`Guard`], and everything about it has a limit.
//!
//! Redirects are followed here and not by the HTTP client, so that each one's URL is judged and
//! counted. Proxies of the surroundings are ignored: one would resolve names itself, behind the guard.
//! What NeMo Gym answers where a page cannot be had, whatever the reason, is `No HTML found`.

mod resolver;

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use framework::config::{ByteSize, TimeSpan};
use framework::metrics::WebMetrics;
use framework::wiring::{BuildError, Wiring};
use moka::future::Cache;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION,
};
use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::address::{Guard, Place, Refusal};
use super::api::{chain, crypto, status_kind};
use super::pace::{Pace, Rate};
use super::page::{Coding, Media, RawPage};
use resolver::GuardedResolver;
#[cfg(test)]
pub(crate) use resolver::Lookup;

/// The pause before the first retry; it doubles with each further one.
const BACKOFF: Duration = Duration::from_millis(500);
/// Statuses after which a page is asked for again.
const RETRIED: [u16; 18] =
    [429, 499, 500, 502, 503, 504, 509, 520, 521, 522, 523, 524, 525, 526, 527, 530, 598, 408];
/// So many sites are remembered, with how often they were asked.
const SITES_MAX: u64 = 10_000;
/// A site that was not asked for this long is forgotten.
const SITE_IDLE: Duration = Duration::from_secs(600);

/// How pages are fetched: `settings.browse`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FetchConfig {
    /// How long one try may take, redirects included. Default: 30s.
    pub timeout: TimeSpan,
    /// So many redirects are followed. Default: 2.
    pub redirects: u32,
    /// How often a page is asked for again after 429 or 5xx. Default: 2.
    pub retries: u32,
    /// The longest page that is read, compressed or not. Default: 20MB.
    pub body_max: ByteSize,
    /// How often pages are asked for, over all shards; null: as often as it comes. Default: 50
    /// requests a second.
    pub rate: Option<Rate>,
    /// How often one host is asked. Default: 10 requests a second.
    pub host_rate: Option<Rate>,
    /// So many pages are fetched at once, over all shards. Default: 64.
    pub at_once: NonZeroUsize,
    /// What servers are told who asks. Default: `rehearsal/` and its version.
    pub user_agent: String,
    /// Hosts and networks that may be read although they are not public.
    pub allow: Vec<Place>,
    /// Hosts and networks that are never read.
    pub deny: Vec<Place>,
    /// If there are any, nothing else is read.
    pub only: Vec<Place>,
}

impl Default for FetchConfig {
    fn default() -> Self {
        let per_second =
            |more| Rate::new(NonZeroU32::MIN.saturating_add(more), TimeSpan::from_secs(1));
        Self {
            timeout: TimeSpan::from_secs(30),
            redirects: 2,
            retries: 2,
            body_max: ByteSize::from_bytes(20_000_000),
            rate: Some(per_second(49)),
            host_rate: Some(per_second(9)),
            at_once: NonZeroUsize::MIN.saturating_add(63),
            user_agent: super::USER_AGENT.to_owned(),
            allow: Vec::new(),
            deny: Vec::new(),
            only: Vec::new(),
        }
    }
}

/// Why a page was not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// It may not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be; the model is not told why.
    #[error("{reason}")]
    Failed {
        status: &'static str,
        reason: String,
        /// Whether another try may fare better.
        may_pass: bool,
    },
}

impl Fault {
    fn failed(status: &'static str, reason: impl Into<String>) -> Self {
        Self::Failed { status, reason: reason.into(), may_pass: false }
    }

    fn status(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Failed { status, .. } => status,
        }
    }
}

/// Fetches pages.
#[derive(Debug)]
pub(crate) struct Fetcher {
    client: Client,
    guard: Guard,
    pace: Option<Pace>,
    sites: Cache<String, Arc<Pace>>,
    permits: Semaphore,
    config: FetchConfig,
    metrics: WebMetrics,
}

impl Fetcher {
    /// A fetcher that finds hosts through the system's resolver.
    ///
    /// # Errors
    /// Fails if the system's certificates cannot be read, or the user agent is no header.
    pub(crate) fn new(config: &FetchConfig, wiring: &Wiring) -> Result<Self, BuildError> {
        Self::with_resolver(config, wiring, GuardedResolver::of_system)
    }

    fn with_resolver(
        config: &FetchConfig,
        wiring: &Wiring,
        resolver: impl FnOnce(Guard) -> GuardedResolver,
    ) -> Result<Self, BuildError> {
        let FetchConfig { allow, deny, only, .. } = config.clone();
        let guard = Guard { allow, deny, only };
        crypto();
        let client = Client::builder()
            .user_agent(&config.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(resolver(guard.clone()))
            .connect_timeout(config.timeout.duration())
            .pool_max_idle_per_host(2)
            .http1_only()
            .build()
            .map_err(|error| BuildError::new(format_args!("no HTTP client: {}", chain(&error))))?;
        let sites = Cache::builder().max_capacity(SITES_MAX).time_to_idle(SITE_IDLE).build();
        Ok(Self {
            client,
            guard,
            pace: config.rate.map(Pace::new),
            sites,
            permits: Semaphore::new(config.at_once.get().min(Semaphore::MAX_PERMITS)),
            config: config.clone(),
            metrics: WebMetrics::new(wiring.name(), "page"),
        })
    }

    /// A fetcher that asks `lookup` for the addresses of a host.
    #[cfg(test)]
    pub(crate) fn with_lookup(config: &FetchConfig, lookup: Lookup) -> Self {
        let resolver = |guard| GuardedResolver::new(guard, lookup);
        Self::with_resolver(config, &Wiring::detached("web"), resolver).unwrap()
    }

    /// Fetches a page, with retries.
    pub(crate) async fn fetch(&self, url: &Url) -> Result<RawPage, Fault> {
        let _permit = self.permits.acquire().await.expect("nobody closes the semaphore");
        let mut retries = 0;
        loop {
            let page = timeout(self.config.timeout.duration(), self.follow(url.clone())).await;
            let fault = match page {
                Ok(Ok(page)) => return Ok(page),
                Ok(Err(fault)) => fault,
                Err(_) => Fault::failed("timeout", "no answer in time"),
            };
            tracing::debug!(%url, %fault, retries, "a page was not fetched");
            let may_pass = matches!(fault, Fault::Failed { may_pass: true, .. });
            if !may_pass || retries >= self.config.retries {
                return Err(fault);
            }
            tokio::time::sleep(BACKOFF.saturating_mul(1 << retries.min(16))).await;
            retries += 1;
        }
    }

    /// Follows redirects to a page.
    async fn follow(&self, mut url: Url) -> Result<RawPage, Fault> {
        for _ in 0..=self.config.redirects {
            match self.hop(&url).await? {
                Hop::Page(page) => return Ok(page),
                Hop::Redirect(next) => url = next,
            }
        }
        Err(Fault::failed("http_other", "too many redirects"))
    }

    /// Sends one request. What is refused counts as such, and is not sent.
    async fn hop(&self, url: &Url) -> Result<Hop, Fault> {
        if let Err(refusal) = self.guard.check_url(url) {
            return Err(self.refused(refusal));
        }
        self.wait(url).await;
        let started = Instant::now();
        let count = |status| self.metrics.request(status, started.elapsed());
        let mut unfinished = Unfinished(Some(count));
        let result = match self.exchange(url).await {
            Err(Fault::Refused(refusal)) => Err(self.refused(refusal)),
            result => result,
        };
        unfinished.ended(result.as_ref().map_or_else(Fault::status, |_| "ok"));
        result
    }

    fn refused(&self, refusal: Refusal) -> Fault {
        self.metrics.refused(refusal.reason());
        Fault::Refused(refusal)
    }

    /// Waits until it is the turn of a request to that host.
    async fn wait(&self, url: &Url) {
        if let (Some(rate), Some(host)) = (self.config.host_rate, url.host_str()) {
            let new = async { Arc::new(Pace::new(rate)) };
            self.sites.get_with_by_ref(host, new).await.turn().await;
        }
        if let Some(pace) = &self.pace {
            pace.turn().await;
        }
    }

    async fn exchange(&self, url: &Url) -> Result<Hop, Fault> {
        let mut target = url.clone();
        // What a model writes before an `@` is nothing to send to anybody.
        let _ = (target.set_username(""), target.set_password(None));
        let request = self
            .client
            .get(target)
            .header(ACCEPT, "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.1")
            .header(ACCEPT_ENCODING, "gzip");
        let answer = request.send().await.map_err(|error| connection(&error))?;
        let status = answer.status();
        if status.is_redirection() {
            return redirect(url, &answer);
        }
        if status != StatusCode::OK {
            let may_pass = RETRIED.contains(&status.as_u16());
            let (status, reason) = (status_kind(status), status.to_string());
            return Err(Fault::Failed { status, reason, may_pass });
        }
        self.read(answer).await.map(Hop::Page)
    }

    async fn read(&self, mut answer: Response) -> Result<RawPage, Fault> {
        let headers = answer.headers();
        let media = Media::of(text(headers, CONTENT_TYPE));
        let media = media.ok_or_else(|| Fault::failed("content", "it is no text"))?;
        let coding = Coding::of(text(headers, CONTENT_ENCODING));
        let coding = coding.ok_or_else(|| Fault::failed("content", "an unknown encoding"))?;
        let max = self.config.body_max.bytes();
        let too_long = || Fault::failed("too_long", "longer than `settings.browse.body_max`");
        if answer.content_length().is_some_and(|length| length > max) {
            return Err(too_long());
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| connection(&error))? {
            if (body.len() + chunk.len()) as u64 > max {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(RawPage { body, media, coding, length_max: usize::try_from(max).unwrap_or(usize::MAX) })
    }
}

/// Where a request leads to.
enum Hop {
    Page(RawPage),
    Redirect(Url),
}

/// Counts a request as timed out if it is dropped before it has ended.
struct Unfinished<F: Fn(&'static str)>(Option<F>);

impl<F: Fn(&'static str)> Unfinished<F> {
    fn ended(&mut self, status: &'static str) {
        if let Some(count) = self.0.take() {
            count(status);
        }
    }
}

impl<F: Fn(&'static str)> Drop for Unfinished<F> {
    fn drop(&mut self) {
        self.ended("timeout");
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn redirect(from: &Url, answer: &Response) -> Result<Hop, Fault> {
    let target = text(answer.headers(), LOCATION).and_then(|target| from.join(target).ok());
    let nowhere = || Fault::failed("http_other", "a redirect to nowhere");
    target.map(Hop::Redirect).ok_or_else(nowhere)
}

/// What kept a request from its answer: the resolver's refusal, if it is among the causes.
fn connection(error: &reqwest::Error) -> Fault {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return Fault::Refused(*refusal);
        }
        cause = error.source();
    }
    Fault::failed("connection", chain(error))
}

#[cfg(test)]
mod tests;
