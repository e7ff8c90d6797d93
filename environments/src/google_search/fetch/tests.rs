use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::super::page::NoText;
use super::super::site::{Part, Site, answer, html, redirect};
use super::*;

const TEXT: &str =
    "<html><body><p>Terns nest on the rock in May and leave it in August.</p></body></html>";

fn config(settings: Value) -> FetchConfig {
    let mut config = json!({ "allow": ["public.test"], "retries": 0, "timeout": "20s" });
    config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

/// Finds every host at 127.0.0.1.
fn everywhere_here() -> Lookup {
    Arc::new(|_| Box::pin(async { Ok(vec![([127, 0, 0, 1], 0).into()]) }))
}

/// Fetches `http://public.test/…` from a site.
async fn fetch(site: &Site, path: &str, settings: Value) -> Result<RawPage, Fault> {
    let fetcher = Fetcher::with_lookup(&config(settings), everywhere_here());
    let url = format!("http://public.test:{}{path}", site.address.port());
    fetcher.fetch(&Url::parse(&url).unwrap()).await
}

async fn text(site: &Site, path: &str) -> Result<String, NoText> {
    fetch(site, path, json!({})).await.unwrap().text()
}

fn status(page: &Result<RawPage, Fault>) -> &'static str {
    page.as_ref().map_or_else(Fault::status, |_| "ok")
}

#[tokio::test]
async fn a_page_is_asked_for_politely_and_read() {
    let site = Site::start(|_| html(TEXT)).await;
    let read = text(&site, "/a?b=c").await.unwrap();
    assert_eq!(read, "Terns nest on the rock in May and leave it in August.");
    let head = &site.heads()[0].to_lowercase();
    let host = format!("host: public.test:{}\r\n", site.address.port());
    for expected in
        ["get /a?b=c http/1.1\r\n", "user-agent: rehearsal/", "accept-encoding: gzip\r\n", &host]
    {
        assert!(head.contains(expected), "{expected} is not in {head}");
    }
}

#[tokio::test]
async fn what_stands_before_an_at_sign_is_sent_to_nobody() {
    let site = Site::start(|_| html(TEXT)).await;
    let fetcher = Fetcher::with_lookup(&config(json!({})), everywhere_here());
    let url = format!("http://user:pass@public.test:{}/", site.address.port());
    fetcher.fetch(&Url::parse(&url).unwrap()).await.unwrap();
    let head = site.heads()[0].to_lowercase();
    assert!(!head.contains("authorization") && !head.contains("user:"), "{head}");
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_allowed_and_loops_end() {
    let site = Site::start(|path| match path {
        "/2" => redirect("/1"),
        "/1" => redirect("page"),
        "/page" => html(TEXT),
        "/3" => redirect("/2"),
        "/nowhere" => answer(302, "", ""),
        "/broken" => redirect("http://["),
        _ => redirect("/loop"),
    })
    .await;
    for (path, expected, requests) in [
        ("/2", "ok", 3),
        ("/3", "http_other", 3),
        ("/loop", "http_other", 3),
        ("/nowhere", "http_other", 1),
        ("/broken", "http_other", 1),
    ] {
        let before = site.heads().len();
        assert_eq!(status(&fetch(&site, path, json!({})).await), expected, "{path}");
        assert_eq!(site.heads().len() - before, requests, "{path}");
    }
    assert_eq!(status(&fetch(&site, "/3", json!({ "redirects": 3 })).await), "ok");
}

#[tokio::test]
async fn a_redirect_into_the_network_behind_us_is_refused_and_not_followed() {
    let site = Site::start(|path| {
        let port = path.rsplit('/').next().unwrap();
        match path.split('/').nth(1).unwrap() {
            "literal" => redirect(&format!("http://127.0.0.1:{port}/secret")),
            "number" => redirect(&format!("http://2130706433:{port}/secret")),
            "mapped" => redirect(&format!("http://[::ffff:127.0.0.1]:{port}/secret")),
            "v6" => redirect(&format!("http://[::1]:{port}/secret")),
            "name" => redirect(&format!("http://localhost:{port}/secret")),
            "metadata" => redirect("http://169.254.169.254/latest/meta-data/"),
            "file" => redirect("file:///etc/passwd"),
            "chain" => redirect(&format!("/literal/{port}")),
            _ => html("<p>secret, secret, secret</p>"),
        }
    })
    .await;
    let port = site.address.port();
    for (kind, refusal) in [
        ("literal", Refusal::Private),
        ("number", Refusal::Private),
        ("mapped", Refusal::Private),
        ("v6", Refusal::Private),
        ("name", Refusal::Private),
        ("metadata", Refusal::Private),
        ("file", Refusal::Scheme),
        ("chain", Refusal::Private),
    ] {
        let page = fetch(&site, &format!("/{kind}/{port}"), json!({})).await;
        assert_eq!(page, Err(Fault::Refused(refusal)), "{kind}");
    }
    assert!(!site.paths().iter().any(|path| path == "/secret"), "{:?}", site.paths());
    let allowed = json!({ "allow": ["public.test", "127.0.0.1"] });
    assert_eq!(status(&fetch(&site, &format!("/literal/{port}"), allowed.clone()).await), "ok");
    let denied = json!({ "allow": ["public.test", "127.0.0.1"], "deny": ["127.0.0.0/8"] });
    let page = fetch(&site, &format!("/literal/{port}"), denied).await;
    assert_eq!(page, Err(Fault::Refused(Refusal::Denied)));
}

#[tokio::test]
async fn a_name_is_connected_to_at_the_address_that_was_checked_and_at_no_other() {
    let site = Site::start(|_| html(TEXT)).await;
    let lookups = Arc::new(AtomicUsize::new(0));
    let counted = lookups.clone();
    // At first an address that may be read beside one that may not; then only the latter: rebound.
    let lookup: Lookup = Arc::new(move |_| {
        let is_first = counted.fetch_add(1, Ordering::Relaxed) == 0;
        let private = ([10, 255, 255, 1], 0).into();
        let here = ([127, 0, 0, 1], 0).into();
        let found = if is_first { vec![private, here] } else { vec![private] };
        Box::pin(async move { Ok(found) })
    });
    let config = config(json!({ "allow": ["127.0.0.1"] }));
    let fetcher = Fetcher::with_lookup(&config, lookup);
    let url = format!("http://rebind.test:{}/", site.address.port());
    let url = Url::parse(&url).unwrap();
    assert_eq!(status(&fetcher.fetch(&url).await), "ok");
    assert_eq!(lookups.load(Ordering::Relaxed), 1, "what was found is used, not asked for again");
    assert_eq!(fetcher.fetch(&url).await, Err(Fault::Refused(Refusal::Private)));
    assert_eq!(site.heads().len(), 1);
}

#[tokio::test]
async fn localhost_is_refused_by_the_systems_own_resolver() {
    let site = Site::start(|_| html(TEXT)).await;
    let fetcher = Fetcher::new(&config(json!({})), &Wiring::detached("web")).unwrap();
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "0.0.0.0"] {
        let url = format!("http://{host}:{}/", site.address.port());
        let page = fetcher.fetch(&Url::parse(&url).unwrap()).await;
        assert_eq!(page, Err(Fault::Refused(Refusal::Private)), "{host}");
    }
    assert!(site.heads().is_empty());
}

