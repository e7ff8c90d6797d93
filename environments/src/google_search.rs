//! `google_search`: multiple-choice questions, answered with a web search and pages to read.
//!
//! The model searches (`search`), reads what it finds (`browse`) and puts the letter of its choice into
//! a box (NeMo Gym: `google_search`). Who is searched is `settings.backend`:
//!
//! | Backend | Searches | Pages are | Needs |
//! |---|---|---|---|
//! | `local` (default) | a folder of documents | those documents | nothing; a small library is built in |
//! | `google` | Google's Custom Search API | fetched | `google_api_key`, `google_cx` |
//! | `searxng` | a SearXNG instance | fetched | `base_url` |
//!
//! Whatever the backend, results have Google's form and go to the model as text, as do all failures: a
//! tool call that failed is no failed rollout. Sessions of all shards share one cache and one set of
//! limits (`google_search/web.rs`), so a search that many rollouts make costs one call. Pages come from
//! the public internet alone (`google_search/address.rs`); a key is shown to nobody.
//!
//! A verdict looks at the first box, `\boxed{…}`, of the assistant's last message; what is in it has to
//! equal the row's `expected_answer` to the letter. Its extra:
//!
//! | Name | Type | Says |
//! |---|---|---|
//! | `parsed_option` | text or null | what is in the box |
//!
//! # Differs from NeMo Gym
//!
//! - The box is looked for in the plain text of the assistant's last message, wherever in the output
//!   that stands. NeMo Gym looks into Python's `repr` of the last item, which doubles backslashes,
//!   writes line breaks as `\n` and shows refusals; and it answers 500 where there is no box, or the
//!   last item is no message of the assistant. Here that earns 0 and `parsed_option` is null.
//! - A row whose `expected_answer` no box can hold (a brace or a line break in it) is malformed.
//! - The key and the engine's id never stand in an error's text. The id stands in results, since Google
//!   repeats it there; the key would be taken out.
//! - Pages that are not on the public internet are refused, after redirects too; there they are fetched.
//!   Certificates are always verified; there they are not at a second try.
//! - `No text found` where a page has none; there it is an error about `'NoneType'`. Plain text is
//!   shown as it is; there it is an error. A page that is nested too deeply is refused; there it is read.
//! - Text is extracted by a port of the same library: mostly the same words, not always.
//! - Results and pages are cached, requests are limited in number and time, and those to the search API
//!   are retried. A page is retried after half a second, not after thirty.
//! - With `search.on_outage: fail`, a rollout whose searches were not answered fails and is made again;
//!   there, and by default here, the model reads the error and is scored. Since no record says whether
//!   they were answered, `rehearsal verify` refuses then.

mod address;
mod api;
mod cache;
mod failure;
mod fetch;
mod google;
mod local;
mod pace;
mod page;
mod results;
mod searxng;
#[cfg(test)]
mod site;
mod web;

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};

use framework::config::{Secret, TimeSpan};
use framework::environment::python::Float;
use framework::environment::{
    Environment, EnvironmentError, Evidence, Reward, ToolError, Tools, Verdict,
};
use framework::responses::Response;
use framework::wiring::{BuildError, Wiring};
use regex::Regex;
use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::ParseError;

use crate::transcript::last_assistant_texts;
pub use address::Place;
pub use api::{ApiConfig, OnOutage};
pub use cache::CacheConfig;
use failure::Cause;
pub use fetch::FetchConfig;
pub use local::LocalConfig;
pub use pace::Rate;
use web::{NO_PAGE, NO_TEXT, Web};

/// Who asks, as servers are told.
const USER_AGENT: &str = concat!("rehearsal/", env!("CARGO_PKG_VERSION"));
/// Longer queries and URLs are not asked for.
const ARGUMENT_MAX: usize = 8 << 10;

/// The environment's `settings:`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who is searched. Default: `google` if there is a `google_api_key`, else `local`.
    pub backend: Option<BackendKind>,
    /// The key of Google's API.
    pub google_api_key: Secret,
    /// The id of the Programmable Search Engine.
    pub google_cx: Secret,
    /// Where the search API is. Default: Google's; SearXNG has none.
    pub base_url: Option<String>,
    /// So many results are shown; Google decides itself. Default: 10.
    pub results_max: NonZeroUsize,
    /// How long a tool call waits for its answer, turns of the rates included, before the model is told
    /// that there is none. Less than the environment's `tool_timeout`. Default: 45s.
    pub wait_max: TimeSpan,
    /// How the search API is asked.
    pub search: ApiConfig,
    /// How pages are fetched, and from where.
    pub browse: FetchConfig,
    /// What is kept.
    pub cache: CacheConfig,
    /// The documents of the backend `local`.
    pub local: LocalConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backend: None,
            google_api_key: Secret::default(),
            google_cx: Secret::default(),
            base_url: None,
            results_max: NonZeroUsize::MIN.saturating_add(9),
            wait_max: TimeSpan::from_secs(45),
            search: ApiConfig::default(),
            browse: FetchConfig::default(),
            cache: CacheConfig::default(),
            local: LocalConfig::default(),
        }
    }
}

impl Config {
    fn backend(&self) -> BackendKind {
        let has_key = !self.google_api_key.is_empty();
        let implied = if has_key { BackendKind::Google } else { BackendKind::Local };
        self.backend.unwrap_or(implied)
    }
}

/// Who is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendKind {
    /// A folder of documents.
    Local,
    /// Google's Custom Search API.
    Google,
    /// A SearXNG instance.
    Searxng,
}

