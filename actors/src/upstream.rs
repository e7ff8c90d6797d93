//! The HTTP endpoints that a model asks: one pool of connections, typed failures, bounded retries.
//!
//! Each shard has its own: a client shared between the shards' runtimes would let one blocked shard
//! stall the others. What they know of the endpoints' health and limits they share. The caller's
//! deadline bounds everything, from waiting for room to the last retry; a wait that the deadline would
//! cut is not begun. Dropping a request closes its connection, by which engines know that nobody waits
//! for the rest.

mod address;
mod backoff;
#[cfg(test)]
pub(crate) mod endpoint;
mod failure;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use framework::config::{ByteSize, TimeSpan};
use framework::endpoint::{
    Ask, BreakerConfig, BudgetConfig, LimitsConfig, NoTurn, Replicas, Session,
};
use framework::metrics::ModelMetrics;
use framework::model::{Generate, ModelError};
use framework::responses::Response;
use framework::wiring::{BuildError, ReplicasConfig, Wiring};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, ClientBuilder, Request, Url};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use url::Host;

pub use address::BaseUrls;
pub(crate) use address::{Address, KeyIn};
use backoff::Backoff;
pub(crate) use failure::Failures;
pub(crate) use stream::{Assembly, Event};

/// An idle connection is closed after this time, before most servers would close it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// More of an error's body is not read.
const FAILURE_BYTES_MAX: u64 = 64 << 10;

/// How an endpoint is talked to: `settings.http` of the models that have one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// How long connecting may take. Default: 10s.
    pub connect_timeout: TimeSpan,
    /// How long one try may take. Default: as long as the request's deadline allows.
    pub attempt_timeout: Option<TimeSpan>,
    /// How often a request is sent again after a failure that may pass: no connection, 408, 429 or
    /// 5xx. Default: 4.
    pub retries: u32,
    /// The longest wait before the first retry; it doubles with each further one. The actual wait
    /// is drawn between nothing and this. A `Retry-After` of the endpoint is added. Default: 500ms.
    pub backoff: TimeSpan,
    /// Where the doubling stops. Default: 30s.
    pub backoff_max: TimeSpan,
    /// How many retries there may be beside the requests, over all rollouts. Default: a fifth of
    /// the requests of the last 10s, or 10.
    pub retry_budget: BudgetConfig,
    /// When the endpoint is left alone. Default: for 5s or more, when half of at least 20 answers of
    /// the last 10s were failures: none in time, no connection, 5xx or nonsense.
    pub breaker: BreakerConfig,
    /// What the model may be asked, over all shards and replicas; what is beyond waits. Default: no
    /// limits.
    pub limits: LimitsConfig,
    /// What each of its replicas may be asked. Default: no limits.
    pub replica_limits: LimitsConfig,
    /// Whether answers are taken as they are made, piece by piece. What is recorded is the same; the
    /// time to the first token shows in the metrics, and a connection on which a long answer is made
    /// is not idle, but every token costs an event to read. Default: no.
    pub stream: bool,
    /// The longest answer that is read. Default: 64MiB.
    pub body_max: ByteSize,
    /// How many unused connections are kept per shard. Default: 1024.
    pub idle_connections: usize,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            connect_timeout: TimeSpan::from_secs(10),
            attempt_timeout: None,
            retries: 4,
            backoff: TimeSpan::from_millis(500),
            backoff_max: TimeSpan::from_secs(30),
            retry_budget: BudgetConfig::default(),
            breaker: BreakerConfig::default(),
            limits: LimitsConfig::default(),
            replica_limits: LimitsConfig::default(),
            stream: false,
            body_max: ByteSize::from_bytes(64 << 20),
            idle_connections: 1024,
        }
    }
}

/// Connection pools to the replicas of a model.
pub(crate) struct Upstream {
    client: Client,
    sites: Vec<Site>,
    headers: HeaderMap,
    backoff: Backoff,
    replicas: Arc<Replicas>,
    metrics: ModelMetrics,
    config: HttpConfig,
}

/// One replica.
#[derive(Debug)]
struct Site {
    url: Url,
    failures: Failures,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sites.iter().map(|site| site.url.as_str())).finish()
    }
}

/// How an answer is read.
pub(crate) struct Reading<R> {
    /// Makes an answer of its text.
    pub(crate) whole: R,
    /// Puts the text together, where it may come in pieces.
    pub(crate) pieces: Option<fn() -> Box<dyn Assembly>>,
}

/// What an endpoint says.
pub(crate) trait Answer {
    /// How many tokens it read and wrote for that, if it counts.
    fn tokens(&self) -> Option<(u64, u64)>;
}

impl Answer for Response {
    fn tokens(&self) -> Option<(u64, u64)> {
        self.usage.map(|usage| (usage.input_tokens, usage.output_tokens))
    }
}

