//! An answer that comes in pieces (server-sent events).
//!
//! The pieces are put together to what the endpoint would have sent at once and then read by the same
//! code, so that an answer does not depend on how it came.

use std::io;

use framework::config::ByteSize;
use framework::model::ModelError;
use futures_util::{Stream, StreamExt, stream};
use reqwest::Response;
use sse_stream::{Error as SseError, SseByteStream};

use super::failure::Failures;

/// What an event was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Nothing that the model said.
    Other,
    /// Something that it said.
    Said,
    /// The last one.
    Last,
}

/// Puts an answer together.
pub(crate) trait Assembly: Send {
    /// Takes the data of an event.
    ///
    /// # Errors
    /// Fails, saying why, if it is none that the API has.
    fn take(&mut self, data: &str) -> Result<Event, String>;

    /// The answer as one JSON text; `None` if some of it is missing.
    fn whole(self: Box<Self>) -> Option<String>;
}

/// Reads a stream to its end.
///
/// # Errors
/// Fails if it breaks off, is longer than allowed, or is no such stream.
pub(super) async fn read(
    answer: Response,
    mut assembly: Box<dyn Assembly>,
    mut said: impl FnMut(),
    (bytes_max, failures): (ByteSize, &Failures),
) -> Result<String, ModelError> {
    let mut events = Box::pin(SseByteStream::new(chunks(answer, bytes_max)));
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| broken(error, bytes_max, failures))?;
        let Some(data) = event.data.filter(|data| !data.is_empty()) else { continue };
        let malformed =
            |reason| failures.malformed(format_args!("{reason}; an event says: {data}"));
        match assembly.take(&data).map_err(malformed)? {
            Event::Other => {}
            Event::Said => said(),
            Event::Last => break,
        }
    }
    assembly.whole().ok_or_else(|| failures.hung_up("the stream ended before the answer did"))
}

/// The endpoint sent more than allowed.
#[derive(Debug, thiserror::Error)]
#[error("more than is allowed")]
struct TooLong;

type Chunk = Result<bytes::Bytes, io::Error>;

/// The bytes of an answer, up to a limit.
fn chunks(answer: Response, bytes_max: ByteSize) -> impl Stream<Item = Chunk> {
    stream::unfold((answer, 0_u64), move |(mut answer, read)| async move {
        let chunk = match answer.chunk().await {
            Ok(None) => return None,
            Ok(Some(chunk)) => Ok(chunk),
            Err(error) => Err(io::Error::other(error)),
        };
        let read = read + chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        let is_too_long = read > bytes_max.bytes();
        let chunk = if is_too_long { Err(io::Error::other(TooLong)) } else { chunk };
        Some((chunk, (answer, read)))
    })
}

fn broken(error: SseError, bytes_max: ByteSize, failures: &Failures) -> ModelError {
    let body = match error {
        SseError::Body(body) => body,
        other => return failures.malformed(format_args!("no stream of events: {other}")),
    };
    let cause = body.downcast::<io::Error>().ok().and_then(|error| error.into_inner());
    match cause.map(|cause| cause.downcast::<reqwest::Error>()) {
        Some(Ok(error)) => failures.connection(&error),
        Some(Err(_)) => failures.too_long(bytes_max),
        None => failures.hung_up("the stream broke off"),
    }
}
