//! A small HTTP server for pages about this process: `GET` only.
//!
//! It faces whoever can reach the port, so everything has a limit: connections, bytes of request
//! head, and the time of a connection, which serves one request and closes.

use std::{convert::Infallible, fmt, io, pin::pin, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderValue, SERVER},
    http::request::Parts,
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
/// Says who answers, so that a client can tell another program on the same port.
const NAME: &str = concat!("rehearsal/", env!("CARGO_PKG_VERSION"));
/// The content type of text.
pub const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// What a request is answered with: a whole body.
pub type Answer = Response<Full<Bytes>>;

/// Serves until the signal closes.
///
/// `answer` gets `GET` and `HEAD` requests; what it returns is dropped when the client is gone or the
/// connection's 15 seconds are over.
pub async fn serve<F>(
    listener: TcpListener,
    answer: impl Fn(Parts) -> F + Clone + Send + Sync + 'static,
    signal: watch::Receiver<()>,
) where
    F: Future<Output = Answer> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let mut stopped = pin!(closed(signal));
    loop {
        tokio::select! {
            () = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                match accepted {
                    Ok((stream, _)) => { connections.spawn(converse(stream, answer.clone())); }
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
    tracing::warn!(%error, "the HTTP server cannot accept a connection");
    sleep(ACCEPT_RETRY_DELAY).await;
}

/// Answers the one request of a connection; that the peer fails or dawdles is its own loss.
async fn converse<F>(stream: TcpStream, answer: impl Fn(Parts) -> F)
where
    F: Future<Output = Answer>,
{
    let service = service_fn(|request: Request<Incoming>| {
        let answer = &answer;
        async move {
            let (parts, _) = request.into_parts();
            let is_read = [Method::GET, Method::HEAD].contains(&parts.method);
            Ok::<_, Infallible>(if is_read { answer(parts).await } else { refusal() })
        }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(REQUEST_HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_TIME_MAX, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a request failed"),
        Err(_) => tracing::debug!("a request took too long"),
    }
}

fn refusal() -> Answer {
    let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, PLAIN_TEXT, "only GET and HEAD\n");
    refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    refusal
}

/// Makes an answer.
pub fn response(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(SERVER, HeaderValue::from_static(NAME));
    response
}

/// One path and what is answered there.
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

/// Answers with the first of the pages that has the path.
pub(crate) async fn answer_with(request: Parts, pages: Arc<[Page]>) -> Answer {
    let path = request.uri.path();
    let Some(page) = pages.iter().find(|page| page.path == path) else {
        let body = "no such page; there are /metrics and perhaps /tree\n";
        return response(StatusCode::NOT_FOUND, PLAIN_TEXT, body);
    };
    let make_body = page.body.clone();
    match spawn_blocking(move || make_body()).await {
        Ok(body) => response(StatusCode::OK, page.content_type, body),
        Err(_) => {
            let body = "this page could not be made\n";
            response(StatusCode::INTERNAL_SERVER_ERROR, PLAIN_TEXT, body)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::Instant,
    };

    use super::*;

    struct Server {
        address: SocketAddr,
        running: watch::Sender<()>,
        task: tokio::task::JoinHandle<()>,
    }

    async fn server() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (running, signal) = watch::channel(());
        let pages: Arc<[Page]> = Arc::new([
            Page::new("/page", PLAIN_TEXT, || "the page".to_owned()),
            Page::new("/broken", PLAIN_TEXT, || panic!("this page is broken")),
        ]);
        let answer = move |request| answer_with(request, pages.clone());
        Server { address, running, task: tokio::spawn(serve(listener, answer, signal)) }
    }

    impl Server {
        async fn exchange(&self, request: &str) -> String {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut reply = String::new();
            stream.read_to_string(&mut reply).await.unwrap();
            reply
        }

        async fn status_line(&self, request_line: &str) -> String {
            let reply = self.exchange(&format!("{request_line} HTTP/1.1\r\n\r\n")).await;
            reply.lines().next().unwrap().to_owned()
        }
    }

    #[tokio::test]
    async fn a_page_is_served_and_the_connection_closed() {
        let reply = server().await.exchange("GET /page HTTP/1.1\r\n\r\n").await;
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
        assert!(reply.contains("connection: close\r\n"), "{reply}");
        assert!(reply.ends_with("\r\n\r\nthe page"), "{reply}");
    }

    #[tokio::test]
    async fn a_head_request_gets_no_body() {
        let reply = server().await.exchange("HEAD /page HTTP/1.1\r\n\r\n").await;
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
        assert!(reply.ends_with("\r\n\r\n"), "{reply}");
    }

    #[tokio::test]
    async fn other_paths_and_methods_are_refused() {
        let server = server().await;
        assert_eq!(server.status_line("GET /pag").await, "HTTP/1.1 404 Not Found");
        assert_eq!(server.status_line("POST /page").await, "HTTP/1.1 405 Method Not Allowed");
    }

    #[tokio::test]
    async fn a_page_that_panics_costs_one_request() {
        let server = server().await;
        let broken = server.status_line("GET /broken").await;
        assert_eq!(broken, "HTTP/1.1 500 Internal Server Error");
        assert_eq!(server.status_line("GET /page").await, "HTTP/1.1 200 OK");
    }

    #[tokio::test]
    async fn a_request_head_has_a_limit() {
        let padding = "x".repeat(REQUEST_HEAD_BYTES_MAX);
        let mut stream = TcpStream::connect(server().await.address).await.unwrap();
        let request = format!("GET /page HTTP/1.1\r\npadding: {padding}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        let _reset_or_closed = stream.read_to_end(&mut reply).await;
        assert!(!reply.starts_with(b"HTTP/1.1 200"));
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_say_nothing_are_cut_off_and_scrapes_go_on() {
        let server = server().await;
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            silent.push(TcpStream::connect(server.address).await.unwrap());
        }
        let start = Instant::now();
        assert_eq!(server.status_line("GET /page").await, "HTTP/1.1 200 OK");
        assert_eq!(start.elapsed(), CONNECTION_TIME_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_does_not_wait_long_for_a_silent_connection() {
        let server = server().await;
        let _silent = TcpStream::connect(server.address).await.unwrap();
        assert_eq!(server.status_line("GET /page").await, "HTTP/1.1 200 OK");
        let start = Instant::now();

        drop(server.running);
        server.task.await.unwrap();

        assert!(start.elapsed() <= STOP_TIME_MAX + Duration::from_millis(1));
    }
}