impl Upstream {
    /// Prepares to talk to a model's replicas; no connection is made yet.
    ///
    /// # Errors
    /// Fails if a URL or a header is malformed, or the system's certificates cannot be read.
    pub(crate) fn new(
        address: &Address<'_>,
        config: HttpConfig,
        wiring: &Wiring,
    ) -> Result<Self, BuildError> {
        let urls = address.urls()?;
        if wiring.shard() == 0 {
            urls.iter().filter(|url| sends_in_clear(url, address)).for_each(|url| {
                let (model, host) = (wiring.name(), url.authority());
                tracing::warn!(
                    model,
                    host,
                    "the API key goes over the network in clear; use https"
                );
            });
        }
        let client = client(&urls, &config).map_err(|error| {
            BuildError::new(format_args!("no HTTP client: {}", failure::chain(&error)))
        })?;
        let site = |url: Url| Site {
            failures: Failures::new(url.as_str(), address.model, address.secrets()),
            url,
        };
        let replicas = ReplicasConfig {
            breaker: config.breaker,
            retry_budget: config.retry_budget,
            limits: config.limits,
            replica_limits: config.replica_limits,
        };
        Ok(Self {
            client,
            sites: urls.into_iter().map(site).collect(),
            headers: address.headers()?,
            backoff: Backoff::new(config.backoff, config.backoff_max),
            replicas: wiring.replicas(&address.names()?, replicas),
            metrics: ModelMetrics::new(wiring.name()),
            config,
        })
    }

    /// Posts a JSON body until an answer can be read, a failure will not pass, the retries or their
    /// budget are used up, no replica is up, or the deadline is near.
    ///
    /// # Errors
    /// Returns the last failure.
    pub(crate) async fn ask<T: Answer>(
        &self,
        body: String,
        message: &Generate,
        reading: Reading<impl Fn(&str, &Failures) -> Result<T, ModelError>>,
    ) -> Result<T, ModelError> {
        let ask = Ask {
            session: Session::of(&message.key),
            is_first: message.request.history.is_empty(),
            caller: &message.caller,
            bytes: body.len(),
            deadline: message.deadline,
        };
        let (started, first) = (Instant::now(), &self.sites[0]);
        let request =
            self.client.post(first.url.clone()).headers(self.headers.clone()).body(body).build();
        let request = request.map_err(|error| first.failures.connection(&error))?;
        let mut tried = Vec::new();
        let mut retries = 0;
        loop {
            let turn = self.replicas.turn(&ask, &tried).await;
            let turn = turn.map_err(|reason| self.no_turn(reason, started))?;
            let replica = turn.replica();
            if retries == 0 {
                self.replicas.endpoint(replica).count_request();
            }
            let site = &self.sites[replica];
            let text = self.attempt(site, &request, ask.deadline, reading.pieces).await;
            let error = match text.and_then(|text| (reading.whole)(&text, &site.failures)) {
                Ok(answer) => {
                    turn.answered(answer.tokens());
                    return Ok(answer);
                }
                Err(error) => error,
            };
            if failure::is_outage(&error) {
                turn.failed(error.status(), &error);
                tried.retain(|other| *other != replica);
                tried.push(replica);
            } else {
                turn.refused(error.status());
            }
            let wait = self.wait(&error, &tried, retries, ask.deadline);
            let Some(wait) = wait.filter(|_| self.replicas.may_retry(&tried)) else {
                return Err(error);
            };
            self.metrics.retry(error.status());
            tracing::debug!(%error, ?wait, retries, "asking the endpoint again");
            tokio::time::sleep(wait).await;
            retries += 1;
        }
    }

    /// Why nothing could be sent.
    fn no_turn(&self, reason: NoTurn, started: Instant) -> ModelError {
        match reason {
            NoTurn::Late => ModelError::Timeout { after: started.elapsed() },
            NoTurn::Refused { replica, retry_after } => {
                self.sites[replica].failures.breaker_open(retry_after)
            }
        }
    }

    /// How long to wait before the next retry; `None` if there shall be none.
    fn wait(
        &self,
        error: &ModelError,
        tried: &[usize],
        retries: u32,
        deadline: Instant,
    ) -> Option<Duration> {
        // A malformed answer mostly means a wrong URL, which waiting does not mend; another replica may
        // have a right one.
        let is_last = tried.len() >= self.sites.len();
        let is_hopeless = matches!(error, ModelError::Malformed { .. }) && is_last;
        let may_pass = error.is_retryable() && !is_hopeless;
        if !may_pass || retries >= self.config.retries {
            return None;
        }
        let asked = failure::retry_after(error).unwrap_or_default();
        let wait = asked.saturating_add(self.backoff.draw(retries));
        let is_in_time = Instant::now().checked_add(wait).is_some_and(|then| then < deadline);
        is_in_time.then_some(wait)
    }

