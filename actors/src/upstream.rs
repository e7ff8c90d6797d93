//! An HTTP endpoint that models ask: one pool of connections, typed failures, bounded retries.
//!
//! Each shard has its own: a client shared between the shards' runtimes would let one blocked shard
//! stall the others. The caller's deadline bounds everything, from connecting to the last retry; a
//! wait that the deadline would cut is not begun.

mod backoff;
#[cfg(test)]
pub(crate) mod endpoint;
mod failure;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use framework::config::{ByteSize, Secret, TimeSpan};
use framework::endpoint::{BreakerConfig, BudgetConfig, Endpoint};
use framework::metrics::ModelMetrics;
use framework::model::ModelError;
use framework::wiring::{BuildError, Wiring};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Request, Url};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use backoff::Backoff;
pub(crate) use failure::Failures;

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
            body_max: ByteSize::from_bytes(64 << 20),
            idle_connections: 1024,
        }
    }
}

/// Where an endpoint is, and what is said to it in every request.
pub(crate) struct Address<'a> {
    /// The API's root, such as `http://localhost:8000/v1`.
    pub(crate) base_url: &'a str,
    /// What is asked for below it.
    pub(crate) path: &'static str,
    /// Proves who asks, unless it is empty.
    pub(crate) api_key: &'a Secret,
    /// Where the key goes.
    pub(crate) key_in: KeyIn,
    /// Further headers.
    pub(crate) headers: &'a BTreeMap<String, Secret>,
    /// The model that is asked for, for error messages.
    pub(crate) model: &'a str,
}

/// Where an endpoint looks for the key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyIn {
    /// In `Authorization: Bearer …`.
    Bearer,
    /// In a header of its own.
    Header(&'static str),
}

