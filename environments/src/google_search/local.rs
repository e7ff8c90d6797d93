//! The `local` backend: a folder of documents behind a full-text index.
//!
//! Everything works as with Google, results and pages, without a key and without a network: pages are
//! the documents, under URLs of `local.base_url` and their paths. tantivy ranks by BM25 over titles and
//! texts, stemmed as English. The index is built on a thread of its own when the environment starts;
//! sessions open once it stands. With `local.index` it is kept on disk, and only documents that have
//! changed since are read again.

mod corpus;
mod index;

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;

use framework::config::ByteSize;
use framework::wiring::BuildError;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use reqwest::Url;
use serde::Deserialize;
use tokio::runtime::Handle;

use super::Config;
use super::failure::Failure;
use corpus::Corpus;
pub(crate) use index::Index;

/// The documents and their index: `settings.local`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LocalConfig {
    /// A folder of documents: `.html`, `.htm`, `.md`, `.markdown` and `.txt` files, in folders of any
    /// depth. Default: the documents that the example tasks are about, built in.
    pub folder: Option<PathBuf>,
    /// A folder to keep the index in. Default: none; it is built at each start, in memory.
    pub index: Option<PathBuf>,
    /// What the documents' URLs begin with. Default: `https://library.example/`.
    pub base_url: String,
    /// Longer documents are left out. Default: 4MiB.
    pub document_max: ByteSize,
    /// With more documents than this it does not start. Default: 1,000,000.
    pub documents_max: NonZeroU64,
}

impl Default for LocalConfig {
    fn default() -> Self {
        Self {
            folder: None,
            index: None,
            base_url: "https://library.example/".to_owned(),
            document_max: ByteSize::from_bytes(4 << 20),
            documents_max: NonZeroU64::MIN.saturating_add(999_999),
        }
    }
}

/// The index, or why there is none.
type Built = Result<Arc<Index>, Failure>;

/// The backend.
pub(crate) struct Local {
    index: Shared<BoxFuture<'static, Built>>,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Local")
    }
}

impl Local {
    /// Begins to build the index.
    ///
    /// # Errors
    /// Fails if there is no such folder, nothing to read in it, or the URL is malformed.
    pub(crate) fn open(config: &Config, runtime: &Handle) -> Result<Self, BuildError> {
        let base_url = Url::parse(&config.local.base_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.path().ends_with('/'));
        let base_url = base_url.ok_or_else(|| {
            BuildError::new("`settings.local.base_url`: write `https://host/path/`")
        })?;
        let corpus = Corpus::find(&config.local)?;
        let (kept_in, hits_max) = (config.local.index.clone(), config.results_max.get());
        let build = runtime.spawn_blocking(move || {
            Index::build(&corpus, kept_in.as_deref(), base_url, hits_max).map(Arc::new)
        });
        let built = async {
            let built = build.await.map_err(Failure::outage)?;
            built.map_err(|error| Failure::outage(format_args!("the local index: {error}")))
        };
        Ok(Self { index: built.boxed().shared() })
    }

    /// The index, once it stands.
    pub(crate) async fn index(&self) -> Built {
        self.index.clone().await
    }
}
