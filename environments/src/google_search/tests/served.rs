//! The tools against a local server that plays Google, SearXNG and the web.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::super::site::{Part, Site, answer, html, redirect};
use super::*;

const KEY: &str = "AIza+very/secret=key";
const ENCODED: &str = "AIza%2Bvery%2Fsecret%3Dkey";
const CX: &str = "engine-0123456789";

/// Settings of the backend `google` at a site, with some changed.
fn google(site: &Site, changes: Value) -> Value {
    let mut settings = json!({
        "backend": "google", "google_api_key": KEY, "google_cx": CX,
        "base_url": site.url("/customsearch/v1"),
        "search": { "retries": 0, "timeout": "20s", "rate": null },
        "browse": { "retries": 0, "allow": ["127.0.0.1"] },
    });
    for (key, value) in changes.as_object().unwrap() {
        match settings[key].as_object_mut().zip(value.as_object()) {
            Some((settings, changes)) => settings.extend(changes.clone()),
            None => settings[key] = value.clone(),
        }
    }
    settings
}

fn shard(settings: &Value, wiring: &Wiring) -> GoogleSearch {
    GoogleSearch::new(serde_json::from_value(settings.clone()).unwrap(), wiring).unwrap()
}

/// What a model reads as the results of a search.
async fn ask(environment: &GoogleSearch, query: &str) -> String {
    let answer = search(environment, &Session::default(), Search { query: query.to_owned() }).await;
    let text = answer.map_or_else(ToolError::into_text, |answer| answer.get().to_owned());
    let answer: Value = serde_json::from_str(&text).unwrap();
    answer["search_results"].as_str().unwrap().to_owned()
}

