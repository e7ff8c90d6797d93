//! The `searxng` backend: a SearXNG instance that somebody hosts, asked in JSON.
//!
//! Its results are shown as Google's would be, so a policy trained with one backend reads the other's.
//! An instance answers in JSON only if its `settings.yml` lists `json` under `search.formats`; it says
//! 403 otherwise.

use framework::environment::python::Json;
use framework::wiring::{BuildError, Wiring};

use super::Config;
use super::api::{Api, base_url};
use super::failure::Failure;
use super::results::{Hit, to_text};

/// The backend.
#[derive(Debug)]
pub(crate) struct Searxng {
    api: Api,
    hits_max: usize,
}

impl Searxng {
    pub(crate) fn new(config: &Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let missing = || {
            BuildError::new(
                "`settings.base_url` is missing: the backend `searxng` needs it, such as \
                 `http://localhost:8888`",
            )
        };
        let mut url = base_url(config.base_url.as_deref().ok_or_else(missing)?)?;
        let path = url.path().trim_end_matches('/').trim_end_matches("/search").to_owned();
        url.set_path(&format!("{path}/search"));
        let api = Api::new(url, Vec::new(), &config.search, wiring)?;
        Ok(Self { api, hits_max: config.results_max.get() })
    }

    pub(crate) async fn search(&self, query: &str) -> Result<String, Failure> {
        let answer = self.api.get(&[("q", query), ("format", "json")]).await?;
        let Some(Json::Array(results)) = answer.get("results") else {
            return Err(Failure::outage("the search service answered without `results`"));
        };
        let hits: Vec<_> = results.iter().filter_map(hit).collect();
        let total = hits.len() as u64;
        Ok(to_text(query, total, hits.into_iter().take(self.hits_max)))
    }
}

/// A result that has a URL to go to.
fn hit(result: &Json) -> Option<Hit> {
    let text = |key| match result.get(key) {
        Some(Json::String(text)) => Some(text.to_string()),
        _ => None,
    };
    let (title, snippet) = (text("title").unwrap_or_default(), text("content").unwrap_or_default());
    Some(Hit { title, link: text("url").filter(|url| !url.is_empty())?, snippet })
}
