//! The smallest HTTP server that a scrape needs: a list of pages, `GET` only.
//!
//! It faces whoever can reach the port, so everything has a limit: connections, bytes of request
//! head, and the time of a connection, which serves one request and closes.

use std::{convert::Infallible, fmt, io, pin::pin, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};

const CONNECTIONS_MAX: usize = 16;
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(15);
const REQUEST_HEAD_BYTES_MAX: usize = 16 * 1024;
const STOP_TIME_MAX: Duration = Duration::from_secs(1);
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);
const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// One path of the exporter and what it answers there.
#[derive(Clone)]
pub struct Page {
    path: &'static str,
    content_type: &'static str,
    body: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Page {
    /// Makes a page at an absolute path such as `/tree`.
    ///
    /// The body is made anew for each request, on a thread where blocking is allowed.
    pub fn new(
        path: &'static str,
        content_type: &'static str,
        body: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        Self { path, content_type, body: Arc::new(body) }
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Page").field(&self.path).finish()
    }
}

/// Serves the pages, the first of equal paths, until the signal closes.
pub(super) async fn serve(listener: TcpListener, pages: Vec<Page>, signal: watch::Receiver<()>) {
    let pages: Arc<[Page]> = pages.into();
    let mut connections = JoinSet::new();
    let mut stopped = pin!(closed(signal));
    loop {
        tokio::select! {
            () = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                match accepted {
                    Ok((stream, _)) => { connections.spawn(converse(stream, pages.clone())); }
                    Err(error) => wait_out(&error).await,
                }
            }
        }
    }
    drop(listener);
    let rest = async { while connections.join_next().await.is_some() {} };
    let _ended_or_cut_off = timeout(STOP_TIME_MAX, rest).await;
}

async fn closed(mut signal: watch::Receiver<()>) {
    while signal.changed().await.is_ok() {}
}

/// Waits, since an error such as "too many open files" would come again at once.
async fn wait_out(error: &io::Error) {
    tracing::warn!(%error, "the metrics exporter cannot accept a connection");
    sleep(ACCEPT_RETRY_DELAY).await;
}

/// Answers the one request of a connection; that the peer fails or dawdles is its own loss.
async fn converse(stream: TcpStream, pages: Arc<[Page]>) {
    let service = service_fn(|request| answer(request, &pages));
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(REQUEST_HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_TIME_MAX, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a scrape failed"),
        Err(_) => tracing::debug!("a scrape took too long"),
    }
}

async fn answer(
    request: Request<Incoming>,
    pages: &[Page],
) -> Result<Response<Full<Bytes>>, Infallible> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(refusal);
    }
    let path = request.uri().path();
    let Some(page) = pages.iter().find(|page| page.path == path) else {
        return Ok(text(StatusCode::NOT_FOUND, "no such page; the metrics are at /metrics\n"));
    };
    let make_body = page.body.clone();
    Ok(match spawn_blocking(move || make_body()).await {
        Ok(body) => response(StatusCode::OK, page.content_type, body.into()),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "this page could not be made\n"),
    })
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    response(status, PLAIN_TEXT, Bytes::from_static(body.as_bytes()))
}

fn response(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
