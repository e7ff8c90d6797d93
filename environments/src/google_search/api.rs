//! A search API that answers with JSON: one door for Google's and SearXNG's.
//!
//! A request has a time, a size and a number of retries; retries spend from a budget, and a circuit
//! breaker leaves an API alone that keeps failing (`framework::endpoint`). Redirects are not followed:
//! one could carry the key to another host.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use framework::config::{ByteSize, Secret, TimeSpan, holds_url_credentials};
use framework::endpoint::{BreakerConfig, BudgetConfig, Endpoint};
use framework::environment::python::Json;
use framework::metrics::WebMetrics;
use framework::wiring::{BuildError, Wiring};
use reqwest::header::{ACCEPT, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::failure::{Cause, Failure, MASK, Redactor};
use super::pace::{Pace, Rate};

/// The pause before the first retry; it doubles with each further one.
const BACKOFF: Duration = Duration::from_millis(500);
/// An idle connection is closed after this time, before most servers would close it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// JSON nested deeper than this is malformed.
const DEPTH_MAX: usize = 128;

/// How a search API is asked: `settings.search`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// How long one request may take. Default: 10s.
    pub timeout: TimeSpan,
    /// How often a request is sent again after a failure that may pass: no connection, no answer in
    /// time, 429 or 5xx. Default: 2.
    pub retries: u32,
    /// What it means for a rollout that a search failed because the API was down, or did not let us
    /// ask. Default: `tell`.
    pub on_outage: OnOutage,
    /// How often the API is asked, over all shards; null: as often as it comes. Default: 100 requests
    /// a minute, which is what Google allows at first.
    pub rate: Option<Rate>,
    /// So many requests are under way at once, over all shards. Default: 32.
    pub at_once: NonZeroUsize,
    /// The longest answer that is read. Default: 4MiB.
    pub answer_max: ByteSize,
    /// How many retries there may be beside the requests. Default: a fifth of the requests of the last
    /// 10s, or 10.
    pub retry_budget: BudgetConfig,
    /// When the API is left alone. Default: for 5s or more, when half of at least 20 answers of the
    /// last 10s were failures: none in time, no connection, 5xx or no JSON.
    pub breaker: BreakerConfig,
}

impl Default for ApiConfig {
    fn default() -> Self {
        let requests = NonZeroU32::MIN.saturating_add(99);
        Self {
            timeout: TimeSpan::from_secs(10),
            retries: 2,
            on_outage: OnOutage::Tell,
            rate: Some(Rate::new(requests, TimeSpan::from_secs(60))),
            at_once: NonZeroUsize::MIN.saturating_add(31),
            answer_max: ByteSize::from_bytes(4 << 20),
            retry_budget: BudgetConfig::default(),
            breaker: BreakerConfig::default(),
        }
    }
}

/// What it means for a rollout that a search was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnOutage {
    /// The model reads so, and the rollout is scored, as in NeMo Gym.
    Tell,
    /// The model reads so, and the rollout fails: it is made again, and never scored.
    Fail,
}

/// A door to one API.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client,
    url: Url,
    /// Parameters of every request that nobody may see.
    secrets: Vec<(&'static str, Secret)>,
    redactor: Redactor,
    health: Arc<Endpoint>,
    pace: Option<Pace>,
    permits: Semaphore,
    config: ApiConfig,
    metrics: WebMetrics,
}

/// How a request failed.
struct Fault {
    failure: Failure,
    status: &'static str,
    /// Whether another try may fare better, and how long the API asks to wait for it.
    retry: Option<Duration>,
}