/// What a row says beyond the prompt.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Row")]
#[schemars(with = "Row")]
pub struct Target {
    /// What the box has to hold.
    pub expected_answer: String,
}

/// A row's own keys.
#[derive(Debug, Deserialize, JsonSchema)]
struct Row {
    /// What the box has to hold.
    expected_answer: String,
    /// How often some model got it right; not used.
    #[serde(rename = "task_difficulty_qwen3_32b_avg_8")]
    _difficulty: Float,
}

impl TryFrom<Row> for Target {
    type Error = String;

    fn try_from(Row { expected_answer, .. }: Row) -> Result<Self, String> {
        if boxed(&format!("\\boxed{{{expected_answer}}}")) == Some(&*expected_answer) {
            return Ok(Self { expected_answer });
        }
        Err(format!("`expected_answer`: no box can hold {expected_answer:?}, so nothing earns 1"))
    }
}

/// Searches the web and shows up to ten results.
#[derive(Deserialize, JsonSchema)]
struct Search {
    /// What to search for.
    query: String,
}

#[derive(Serialize)]
struct Found<'a> {
    search_results: &'a str,
}

/// Shows the readable text of a web page; a page of more than 10,000 words is cut in the middle.
#[derive(Deserialize, JsonSchema)]
struct Browse {
    /// The page's URL.
    url: String,
}

#[derive(Serialize)]
struct Page<'a> {
    page_content: &'a str,
}

/// The environment. All shards share its door to the web.
#[derive(Debug)]
pub struct GoogleSearch {
    web: Arc<Web>,
    on_outage: OnOutage,
}

/// What happened in a rollout.
#[derive(Debug, Default)]
pub struct Session {
    /// Searches that were not answered, through no fault of the model.
    unanswered: Cell<u32>,
}

impl Environment for GoogleSearch {
    const KIND: &'static str = "google_search";
    const EVIDENCE: Evidence = Evidence::Transcript;
    type Config = Config;
    type Target = Target;
    type Session = Session;

    fn unreproducible(config: &Config) -> Option<&'static str> {
        let reason = "with `search.on_outage: fail`, a rollout whose searches were not answered is not scored, and that they were not is not recorded";
        (config.search.on_outage == OnOutage::Fail).then_some(reason)
    }

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let on_outage = config.search.on_outage;
        Ok(Self { web: wiring.try_share(|| Web::open(&config, wiring))?, on_outage })
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add_shared("search", search);
        tools.add_shared("browse", browse);
    }

    async fn open(&self, _: &Target) -> Result<Session, EnvironmentError> {
        self.web.ready().await.map_err(EnvironmentError::permanent)?;
        Ok(Session::default())
    }

    async fn verify(
        &self,
        session: Session,
        target: &Target,
        response: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let unanswered = session.unanswered.get();
        if unanswered > 0 && self.on_outage == OnOutage::Fail {
            let text = format!("{unanswered} searches were not answered");
            return Err(EnvironmentError::temporary(text));
        }
        let text = last_assistant_texts(response).concat();
        let option = boxed(&text);
        let is_right = option == Some(&*target.expected_answer);
        Ok(Verdict::new(Reward::earned(is_right)).with("parsed_option", &option))
    }
}

/// What is in the first box that ends on its line.
fn boxed(text: &str) -> Option<&str> {
    static BOX: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\\boxed\{(.*?)\}").expect("the pattern is well-formed"));
    Some(BOX.captures(text)?.get(1)?.as_str())
}

async fn search(
    environment: &GoogleSearch,
    session: &Session,
    Search { query }: Search,
) -> Result<Box<serde_json::value::RawValue>, ToolError> {
    if query.len() > ARGUMENT_MAX {
        return Err(search_failed(&"the query is too long"));
    }
    let results = environment.web.search(&query).await;
    let results = results.map_err(|failure| {
        if failure.cause != Cause::Request {
            session.unanswered.update(|unanswered| unanswered + 1);
        }
        search_failed(&failure)
    })?;
    Ok(raw(&Found { search_results: &results }))
}

fn search_failed(what: &dyn std::fmt::Display) -> ToolError {
    let text = format!("Error: Unexpected error - {what}");
    ToolError::text(raw(&Found { search_results: &text }).get())
}

async fn browse(
    environment: &GoogleSearch,
    _: &Session,
    Browse { url }: Browse,
) -> Result<Box<serde_json::value::RawValue>, ToolError> {
    let Some(url) = read_url(&url) else { return Err(browse_failed(NO_PAGE)) };
    let page = environment.web.page(&url).await;
    let page = page.map_err(|failure| browse_failed(&failure.to_string()))?;
    Ok(raw(&Page { page_content: &page }))
}

fn browse_failed(what: &str) -> ToolError {
    let is_whole = [NO_PAGE, NO_TEXT].contains(&what);
    let text = if is_whole { what.to_owned() } else { format!("Error: Unexpected error = {what}") };
    ToolError::text(raw(&Page { page_content: &text }).get())
}

fn raw(value: &impl Serialize) -> Box<serde_json::value::RawValue> {
    serde_json::value::to_raw_value(value).expect("text serialises to JSON")
}

/// Reads a URL that a model wrote. One without a scheme is one of http, as there.
fn read_url(text: &str) -> Option<Url> {
    let text = text.trim();
    let url = Url::parse(text).or_else(|error| match error {
        ParseError::RelativeUrlWithoutBase => Url::parse(&format!("http://{text}")),
        error => Err(error),
    });
    let mut url = url.ok().filter(|url| url.as_str().len() <= ARGUMENT_MAX)?;
    url.set_fragment(None);
    Some(url)
}

#[cfg(test)]
mod tests;
