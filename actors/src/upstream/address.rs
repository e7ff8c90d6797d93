//! Where a model's replicas are, and what is said to them in every request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use framework::config::{Secret, holds_url_credentials};
use framework::wiring::BuildError;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// One URL, or a list of them: replicas that serve the same model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct BaseUrls(Vec<String>);

impl BaseUrls {
    /// The URLs, of which there is at least one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The same list with each URL changed.
    pub(crate) fn map(&self, change: impl Fn(&str) -> String) -> Self {
        Self(self.iter().map(change).collect())
    }
}

impl From<&str> for BaseUrls {
    fn from(url: &str) -> Self {
        Self(vec![url.to_owned()])
    }
}

impl<'de> Deserialize<'de> for BaseUrls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UrlsVisitor;
        impl<'de> Visitor<'de> for UrlsVisitor {
            type Value = BaseUrls;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or a list of URLs")
            }

            fn visit_str<E: Error>(self, url: &str) -> Result<BaseUrls, E> {
                Ok(url.into())
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut urls: S) -> Result<BaseUrls, S::Error> {
                let mut found = Vec::new();
                while let Some(url) = urls.next_element()? {
                    found.push(url);
                }
                if found.is_empty() {
                    return Err(S::Error::custom("the list of URLs is empty"));
                }
                Ok(BaseUrls(found))
            }
        }
        deserializer.deserialize_any(UrlsVisitor)
    }
}

/// Where a model's replicas are, and what is said to them in every request.
pub(crate) struct Address<'a> {
    /// The API's roots, such as `http://localhost:8000/v1`.
    pub(crate) base_urls: &'a BaseUrls,
    /// What is asked for below them.
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

impl Address<'_> {
    /// The URL of each replica.
    pub(super) fn urls(&self) -> Result<Vec<Url>, BuildError> {
        self.base_urls.iter().map(|base_url| endpoint_url(base_url, self.path)).collect()
    }

    /// A name for each replica, for people and metrics: its host and port, with the path where two
    /// have the same.
    pub(super) fn names(&self) -> Result<Vec<String>, BuildError> {
        let urls = self.base_urls.iter().map(|base_url| endpoint_url(base_url, ""));
        let urls = urls.collect::<Result<Vec<_>, _>>()?;
        let hosts: Vec<String> = urls.iter().map(|url| url.authority().to_owned()).collect();
        let is_unique = hosts.iter().collect::<BTreeSet<_>>().len() == hosts.len();
        let with_path =
            |(host, url): (&String, &Url)| format!("{host}{}", url.path().trim_end_matches('/'));
        let names = match is_unique {
            true => hosts,
            false => hosts.iter().zip(&urls).map(with_path).collect(),
        };
        let mut seen = BTreeSet::new();
        match names.iter().find(|name| !seen.insert(*name)) {
            Some(name) => {
                Err(BuildError::new(format_args!("`settings.base_url`: `{name}` is there twice")))
            }
            None => Ok(names),
        }
    }

    /// The headers of every request.
    pub(super) fn headers(&self) -> Result<HeaderMap, BuildError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if !self.api_key.is_empty() {
            let key = self.api_key.expose();
            let (name, value) = match self.key_in {
                KeyIn::Bearer => (AUTHORIZATION, format!("Bearer {key}")),
                KeyIn::Header(name) => (HeaderName::from_static(name), key.to_owned()),
            };
            headers.insert(name, secret_value("api_key", &value)?);
        }
        for (name, value) in self.headers {
            let path = format!("default_headers.{name}");
            let wrong = |error| BuildError::new(format_args!("`settings.{path}`: {error}"));
            let name = HeaderName::try_from(name).map_err(wrong)?;
            headers.insert(name, secret_value(&path, value.expose())?);
        }
        Ok(headers)
    }

    /// What must not show in errors.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.headers.values().chain([self.api_key]).filter(|it| !it.is_empty()).cloned().collect()
    }
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
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || holds_url_credentials(base_url) {
        return Err(wrong(&"it holds credentials, which belong into `settings.api_key`"));
    }
    let below = format!("{}/{path}", url.path().trim_end_matches('/'));
    url.set_path(&below);
    Ok(url)
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

    fn names(urls: &[&str]) -> Result<Vec<String>, BuildError> {
        let base_urls = BaseUrls(urls.iter().map(|url| (*url).to_owned()).collect());
        let address = Address {
            base_urls: &base_urls,
            path: "responses",
            api_key: &Secret::default(),
            key_in: KeyIn::Bearer,
            headers: &BTreeMap::new(),
            model: "m",
        };
        address.names()
    }

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
            ("http://none@a/v1", "credentials"),
            ("https://a/v1?alt=sse&key=hunter2", "credentials"),
        ] {
            let error = endpoint_url(base, "responses").unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn replicas_are_told_apart_by_their_hosts_or_else_their_paths() {
        let different = names(&["http://a:1/v1", "http://a:2/v1?x=1"]).unwrap();
        assert_eq!(different, ["a:1", "a:2"]);
        let same = names(&["http://a:1/x/v1", "http://a:1/y/v1/"]).unwrap();
        assert_eq!(same, ["a:1/x/v1", "a:1/y/v1"]);
        let twice = names(&["http://a:1/v1", "http://a:1/v1/"]).unwrap_err().to_string();
        assert!(twice.contains("`a:1/v1` is there twice"), "{twice}");
    }

    #[test]
    fn one_url_or_several_can_be_written() {
        let read = serde_json::from_str::<BaseUrls>;
        assert_eq!(read("\"http://a\"").unwrap(), "http://a".into());
        let several = read(r#"["http://a","http://b"]"#).unwrap();
        assert_eq!(several.iter().collect::<Vec<_>>(), ["http://a", "http://b"]);
        for (wrong, expected) in [("[]", "empty"), ("5", "a URL, or a list of URLs")] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
