//! Results in the form of Google's Custom Search API, for backends that are not Google.

use framework::environment::python::{Integer, Json, dumps};
use reqwest::Url;

/// One result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) title: String,
    pub(crate) link: String,
    pub(crate) snippet: String,
}

/// The text that a model reads: the JSON that Google would answer with, as far as it says something.
/// `items` is missing if there are none, as there.
pub(crate) fn to_text(query: &str, total: u64, hits: impl Iterator<Item = Hit>) -> String {
    let items: Vec<_> = hits.map(item).collect();
    let request = object([
        ("title", string(format!("Search - {query}"))),
        ("totalResults", string(total.to_string())),
        ("searchTerms", string(query)),
        ("count", integer(items.len())),
        ("startIndex", integer(1)),
    ]);
    let queries = object([("request", Json::Array(vec![request]))]);
    let information = object([("totalResults", string(total.to_string()))]);
    let mut answer = vec![
        ("kind", string("customsearch#search")),
        ("queries", queries),
        ("searchInformation", information),
    ];
    if !items.is_empty() {
        answer.push(("items", Json::Array(items)));
    }
    dumps(&object(answer))
}

fn item(Hit { title, link, snippet }: Hit) -> Json {
    let host = Url::parse(&link).ok().and_then(|url| url.host_str().map(str::to_owned));
    object([
        ("kind", string("customsearch#result")),
        ("title", string(title)),
        ("link", string(link.as_str())),
        ("displayLink", string(host.unwrap_or_default())),
        ("snippet", string(snippet)),
        ("formattedUrl", string(link)),
    ])
}

fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Json)>) -> Json {
    Json::Object(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn string(text: impl Into<Box<str>>) -> Json {
    Json::String(text.into())
}

fn integer(number: usize) -> Json {
    Json::Integer(Integer::from(i64::try_from(number).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_written_as_google_would() {
        let hit = Hit {
            title: "Terns".to_owned(),
            link: "https://a.example/t?x=1".to_owned(),
            snippet: "é \"t\"".to_owned(),
        };
        let expected = concat!(
            r#"{"kind": "customsearch#search", "queries": {"request": [{"title": "Search - é", "#,
            r#""totalResults": "7", "searchTerms": "é", "count": 1, "startIndex": 1}]}, "#,
            r#""searchInformation": {"totalResults": "7"}, "#,
            r#""items": [{"kind": "customsearch#result", "title": "Terns", "#,
            r#""link": "https://a.example/t?x=1", "displayLink": "a.example", "#,
            r#""snippet": "é \"t\"", "formattedUrl": "https://a.example/t?x=1"}]}"#
        );
        assert_eq!(to_text("é", 7, [hit].into_iter()), expected.replace('é', "\\u00e9"));
        assert!(!to_text("x", 0, [].into_iter()).contains("items"));
    }
}
