//! The `google` backend: Google's Custom Search JSON API.
//!
//! What it answers goes to the model whole, as `json.dumps` writes it: no result is left out.

use framework::environment::python::dumps;
use framework::wiring::{BuildError, Wiring};

use super::Config;
use super::api::{Api, base_url};
use super::failure::Failure;

/// Where Google's API is.
const BASE_URL: &str = "https://www.googleapis.com/customsearch/v1";

/// The backend.
#[derive(Debug)]
pub(crate) struct Google {
    api: Api,
}

impl Google {
    pub(crate) fn new(config: &Config, wiring: &Wiring) -> Result<Self, BuildError> {
        for (name, secret) in
            [("google_api_key", &config.google_api_key), ("google_cx", &config.google_cx)]
        {
            if secret.is_empty() {
                return Err(BuildError::new(format_args!(
                    "`settings.{name}` is missing: the backend `google` needs it; put it into \
                     `env.yaml`, or take `backend: local`"
                )));
            }
        }
        let url = base_url(config.base_url.as_deref().unwrap_or(BASE_URL))?;
        let secrets =
            vec![("key", config.google_api_key.clone()), ("cx", config.google_cx.clone())];
        // The engine's id is no credential, and Google repeats it in every answer.
        Ok(Self { api: Api::new(url, secrets, &config.search, wiring)? })
    }

    pub(crate) async fn search(&self, query: &str) -> Result<String, Failure> {
        let answer = self.api.get(&[("q", query)]).await?;
        Ok(self.api.redactor().clean(dumps(&answer)))
    }
}