#[tokio::test]
async fn a_denied_or_unlisted_host_is_not_even_looked_up() {
    let lookup: Lookup = Arc::new(|host| panic!("{host} is looked up"));
    for (settings, refusal) in [
        (json!({ "deny": ["evil.test"] }), Refusal::Denied),
        (json!({ "only": ["good.test"] }), Refusal::NotListed),
    ] {
        let fetcher = Fetcher::with_lookup(&config(settings), lookup.clone());
        let page = fetcher.fetch(&Url::parse("http://www.evil.test/").unwrap()).await;
        assert_eq!(page, Err(Fault::Refused(refusal)));
    }
}

#[tokio::test]
async fn pages_are_read_up_to_their_limit_with_or_without_a_length() {
    let long = |path: &str| {
        let body = "a".repeat(2000);
        match path {
            "/length" => html(body),
            "/lie" => {
                vec![
                    Part::Bytes(b"HTTP/1.1 200 X\r\ncontent-length: 99999999999\r\n\r\nx".to_vec()),
                    Part::Hang,
                ]
            }
            "/chunks" => vec![
                Part::Bytes(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()),
                Part::Bytes(format!("7d0\r\n{body}\r\n").into_bytes()),
                Part::Hang,
            ],
            _ => vec![Part::Bytes(format!("HTTP/1.1 200 X\r\n\r\n{body}").into_bytes())],
        }
    };
    let site = Site::start(long).await;
    for path in ["/length", "/lie", "/chunks", "/close"] {
        let page = fetch(&site, path, json!({ "body_max": "1999B" })).await;
        assert_eq!(status(&page), "too_long", "{path}");
    }
    let page = fetch(&site, "/close", json!({ "body_max": "2000B" })).await;
    assert_eq!(page.unwrap().body.len(), 2000);
}

