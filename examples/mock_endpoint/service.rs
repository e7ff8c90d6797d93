//! How the mock is served.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};

use super::answers::{Said, Script};
use super::faulty::{Fault, Latency, Rate};

const GARBAGE: &str = "<html>This is not the model that you are looking for.</html>";

/// What the connections share.
#[derive(Default)]
pub(crate) struct Mock {
    pub(crate) script: Script,
    pub(crate) latency: Latency,
    /// Before each event of a stream.
    pub(crate) pause: Duration,
    /// Whole answers are written for people, in lines.
    pub(crate) pretty: bool,
    pub(crate) fail: Vec<Rate>,
    pub(crate) requests: AtomicU64,
}

impl Mock {
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Answer>> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        let number = self.requests.fetch_add(1, Relaxed);
        let latency = self.latency.draw(number);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let fault = self.fail.iter().find(|rate| rate.strikes(number)).map(|rate| rate.fault);
        let text = std::str::from_utf8(&body).unwrap_or_default();
        let wish = self.script.wish(&path, text);
        match fault {
            None => Ok(self.respond(self.script.say(wish), false)),
            Some(Fault::Truncate) => Ok(self.respond(self.script.say(wish), true)),
            Some(Fault::Status(status)) => Ok(refusal(status)),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::HangUp) => Err(io::Error::other("told to hang up")),
            Some(Fault::Garbage) if wish.is_stream => {
                let garbage = Bytes::from(format!("data: {GARBAGE}\n\n"));
                Ok(self.respond(Said::Events(vec![garbage]), false))
            }
            Some(Fault::Garbage) => Ok(self.respond(Said::Whole(GARBAGE.into()), false)),
        }
    }

    fn respond(&self, said: Said, breaks: bool) -> Response<Answer> {
        let (mut pieces, tag, pause) = match said {
            Said::Whole(text) if self.pretty => {
                let value: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
                (vec![format!("{value:#}").into()], "application/json", Duration::ZERO)
            }
            Said::Whole(text) => (vec![text], "application/json", Duration::ZERO),
            Said::Events(events) => (events, "text/event-stream", self.pause),
        };
        let length = pieces.iter().map(Bytes::len).sum::<usize>();
        if breaks {
            let kept = pieces.len().div_ceil(2);
            pieces.truncate(kept);
            let last = pieces.last_mut().expect("there is one");
            last.truncate(last.len() / 2);
        }
        // Events come without a length, as from a model that does not know yet how many there are.
        let length = (tag != "text/event-stream").then_some(length as u64);
        pieces.reverse();
        let pause = (!pause.is_zero()).then(|| (pause, Box::pin(tokio::time::sleep(pause))));
        let mut response = Response::new(Answer { pieces, length, breaks, pause });
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(tag));
        response
    }
}

fn refusal(status: u16) -> Response<Answer> {
    let text = Bytes::from_static(br#"{"error":{"message":"the mock is told to fail"}}"#);
    let length = Some(text.len() as u64);
    let mut response =
        Response::new(Answer { pieces: vec![text], length, breaks: false, pause: None });
    *response.status_mut() = StatusCode::from_u16(status).expect("it is a status");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == 429 {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("0"));
    }
    response
}

/// A body in pieces, the next at the end, which may break off.
pub(crate) struct Answer {
    pieces: Vec<Bytes>,
    length: Option<u64>,
    breaks: bool,
    pause: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some((pause, timer)) = &mut self.pause {
            ready!(timer.as_mut().poll(context));
            let next = Instant::now() + *pause;
            timer.as_mut().reset(next);
        }
        match self.pieces.pop() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.breaks => Poll::Ready(Some(Err(io::Error::other("told to stop halfway")))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && !self.breaks
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Serves until the listener fails.
///
/// # Errors
/// Fails if the listener does.
pub(crate) async fn serve(mock: Arc<Mock>, listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(mock.clone(), stream));
    }
}

async fn connection(mock: Arc<Mock>, stream: TcpStream) {
    // A connection that breaks is its client's business.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| mock.answer(request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