async fn read(environment: &GoogleSearch, url: &str) -> String {
    let answer = browse(environment, &Session::default(), Browse { url: url.to_owned() }).await;
    let text = answer.map_or_else(ToolError::into_text, |answer| answer.get().to_owned());
    let answer: Value = serde_json::from_str(&text).unwrap();
    answer["page_content"].as_str().unwrap().to_owned()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn google_is_asked_with_its_parameters_and_its_answer_is_shown_whole() {
    let body = r#"{"kind":"customsearch#search","n":[1.50,1e-7,null,true],"t":"é\u2028<b>","items":[{"z":1,"a":{}}]}"#;
    let site = Site::start(move |_| answer(200, "", format!("\u{feff}{body}"))).await;
    let environment = shard(&google(&site, json!({})), &Wiring::detached("web"));
    let expected = r#"{"kind": "customsearch#search", "n": [1.5, 1e-07, null, true], "t": "\u00e9\u2028<b>", "items": [{"z": 1, "a": {}}]}"#;
    assert_eq!(ask(&environment, "a b&c=é").await, expected);
    let expected = format!("/customsearch/v1?key={ENCODED}&cx={CX}&q=a+b%26c%3D%C3%A9");
    assert_eq!(site.paths(), [expected]);
}

#[tokio::test]
async fn every_failure_of_the_search_api_is_text_for_the_model_and_none_shows_the_key() {
    let echo = format!("key {KEY} or {ENCODED}");
    let body = echo.clone();
    let site = Site::start(move |path| {
        let query = path.rsplit_once("q=").unwrap().1;
        match query {
            "redirect" => redirect(&format!("/elsewhere?key={ENCODED}")),
            "html" => html(format!("<html>{body}</html>")),
            "empty" => answer(200, "", ""),
            "echo" => answer(200, "", json!({ "error": body }).to_string()),
            "cut" => vec![Part::Bytes(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{".to_vec())],
            "garbage" => vec![Part::Bytes(body.clone().into_bytes())],
            "hang" => vec![Part::Hang],
            "long" => answer(200, "", format!("\"{}\"", "x".repeat(5 << 20))),
            "deep" => answer(200, "", "[".repeat(100_000)),
            status => answer(status.parse().unwrap(), "", &body),
        }
    })
    .await;
    let settings = google(&site, json!({ "search": { "timeout": "300ms" } }));
    let environment = shard(&settings, &Wiring::detached("web"));
    let url = |query: &str| format!("{}?key=***&cx=***&q={query}", site.url("/customsearch/v1"));
    let pool = format!("HTTPConnectionPool(host='127.0.0.1', port={})", site.address.port());
    for (query, expected) in [
        ("400", format!("400 Client Error: Bad Request for url: {}", url("400"))),
        ("403", format!("403 Client Error: Forbidden for url: {}", url("403"))),
        ("429", format!("429 Client Error: Too Many Requests for url: {}", url("429"))),
        ("500", format!("500 Server Error: Internal Server Error for url: {}", url("500"))),
        ("redirect", format!("302 Client Error: Found for url: {}", url("redirect"))),
        ("html", "Expecting value: line 1 column 1 (char 0)".to_owned()),
        ("empty", "Expecting value: line 1 column 1 (char 0)".to_owned()),
        ("hang", format!("{pool}: Read timed out. (read timeout=0.3)")),
        ("long", "the answer is longer than 4MiB".to_owned()),
        ("deep", String::new()),
        ("cut", format!("{pool}: Max retries exceeded with url: {}", url("cut"))),
        ("garbage", format!("{pool}: Max retries exceeded with url: {}", url("garbage"))),
    ] {
        let text = ask(&environment, query).await;
        let expected = format!("Error: Unexpected error - {expected}");
        assert!(text.starts_with(&expected), "{query}: {text} instead of {expected}");
        assert!(!text.contains(KEY) && !text.contains(ENCODED), "{query}: {text}");
    }
    let text = ask(&environment, "echo").await;
    assert_eq!(text, r#"{"error": "key *** or ***"}"#);
    assert!(!format!("{environment:?}").contains("AIza"));
}

#[tokio::test]
async fn an_api_that_is_not_there_is_text_too() {
    let site = Site::start(|_| vec![]).await;
    let mut settings = google(&site, json!({}));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    settings["base_url"] = format!("http://{free}/v1").into();
    let text = ask(&shard(&settings, &Wiring::detached("web")), "terns").await;
    assert!(text.starts_with("Error: Unexpected error - HTTPConnectionPool(host="), "{text}");
    assert!(text.contains("Max retries exceeded") && !text.contains(ENCODED), "{text}");
}

#[tokio::test]
async fn a_failure_that_may_pass_is_asked_again_within_the_budget() {
    let asked = AtomicUsize::new(0);
    let site = Site::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => answer(503, "", ""),
        1 => answer(429, "retry-after: 0\r\n", ""),
        _ => answer(200, "", "{}"),
    })
    .await;
    let settings = google(&site, json!({ "search": { "retries": 2 } }));
    assert_eq!(ask(&shard(&settings, &Wiring::detached("web")), "terns").await, "{}");
    assert_eq!(site.paths().len(), 3);
}

/// A site that answers a search once it has a permit.
async fn patient_site() -> (Site, Arc<Semaphore>) {
    let permits = Arc::new(Semaphore::new(0));
    let wait = permits.clone();
    let site = Site::start(move |_| {
        let mut parts = vec![Part::Wait(wait.clone())];
        parts.extend(answer(200, "", r#"{"items":[]}"#));
        parts
    })
    .await;
    (site, permits)
}

#[tokio::test]
async fn a_thousand_sessions_of_two_shards_that_search_the_same_cost_one_request() {
    let (site, permits) = patient_site().await;
    let wiring = Wiring::detached("web");
    let settings = google(&site, json!({}));
    let shards = [shard(&settings, &wiring), shard(&settings, &wiring)];
    let asks = (0..1000).map(|index: usize| ask(&shards[index % 2], "terns"));
    let asks = futures_util::future::join_all(asks);
    let release = async {
        until("the request has come", || !site.paths().is_empty()).await;
        permits.add_permits(1);
    };
    let (found, ()) = tokio::join!(asks, release);
    assert!(found.iter().all(|text| text == r#"{"items": []}"#));
    assert_eq!(ask(&shards[0], "terns").await, r#"{"items": []}"#);
    assert_eq!(site.paths().len(), 1);
    permits.add_permits(1);
    ask(&shards[1], "gulls").await;
    assert_eq!(site.paths().len(), 2);
}

#[tokio::test]
async fn who_stops_waiting_stops_nothing_for_those_who_wait_on() {
    let (site, permits) = patient_site().await;
    let (wiring, settings) = (Wiring::detached("web"), google(&site, json!({})));
    let environment = shard(&settings, &wiring);
    let gone = tokio::time::timeout(Duration::from_millis(50), ask(&environment, "terns"));
    until_asked(&site, gone).await;
    let waiting = ask(&environment, "terns");
    permits.add_permits(1);
    assert_eq!(waiting.await, r#"{"items": []}"#);
    assert_eq!(site.paths().len(), 1);
}

/// Runs an ask that is given up, and waits until its request has come.
async fn until_asked<T>(site: &Site, gone: impl Future<Output = Result<String, T>>) {
    assert!(gone.await.is_err());
    until("the request has come", || !site.paths().is_empty()).await;
}

#[tokio::test]
async fn a_blocked_shard_holds_up_nobody_who_waits_for_the_same() {
    let (site, permits) = patient_site().await;
    let (wiring, settings) = (Wiring::detached("web"), google(&site, json!({})));
    let (blocked, unblock) = mpsc::channel::<()>();
    let first = {
        let (wiring, settings) = (wiring.clone(), settings.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let environment = shard(&settings, &wiring);
                let block = async {
                    tokio::task::yield_now().await;
                    // A neighbour that blocks the thread while the request is on its way.
                    unblock.recv().unwrap();
                };
                tokio::join!(ask(&environment, "terns"), block).0
            })
        })
    };
    until("the request has come", || !site.paths().is_empty()).await;
    permits.add_permits(1);
    let environment = shard(&settings, &wiring);
    assert_eq!(ask(&environment, "terns").await, r#"{"items": []}"#);
    blocked.send(()).unwrap();
    assert_eq!(first.join().unwrap(), r#"{"items": []}"#);
    assert_eq!(site.paths().len(), 1);
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_wait_and_is_not_kept() {
    let (asked, permits) = (AtomicUsize::new(0), Arc::new(Semaphore::new(0)));
    let wait = permits.clone();
    let site = Site::start(move |_| {
        let status = if asked.fetch_add(1, Ordering::Relaxed) == 0 { 500 } else { 200 };
        let mut parts = vec![Part::Wait(wait.clone())];
        parts.extend(answer(status, "", "{}"));
        parts
    })
    .await;
    let environment = shard(&google(&site, json!({})), &Wiring::detached("web"));
    let asks = futures_util::future::join_all((0..10).map(|_| ask(&environment, "terns")));
    let release = async {
        until("the request has come", || !site.paths().is_empty()).await;
        permits.add_permits(1);
    };
    let (found, ()) = tokio::join!(asks, release);
    assert!(found.iter().all(|text| text.contains("500 Server Error")), "{found:?}");
    assert_eq!(site.paths().len(), 1);
    permits.add_permits(1);
    assert_eq!(ask(&environment, "terns").await, "{}");
    assert_eq!(site.paths().len(), 2);
}

#[tokio::test]
async fn answers_are_kept_for_their_time_and_within_their_bytes() {
    let site = Site::start(|path| match path {
        "/page" => html("<p>Terns nest on the rock in May.</p>"),
        _ => answer(200, "", "{}"),
    })
    .await;
    let searches = || site.paths().iter().filter(|path| path.contains("q=")).count();
    let settings = google(&site, json!({ "cache": { "searches_for": "200ms" } }));
    let environment = shard(&settings, &Wiring::detached("web"));
    let started = Instant::now();
    while searches() < 2 {
        assert!(started.elapsed() < Duration::from_secs(60));
        ask(&environment, "terns").await;
    }
    assert!(started.elapsed() >= Duration::from_millis(200));
    for _ in 0..5 {
        assert_eq!(read(&environment, &site.url("/page")).await, "Terns nest on the rock in May.");
    }
    assert_eq!(site.paths().iter().filter(|path| *path == "/page").count(), 1);

    let before = searches();
    let settings = google(&site, json!({ "cache": { "searches_max": 0 } }));
    let environment = shard(&settings, &Wiring::detached("other"));
    for _ in 0..3 {
        ask(&environment, "terns").await;
    }
    assert_eq!(searches() - before, 3);
}

#[tokio::test]
async fn a_call_waits_no_longer_than_allowed_whatever_it_waits_for() {
    let site =
        Site::start(
            |path| if path.contains("q=hang") { vec![Part::Hang] } else { answer(200, "", "{}") },
        )
        .await;
    let late = "Error: Unexpected error - no answer within 300ms";
    let settings = google(&site, json!({ "wait_max": "300ms" }));
    let environment = shard(&settings, &Wiring::detached("pages"));
    let page = read(&environment, &site.url("/?q=hang")).await;
    assert_eq!(page, "Error: Unexpected error = no answer within 300ms");
    assert_eq!(ask(&shard(&settings, &Wiring::detached("web")), "hang").await, late);
    let rate = json!({ "wait_max": "300ms", "search": { "rate": { "requests": 1, "per": "1h" } } });
    let environment = shard(&google(&site, rate), &Wiring::detached("web"));
    assert_eq!(ask(&environment, "terns").await, "{}");
    assert_eq!(ask(&environment, "gulls").await, late);
    assert_eq!(site.paths().len(), 3, "a request that has no turn is not sent");
}

#[tokio::test]
async fn a_rollout_fails_for_an_outage_only_if_it_shall() {
    let site = Site::start(|path| {
        let query = path.rsplit_once("q=").unwrap().1;
        answer(query.parse().unwrap(), "", "{}")
    })
    .await;
    for (on_outage, query, is_scored) in [
        ("tell", "500", true),
        ("fail", "500", false),
        ("fail", "403", false),
        ("fail", "429", false),
        ("fail", "400", true),
        ("fail", "200", true),
    ] {
        let settings = google(&site, json!({ "search": { "on_outage": on_outage } }));
        let mut trial = trial(&settings).await;
        trial.call("search", &json!({ "query": query }).to_string()).await;
        let verdict = trial.verify().await;
        assert_eq!(verdict.is_ok(), is_scored, "{on_outage} {query}");
        assert!(verdict.map_or_else(|error| error.is_retryable(), |_| true));
    }
}

#[tokio::test]
async fn an_api_that_keeps_failing_is_left_alone() {
    let site = Site::start(|_| answer(500, "", "")).await;
    let breaker = json!({ "search": { "breaker": { "requests_min": 3, "open": "60s" } } });
    let environment = shard(&google(&site, breaker), &Wiring::detached("web"));
    for query in ["a", "b", "c", "d", "e"] {
        let text = ask(&environment, query).await;
        let expected = if "abc".contains(query) { "500 Server Error" } else { "keeps failing" };
        assert!(text.contains(expected), "{query}: {text}");
    }
    assert_eq!(site.paths().len(), 3);
}

#[tokio::test]
async fn searxng_is_asked_in_json_and_shown_as_google_would_be() {
    let results: Vec<_> = (0..12)
        .map(|index| json!({ "url": format!("https://a.example/{index}"), "title": "T", "content": "c", "engine": "e" }))
        .chain([json!({ "title": "no url" }), json!("no result")])
        .collect();
    let body = json!({ "query": "terns", "results": results }).to_string();
    let site = Site::start(move |path| {
        if path.contains("q=none") { answer(200, "", "{}") } else { answer(200, "", &body) }
    })
    .await;
    let settings = json!({ "backend": "searxng", "base_url": site.url("/sx/") });
    let environment = shard(&settings, &Wiring::detached("web"));
    let found: Value = serde_json::from_str(&ask(&environment, "terns").await).unwrap();
    assert_eq!(site.paths(), ["/sx/search?q=terns&format=json"]);
    assert_eq!(found["items"].as_array().unwrap().len(), 10);
    assert_eq!(
        found["items"][1],
        json!({
            "kind": "customsearch#result", "title": "T", "link": "https://a.example/1",
            "displayLink": "a.example", "snippet": "c", "formattedUrl": "https://a.example/1",
        })
    );
    assert!(ask(&environment, "none").await.contains("answered without `results`"));
}

#[tokio::test]
async fn every_way_to_have_no_page_has_its_text() {
    let site = Site::start(|path| match path {
        "/page" => html("<p>Terns nest on the rock in May.</p>"),
        "/empty" => html("<html><body></body></html>"),
        "/bomb" => html("<div>".repeat(100_000)),
        "/private" => redirect("http://10.0.0.1/"),
        "/pdf" => answer(200, "content-type: application/pdf\r\n", "%PDF-1.7 and more"),
        "/500" => answer(500, "", "no"),
        _ => answer(404, "content-type: text/html\r\n", "<p>There is nothing here at all.</p>"),
    })
    .await;
    let environment = shard(&google(&site, json!({})), &Wiring::detached("web"));
    let refused =
        "Error: Unexpected error = this address is not on the public internet and cannot be read";
    for (url, expected) in [
        (site.url("/page#part"), "Terns nest on the rock in May."),
        (site.url("/page").replace("http://", ""), "Terns nest on the rock in May."),
        (site.url("/empty"), "No text found"),
        (
            site.url("/bomb"),
            "Error: Unexpected error = the page is too large or too deeply nested to be read",
        ),
        (site.url("/pdf"), "No HTML found"),
        (site.url("/500"), "No HTML found"),
        (site.url("/404"), "No HTML found"),
        (site.url("/private"), refused),
        ("http://127.0.0.2/".to_owned(), refused),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), refused),
        (
            "gopher://a.example/".to_owned(),
            "Error: Unexpected error = only pages of http and https can be read",
        ),
        ("not a url".to_owned(), "No HTML found"),
    ] {
        assert_eq!(read(&environment, &url).await, expected, "{url}");
    }
}