impl Api {
    /// A door to the API at a URL; nothing is sent yet.
    ///
    /// # Errors
    /// Fails if the URL is malformed, or the system's certificates cannot be read.
    pub(crate) fn new(
        url: Url,
        secrets: Vec<(&'static str, Secret)>,
        config: &ApiConfig,
        wiring: &Wiring,
    ) -> Result<Self, BuildError> {
        let client = client(&config.timeout);
        let client = client
            .map_err(|error| BuildError::new(format_args!("no HTTP client: {}", chain(&error))))?;
        Ok(Self {
            client,
            url,
            redactor: Redactor::new(secrets.iter().map(|(_, secret)| secret)),
            secrets,
            health: wiring.service("search", config.breaker, config.retry_budget),
            pace: config.rate.map(Pace::new),
            permits: Semaphore::new(config.at_once.get().min(Semaphore::MAX_PERMITS)),
            config: config.clone(),
            metrics: WebMetrics::new(wiring.name(), "search"),
        })
    }

    /// What takes the secrets of this API out of texts.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Asks with these parameters beside the secret ones.
    pub(crate) async fn get(&self, params: &[(&str, &str)]) -> Result<Json, Failure> {
        self.health.count_request();
        let mut retries = 0;
        loop {
            let fault = match self.admitted(params).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let wait = fault.retry.filter(|_| retries < self.config.retries);
            let Some(wait) = wait.filter(|_| self.health.may_retry()) else {
                return Err(fault.failure);
            };
            tracing::debug!(failure = %fault.failure, retries, "asking the search API again");
            tokio::time::sleep(wait + BACKOFF.saturating_mul(1 << retries.min(16))).await;
            retries += 1;
        }
    }

    /// Sends one request, if the rate and the breaker let it, and tells the breaker how it went.
    async fn admitted(&self, params: &[(&str, &str)]) -> Result<Json, Fault> {
        let _permit = self.permits.acquire().await.expect("nobody closes the semaphore");
        if let Some(pace) = &self.pace {
            pace.turn().await;
        }
        let started = Instant::now();
        let admission = self.health.admit(started + self.config.timeout.duration());
        let admission = admission.map_err(|refused| {
            let seconds = refused.retry_after.as_secs_f64();
            let failure = Failure::outage(format_args!(
                "the search service keeps failing and is asked again in {seconds:.1} s"
            ));
            Fault { failure, status: "refused", retry: None }
        })?;
        let answer = timeout(self.config.timeout.duration(), self.exchange(params)).await;
        let result = answer.unwrap_or_else(|_| Err(self.late()));
        let status = result.as_ref().map_or_else(|fault| fault.status, |_| "ok");
        self.metrics.request(status, started.elapsed());
        match &result {
            Err(fault) if fault.failure.cause == Cause::Outage => admission.failed(&fault.failure),
            Ok(_) | Err(_) => admission.succeeded(),
        }
        result
    }

    async fn exchange(&self, params: &[(&str, &str)]) -> Result<Json, Fault> {
        let mut url = self.url.clone();
        let secrets = self.secrets.iter().map(|(name, secret)| (*name, secret.expose()));
        url.query_pairs_mut().extend_pairs(secrets).extend_pairs(params);
        let request = self.client.get(url).header(ACCEPT, "application/json").send().await;
        let mut answer = request.map_err(|error| self.unreachable(error, params))?;
        let status = answer.status();
        if !status.is_success() {
            let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let wait = wait.and_then(|value| value.parse().ok()).map(Duration::from_secs);
            return Err(self.refused(status, wait, params));
        }
        let mut body = Vec::new();
        let unreachable = |error| self.unreachable(error, params);
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if (body.len() + chunk.len()) as u64 > self.config.answer_max.bytes() {
                let text = format!("the answer is longer than {}", self.config.answer_max);
                let failure = Failure::outage(text);
                return Err(Fault { failure, status: "too_long", retry: None });
            }
            body.extend_from_slice(&chunk);
        }
        let text = String::from_utf8_lossy(&body);
        Json::parse_nested(text.trim_start_matches('\u{feff}'), DEPTH_MAX).map_err(|error| {
            let failure = Failure::outage(self.redactor.clean(error.text()));
            Fault { failure, status: "content", retry: None }
        })
    }

    /// The URL as it may be shown.
    fn shown(&self, params: &[(&str, &str)]) -> String {
        let mut url = self.url.clone();
        let masked = self.secrets.iter().map(|(name, _)| (*name, MASK));
        url.query_pairs_mut().extend_pairs(masked).extend_pairs(params);
        self.redactor.clean(url.into())
    }

    fn late(&self) -> Fault {
        let (host, seconds) = (self.pool(), self.config.timeout.duration().as_secs_f64());
        let text = format!("{host}: Read timed out. (read timeout={seconds})");
        Fault { failure: Failure::outage(text), status: "timeout", retry: Some(Duration::ZERO) }
    }

    /// Where requests go, as Python's urllib3 names it.
    fn pool(&self) -> String {
        let kind = if self.url.scheme() == "https" { "HTTPS" } else { "HTTP" };
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{kind}ConnectionPool(host='{host}', port={port})")
    }

    fn unreachable(&self, error: reqwest::Error, params: &[(&str, &str)]) -> Fault {
        let reason = self.redactor.clean(chain(&error.without_url()));
        let (pool, url) = (self.pool(), self.shown(params));
        let text = format!("{pool}: Max retries exceeded with url: {url} (Caused by {reason})");
        Fault { failure: Failure::outage(text), status: "connection", retry: Some(Duration::ZERO) }
    }

    fn refused(
        &self,
        status: StatusCode,
        wait: Option<Duration>,
        params: &[(&str, &str)],
    ) -> Fault {
        let kind = if status.is_server_error() { "Server" } else { "Client" };
        let (code, reason) = (status.as_u16(), status.canonical_reason().unwrap_or_default());
        let text = format!("{code} {kind} Error: {reason} for url: {}", self.shown(params));
        let may_pass = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let retry = may_pass.then(|| wait.unwrap_or_default());
        let failure = match code {
            401 | 402 | 403 | 429 => Failure::not_allowed(text),
            400..=499 => Failure::refused(text),
            _ => Failure::outage(text),
        };
        Fault { failure, status: status_kind(status), retry }
    }
}

/// A status as the metrics have it.
pub(crate) fn status_kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400..=499 => "http_4xx",
        500..=599 => "http_5xx",
        _ => "http_other",
    }
}

fn client(timeout: &TimeSpan) -> Result<Client, reqwest::Error> {
    crypto();
    Client::builder()
        .user_agent(super::USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(timeout.duration())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .http1_only()
        .build()
}

/// Chooses ring as the cryptography. An embedder may have installed a provider of its own, which is as
/// good.
pub(crate) fn crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Reads the URL of an API from the configuration.
pub(crate) fn base_url(text: &str) -> Result<Url, BuildError> {
    let wrong = |what: &dyn std::fmt::Display| {
        BuildError::new(format_args!("`settings.base_url`: {what}; write `https://host/path`"))
    };
    let url = Url::parse(text).map_err(|error| wrong(&error))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(&"it is neither http nor https"));
    }
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || holds_url_credentials(text) {
        return Err(wrong(&"it holds credentials, which would be shown"));
    }
    Ok(url)
}