    /// Sends the request once.
    async fn attempt(
        &self,
        site: &Site,
        request: &Request,
        deadline: Instant,
        pieces: Option<fn() -> Box<dyn Assembly>>,
    ) -> Result<String, ModelError> {
        let started = Instant::now();
        let longest = self.config.attempt_timeout.and_then(|span| started.checked_add(span.into()));
        let until = longest.map_or(deadline, |longest| longest.min(deadline));
        let mut request = request.try_clone().expect("its body is text");
        *request.url_mut() = site.url.clone();
        match timeout_at(until, self.exchange(site, request, pieces)).await {
            Ok(answer) => answer,
            Err(_) => Err(ModelError::Timeout { after: started.elapsed() }),
        }
    }

    async fn exchange(
        &self,
        site: &Site,
        request: Request,
        pieces: Option<fn() -> Box<dyn Assembly>>,
    ) -> Result<String, ModelError> {
        let (started, failures) = (Instant::now(), &site.failures);
        let answer = self.client.execute(request).await;
        let answer = answer.map_err(|error| failures.connection(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if !status.is_success() {
            let body = body(answer, FAILURE_BYTES_MAX, failures).await?;
            return Err(failures.refusal(status, &headers, &body.unwrap_or_default()));
        }
        let max = self.config.body_max;
        if let Some(assembly) = pieces.filter(|_| is_stream(&headers)) {
            let mut is_first = true;
            let said = || {
                if std::mem::take(&mut is_first) {
                    self.metrics.first_token(started.elapsed());
                }
            };
            return stream::read(answer, assembly(), said, (max, failures)).await;
        }
        // An endpoint may as well answer at once.
        let body = body(answer, max.bytes(), failures).await?;
        body.ok_or_else(|| failures.too_long(max))
    }
}

fn is_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.trim_start().starts_with("text/event-stream"))
}

/// The body as text, unless it is longer than allowed.
async fn body(
    mut answer: reqwest::Response,
    bytes_max: u64,
    failures: &Failures,
) -> Result<Option<String>, ModelError> {
    if answer.content_length().is_some_and(|length| length > bytes_max) {
        return Ok(None);
    }
    let mut body = Vec::with_capacity(answer.content_length().unwrap_or(0) as usize);
    let failed = |error| failures.connection(&error);
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if (body.len() + chunk.len()) as u64 > bytes_max {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(body);
    text.map(Some).map_err(|_| failures.malformed("it is not UTF-8"))
}

/// Whether a key would be seen by whoever sees the traffic. Names without a dot and private addresses
/// are taken for a network of one's own.
fn sends_in_clear(url: &Url, address: &Address<'_>) -> bool {
    let is_own = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Some(Host::Domain(name)) => !name.contains('.') || name.ends_with(".local"),
        None => true,
    };
    url.scheme() == "http" && !address.api_key.is_empty() && !is_own
}

/// A client without redirects: following one could carry the key to another host.
fn client(urls: &[Url], config: &HttpConfig) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .user_agent(concat!("rehearsal/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(config.connect_timeout.duration())
        .pool_max_idle_per_host(config.idle_connections)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .http1_only();
    with_tls(builder, urls).build()
}

/// Chooses ring as the cryptography. A plain URL needs no certificates, and reading them takes
/// longer than the first rollout should.
fn with_tls(builder: ClientBuilder, urls: &[Url]) -> ClientBuilder {
    // An embedder may have installed a provider of its own, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if urls.iter().any(|url| url.scheme() == "https") {
        return builder;
    }
    let no_roots = rustls::RootCertStore::empty();
    let tls = rustls::ClientConfig::builder().with_root_certificates(no_roots);
    builder.tls_backend_preconfigured(tls.with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use framework::config::Secret;

    use super::*;

    #[test]
    fn a_key_that_goes_out_in_clear_is_noticed() {
        let base_urls = BaseUrls::from("http://a");
        let address = |api_key| Address {
            base_urls: &base_urls,
            path: "x",
            api_key,
            key_in: KeyIn::Bearer,
            headers: const { &BTreeMap::new() },
            model: "m",
        };
        let (key, none) = (Secret::new("k"), Secret::default());
        for (url, expected) in [
            ("http://api.example.com/v1", true),
            ("https://api.example.com/v1", false),
            ("http://8.8.8.8/v1", true),
            ("http://[2001:db8::1]/v1", true),
            ("http://localhost:8000/v1", false),
            ("http://vllm-0:8000/v1", false),
            ("http://10.0.0.5:8000/v1", false),
            ("http://[::1]:8000/v1", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(sends_in_clear(&url, &address(&key)), expected, "{url}");
            assert!(!sends_in_clear(&url, &address(&none)), "{url}");
        }
    }

    #[test]
    fn a_secure_client_can_be_built() {
        let url = Url::parse("https://example.com/v1").unwrap();
        assert!(client(&[url], &HttpConfig::default()).is_ok());
    }
}