/// A connection pool to one endpoint.
pub(crate) struct Upstream {
    client: Client,
    url: Url,
    headers: HeaderMap,
    failures: Failures,
    backoff: Backoff,
    health: Arc<Endpoint>,
    metrics: ModelMetrics,
    config: HttpConfig,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl Upstream {
    /// Prepares to talk to an endpoint; no connection is made yet.
    ///
    /// # Errors
    /// Fails if the URL or a header is malformed, or the system's certificates cannot be read.
    pub(crate) fn new(
        address: &Address<'_>,
        config: HttpConfig,
        wiring: &Wiring,
    ) -> Result<Self, BuildError> {
        let url = endpoint_url(address.base_url, address.path)?;
        let client = client(&url, &config).map_err(|error| {
            BuildError::new(format_args!("no HTTP client: {}", failure::chain(&error)))
        })?;
        Ok(Self {
            client,
            headers: headers(address)?,
            failures: Failures::new(url.as_str(), address.model, address.api_key.clone()),
            backoff: Backoff::new(config.backoff, config.backoff_max),
            health: wiring.endpoint(config.breaker, config.retry_budget),
            metrics: ModelMetrics::new(wiring.name()),
            url,
            config,
        })
    }

    /// Posts a JSON body until an answer can be read, a failure will not pass, the retries or their
    /// budget are used up, the breaker is open, or the deadline is near.
    ///
    /// # Errors
    /// Returns the last failure.
    pub(crate) async fn ask<T>(
        &self,
        body: String,
        deadline: Instant,
        read: impl Fn(&str, &Failures) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        let request =
            self.client.post(self.url.clone()).headers(self.headers.clone()).body(body).build();
        let request = request.map_err(|error| self.failures.connection(&error))?;
        self.health.count_request();
        let mut retries = 0;
        loop {
            let error = match self.admitted(&request, deadline, &read).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = self.wait(&error, retries, deadline);
            let Some(wait) = wait.filter(|_| self.health.may_retry()) else {
                return Err(error);
            };
            self.metrics.retry(error.status());
            tracing::debug!(%error, ?wait, retries, "asking the endpoint again");
            tokio::time::sleep(wait).await;
            retries += 1;
        }
    }

    /// Sends the request once, if the breaker lets it, and tells the breaker how it went.
    async fn admitted<T>(
        &self,
        request: &Request,
        deadline: Instant,
        read: impl Fn(&str, &Failures) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        let admission = self.health.admit(deadline);
        let admission =
            admission.map_err(|refused| self.failures.breaker_open(refused.retry_after))?;
        let answer = self.attempt(request, deadline).await;
        let result = answer.and_then(|text| read(&text, &self.failures));
        match &result {
            Err(error) if failure::is_outage(error) => admission.failed(error),
            Ok(_) | Err(_) => admission.succeeded(),
        }
        result
    }

    /// How long to wait before the next retry; `None` if there shall be none.
    fn wait(&self, error: &ModelError, retries: u32, deadline: Instant) -> Option<Duration> {
        // A malformed answer mostly means a wrong URL, which waiting does not mend. An open breaker is
        // waited for by the rollout, which holds nothing meanwhile.
        let is_hopeless =
            matches!(error, ModelError::Malformed { .. } | ModelError::BreakerOpen { .. });
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
    async fn attempt(&self, request: &Request, deadline: Instant) -> Result<String, ModelError> {
        let started = Instant::now();
        let longest = self.config.attempt_timeout.and_then(|span| started.checked_add(span.into()));
        let until = longest.map_or(deadline, |longest| longest.min(deadline));
        let exchange = self.exchange(request.try_clone().expect("its body is text"));
        match timeout_at(until, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(ModelError::Timeout { after: started.elapsed() }),
        }
    }

    async fn exchange(&self, request: Request) -> Result<String, ModelError> {
        let answer = self.client.execute(request).await;
        let answer = answer.map_err(|error| self.failures.connection(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if status.is_success() {
            let body = self.body(answer, self.config.body_max.bytes()).await?;
            return body.ok_or_else(|| self.failures.too_long(self.config.body_max));
        }
        let body = self.body(answer, FAILURE_BYTES_MAX).await?;
        Err(self.failures.refusal(status, &headers, &body.unwrap_or_default()))
    }

    /// The body as text, unless it is longer than allowed.
    async fn body(
        &self,
        mut answer: reqwest::Response,
        bytes_max: u64,
    ) -> Result<Option<String>, ModelError> {
        if answer.content_length().is_some_and(|length| length > bytes_max) {
            return Ok(None);
        }
        let mut body = Vec::with_capacity(answer.content_length().unwrap_or(0) as usize);
        let failed = |error| self.failures.connection(&error);
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if (body.len() + chunk.len()) as u64 > bytes_max {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(body);
        text.map(Some).map_err(|_| self.failures.malformed("it is not UTF-8"))
    }
}

/// A client without redirects: following one could carry the key to another host.
fn client(url: &Url, config: &HttpConfig) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .user_agent(concat!("rehearsal/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(config.connect_timeout.duration())
        .pool_max_idle_per_host(config.idle_connections)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .http1_only();
    with_tls(builder, url).build()
}

/// Chooses ring as the cryptography. A plain URL needs no certificates, and reading them takes
/// longer than the first rollout should.
fn with_tls(builder: ClientBuilder, url: &Url) -> ClientBuilder {
    // An embedder may have installed a provider of its own, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if url.scheme() == "https" {
        return builder;
    }
    let no_roots = rustls::RootCertStore::empty();
    let tls = rustls::ClientConfig::builder().with_root_certificates(no_roots);
    builder.tls_backend_preconfigured(tls.with_no_client_auth())
}

/// The URL of `path` below `base_url`.
fn endpoint_url(base_url: &str, path: &str) -> Result<Url, BuildError> {
    let wrong = |what: &dyn fmt::Display| {
        BuildError::new(format_args!("`settings.base_url`: {what}; write `http://host:8000/v1`"))
    };
    let mut url = Url::parse(base_url).map_err(|error| wrong(&error))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(&"it is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(&"it holds credentials, which belong into `settings.api_key`"));
    }
    let below = format!("{}/{path}", url.path().trim_end_matches('/'));
    url.set_path(&below);
    Ok(url)
}

fn headers(address: &Address<'_>) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !address.api_key.is_empty() {
        let key = address.api_key.expose();
        let (name, value) = match address.key_in {
            KeyIn::Bearer => (AUTHORIZATION, format!("Bearer {key}")),
            KeyIn::Header(name) => (HeaderName::from_static(name), key.to_owned()),
        };
        headers.insert(name, secret_value("api_key", &value)?);
    }
    for (name, value) in address.headers {
        let path = format!("default_headers.{name}");
        let wrong = |error| BuildError::new(format_args!("`settings.{path}`: {error}"));
        let name = HeaderName::try_from(name).map_err(wrong)?;
        headers.insert(name, secret_value(&path, value.expose())?);
    }
    Ok(headers)
}

fn secret_value(path: &str, value: &str) -> Result<HeaderValue, BuildError> {
    let wrong = |error| BuildError::new(format_args!("`settings.{path}`: {error}"));
    let mut value = HeaderValue::try_from(value).map_err(wrong)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_put_below_the_base_url() {
        for base in ["http://a:1/v1", "http://a:1/v1/"] {
            assert_eq!(
                endpoint_url(base, "responses").unwrap().as_str(),
                "http://a:1/v1/responses"
            );
        }
        let with_query = endpoint_url("https://a/openai?api-version=1", "responses").unwrap();
        assert_eq!(with_query.as_str(), "https://a/openai/responses?api-version=1");
    }

    #[test]
    fn a_base_url_that_cannot_be_is_refused_without_its_password() {
        for (base, expected) in [
            ("localhost:8000/v1", "neither http nor https"),
            ("", "relative URL without a base"),
            ("http://user:hunter2@a/v1", "credentials"),
        ] {
            let error = endpoint_url(base, "responses").unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_secure_client_can_be_built() {
        let url = Url::parse("https://example.com/v1").unwrap();
        assert!(client(&url, &HttpConfig::default()).is_ok());
    }
}