#[tokio::test]
async fn a_page_of_ten_megabytes_is_read_and_cut() {
    let line = "Terns nest on the rock in May and leave it again in August, with the young. ";
    let paragraph = format!("<p>{}</p>\n", line.repeat(100));
    let page = paragraph.repeat(2_000_000 / paragraph.len());
    // What makes real pages that long.
    let line = "let terns = ['nest', '<p>', \"on\", 'rocks'];\n";
    let script = line.repeat(8_000_000 / line.len());
    let body = format!("<html><head><script>{script}</script></head><body>{page}</body></html>");
    assert!(body.len() > 9_900_000);
    let site = Site::start(move |_| html(&body)).await;
    let read = text(&site, "/").await.unwrap();
    assert_eq!(read.chars().count(), 10_003);
    assert!(read.starts_with("Terns nest") && read.ends_with("with the young."), "{read}");
}

#[tokio::test]
async fn slow_drips_and_silence_end_in_time() {
    let head = b"HTTP/1.1 200 X\r\ncontent-type: text/html\r\n\r\n".to_vec();
    let site = Site::start(move |path| match path {
        "/body" => vec![Part::Bytes(head.clone()), Part::Drip],
        "/head" => vec![Part::Bytes(b"HTTP/1.1 200 X\r\nx: ".to_vec()), Part::Drip],
        _ => vec![Part::Hang],
    })
    .await;
    for path in ["/body", "/head", "/silence"] {
        let started = Instant::now();
        let page = fetch(&site, path, json!({ "timeout": "200ms" })).await;
        assert_eq!(status(&page), "timeout", "{path}");
        assert!(started.elapsed() < Duration::from_secs(10), "{path}");
    }
}

#[tokio::test]
async fn a_status_that_may_pass_is_asked_for_again_and_any_other_is_not() {
    let site = Site::start(|path| answer(path[1..].parse().unwrap(), "", "nothing to see")).await;
    for (path, expected, requests) in [
        ("/500", "http_5xx", 2),
        ("/503", "http_5xx", 2),
        ("/429", "http_4xx", 2),
        ("/404", "http_4xx", 1),
        ("/501", "http_5xx", 1),
        ("/204", "http_other", 1),
        ("/206", "http_other", 1),
    ] {
        let before = site.heads().len();
        let page = fetch(&site, path, json!({ "retries": 1 })).await;
        assert_eq!(status(&page), expected, "{path}");
        assert_eq!(site.heads().len() - before, requests, "{path}");
    }
}

#[tokio::test]
async fn only_text_is_read_and_a_garbled_type_is_judged_by_what_there_is() {
    let kinds = [
        ("text/html; charset=utf-8", "ok"),
        ("TEXT/HTML", "ok"),
        ("application/xhtml+xml", "ok"),
        ("text/plain", "ok"),
        (";;;=\"\\", "ok"),
        ("text", "ok"),
        ("tex\u{e4}t/html", "ok"),
        ("x/y/z; charset", "ok"),
        ("image/png", "content"),
        ("application/pdf", "content"),
        ("application/octet-stream", "content"),
        ("video/mp4", "content"),
    ];
    let site = Site::start(move |path| {
        let kind = kinds[path[1..].parse::<usize>().unwrap()].0;
        let kind: Vec<u8> = kind.chars().map(|character| character as u8).collect();
        let length = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\ncontent-type: ", TEXT.len());
        let bytes = [length.as_bytes(), &kind, b"\r\n\r\n", TEXT.as_bytes()].concat();
        vec![Part::Bytes(bytes)]
    })
    .await;
    for (index, (kind, expected)) in kinds.into_iter().enumerate() {
        let page = fetch(&site, &format!("/{index}"), json!({})).await;
        assert_eq!(status(&page), expected, "{kind}");
        if expected == "ok" {
            assert!(page.unwrap().text().unwrap().contains("Terns nest"), "{kind}");
        }
    }
}

#[tokio::test]
async fn an_encoding_that_was_not_asked_for_huge_headers_and_garbage_are_no_page() {
    let site = Site::start(|path| match path {
        "/br" => answer(200, "content-encoding: br\r\n", TEXT),
        "/huge" => answer(200, &format!("x: {}\r\n", "a".repeat(4 << 20)), TEXT),
        "/many" => answer(200, &"x: y\r\n".repeat(10_000), TEXT),
        "/garbage" => vec![Part::Bytes(vec![0xff; 4096])],
        "/cut" => vec![Part::Bytes(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nx".to_vec())],
        _ => vec![],
    })
    .await;
    for (path, expected) in [
        ("/br", "content"),
        ("/huge", "connection"),
        ("/many", "connection"),
        ("/garbage", "connection"),
        ("/cut", "connection"),
        ("/nothing", "connection"),
    ] {
        assert_eq!(status(&fetch(&site, path, json!({})).await), expected, "{path}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_is_no_page() {
    let lookup: Lookup =
        Arc::new(|_| Box::pin(async { Err(std::io::Error::other("no such host")) }));
    let fetcher = Fetcher::with_lookup(&config(json!({})), lookup);
    let page = fetcher.fetch(&Url::parse("http://nobody.test/").unwrap()).await;
    assert_eq!(status(&page), "connection");
}
