//! `rehearsal view`: rollouts of any number and size on a page in the browser.
//!
//! The page and its parts are in the binary and nothing comes from elsewhere, so it works offline. It
//! is served on this machine only. Files are indexed in the background and followed as they grow; of a
//! line the index keeps 48 bytes, the rest is read when it is looked at.

mod api;
mod archive;
mod charts;
mod entry;
mod excerpt;
mod glimpse;
mod reading;
mod search;
mod selection;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode};
use rehearsal::framework::http::{Answer, PLAIN_TEXT, response, serve};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::{Fatal, progress_bar, say};
use api::{Api, Refusal};
use archive::Archive;

pub(crate) const EXAMPLES: &str = "\
Examples:
  rehearsal view out/rollouts.jsonl
  rehearsal view before.jsonl after.jsonl --port 8080 --open
  ssh -L 8080:127.0.0.1:8080 server rehearsal view --port 8080 /data/rollouts.jsonl

Reads what `collect` wrote, with <rollouts>_failures.jsonl beside it, rollouts of NeMo Gym, and datasets.
A file may be of any size, and may still be growing: the page follows it. The page is served to programs
on this machine only; press ? on it for its keys, and Ctrl-C here to end.";

const PROGRESS: &str = "{bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  eta {eta}  {msg}";
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
/// Nothing but what this server has, and nothing that is written into the page is ever run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page: path, content type, text.
const PARTS: [(&str, &str, &str); 8] = [
    ("/", "text/html; charset=utf-8", include_str!("view/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("view/style.css")),
    ("/icon.svg", "image/svg+xml", include_str!("view/icon.svg")),
    ("/app.js", SCRIPT, include_str!("view/app.js")),
    ("/dom.js", SCRIPT, include_str!("view/dom.js")),
    ("/lists.js", SCRIPT, include_str!("view/lists.js")),
    ("/transcript.js", SCRIPT, include_str!("view/transcript.js")),
    ("/charts.js", SCRIPT, include_str!("view/charts.js")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

#[derive(Args)]
pub(crate) struct View {
    /// Files of rollouts or datasets, as JSON lines.
    #[arg(value_name = "FILE", required = true, num_args = 1..=1_000)]
    files: Vec<PathBuf>,
    /// The port to serve on; any free one by default.
    #[arg(short, long, default_value_t = 0)]
    port: u16,
    /// Open the page in the browser.
    #[arg(long)]
    open: bool,
}

/// Serves the page until Ctrl-C.
pub(crate) async fn run(arguments: View) -> Result<ExitCode, Fatal> {
    for path in &arguments.files {
        check(path)?;
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let listener = TcpListener::bind(address).await.map_err(|error| occupied(address, &error))?;
    let address = listener.local_addr().map_err(|error| occupied(address, &error))?;
    let archive = Arc::new(Archive::new(&arguments.files));
    let followed = archive.clone();
    std::thread::spawn(move || reading::follow(&followed));
    let url = format!("http://{address}/");
    say(&format!("the page is at {url} until Ctrl-C"));
    if arguments.open {
        open(&url);
    }
    let api = Arc::new(Api::new(archive.clone()));
    let (_running, signal) = watch::channel(());
    tokio::select! {
        () = serve(listener, move |request| answer(request, api.clone()), signal) => {}
        () = show_progress(&archive) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn check(path: &Path) -> Result<(), Fatal> {
    let unusable = |reason: String, hint: &str| Fatal {
        message: format!("cannot read `{}`: {reason}", path.display()),
        hint: Some(hint.into()),
    };
    match std::fs::File::open(path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(unusable("it is no regular file".into(), "name a file of JSON lines")),
        Err(error) => {
            Err(unusable(error.to_string(), "name a file that `rehearsal collect` wrote"))
        }
    }
}

fn occupied(address: SocketAddr, error: &std::io::Error) -> Fatal {
    let hint = "leave --port out, and any free port is taken".to_owned();
    Fatal { message: format!("cannot listen on `{address}`: {error}"), hint: Some(hint) }
}

/// Hands the address to the desktop; that there is none is no error.
fn open(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = std::process::Command::new(program);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if command.spawn().is_err() {
        say(&format!("there is no `{program}` here; open {url} yourself"));
    }
}

/// Shows how far the first reading is, and what it found. Never ends.
async fn show_progress(archive: &Archive) {
    let bar = progress_bar(PROGRESS);
    loop {
        let (is_settled, rows, length, indexed) = {
            let state = archive.read();
            let length = state.sources.iter().map(|source| source.length).sum();
            let indexed = state.sources.iter().map(|source| source.indexed).sum();
            (state.is_settled, state.rows(), length, indexed)
        };
        bar.set_length(length);
        bar.set_position(indexed);
        bar.set_message(format!("{rows} rows"));
        if is_settled {
            break;
        }
        tokio::time::sleep(PROGRESS_INTERVAL).await;
    }
    bar.finish_and_clear();
    report(archive);
    std::future::pending().await
}

/// Says what was read, and of each file what is wrong with it.
fn report(archive: &Archive) {
    let state = archive.read();
    for source in &state.sources {
        let path = source.path.display();
        if let Some(error) = &source.error {
            say(&format!("`{path}`: {error}"));
        }
        if source.malformed_total > 0 {
            say(&format!("`{path}`: {} malformed lines are left out", source.malformed_total));
        }
    }
    say(&format!(
        "{} rows in {} files",
        state.rows(),
        state.sources.iter().filter(|source| source.file.is_some()).count()
    ));
}

async fn answer(request: Parts, api: Arc<Api>) -> Answer {
    let mut answer = answer_locally(&request, api).await;
    let headers = answer.headers_mut();
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    answer
}

async fn answer_locally(request: &Parts, api: Arc<Api>) -> Answer {
    if !is_local(&request.headers) {
        let body = "this page is served as 127.0.0.1 and localhost only\n";
        return response(StatusCode::FORBIDDEN, PLAIN_TEXT, body);
    }
    let path = request.uri.path();
    if let Some((_, content_type, text)) = PARTS.iter().find(|(name, ..)| *name == path) {
        return response(StatusCode::OK, content_type, *text);
    }
    let Some(path) = path.strip_prefix("/api/").map(str::to_owned) else {
        return response(StatusCode::NOT_FOUND, PLAIN_TEXT, "there is no such page\n");
    };
    let query = request.uri.query().unwrap_or_default().to_owned();
    let is_cancelled = Arc::new(AtomicBool::new(false));
    // Dropped with this future when the client is gone.
    let _guard = Cancelling(is_cancelled.clone());
    match spawn_blocking(move || api.answer(&path, &query, &is_cancelled)).await {
        Ok(Ok(json)) => response(StatusCode::OK, JSON, Box::<str>::from(json).into_string()),
        Ok(Err(Refusal { status, message })) => {
            response(status, JSON, serde_json::json!({ "error": message }).to_string())
        }
        Err(_) => {
            let body = r#"{"error":"this request made the server panic"}"#;
            response(StatusCode::INTERNAL_SERVER_ERROR, JSON, body)
        }
    }
}

const JSON: &str = "application/json";

/// Whether a request names this machine by a name that no foreign page can have (DNS rebinding).
fn is_local(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    ["127.0.0.1", "localhost"].contains(&name)
}

/// Stops a search that nobody waits for.
struct Cancelling(Arc<AtomicBool>);

impl Drop for Cancelling {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
