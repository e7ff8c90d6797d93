//! A rollout that nobody waits for stops generating.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::prelude::*;

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const EVENT: &str = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"so\"}\n\n";

/// An endpoint that begins to answer and then goes on for ever. It says when it was asked, and when
/// its connection was closed.
fn endless(stream: bool) -> (String, Receiver<&'static str>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut buffer = [0; 65_536];
        let read = connection.read(&mut buffer).unwrap();
        assert!(read > 0);
        if stream {
            write!(connection, "{HEAD}{:x}\r\n{EVENT}\r\n", EVENT.len()).unwrap();
        }
        sender.send("asked").unwrap();
        // What is left of the request, then the end.
        while connection.read(&mut buffer).is_ok_and(|read| read > 0) {}
        sender.send("closed").unwrap();
    });
    (url, receiver)
}

#[tokio::test]
async fn a_rollout_that_is_cancelled_closes_its_connection() {
    const SOON: Duration = Duration::from_secs(30);
    for stream in [true, false] {
        let (url, events) = endless(stream);
        let config = format!(
            "
models: {{ policy: {{ kind: openai, settings: {{ base_url: {url}, model: m, http: {{ stream: {stream} }} }} }} }}
environments: {{ weather: {{ kind: simple_weather }} }}
agents: {{ solver: {{ kind: tool_loop, environment: weather, model: policy }} }}
runtime: {{ shards: 1 }}
"
        );
        let config = Loader::new().text("endless", &config).load().unwrap();
        let runtime =
            std::sync::Arc::new(Runtime::start(config, &rehearsal::kinds()).await.unwrap());
        let row =
            std::fs::read_to_string("environments/data/simple_weather/example.jsonl").unwrap();
        let task = runtime.task("solver", "x/1".into(), row.lines().next().unwrap()).unwrap();
        let rollout = {
            let runtime = runtime.clone();
            tokio::spawn(async move {
                runtime.submit("solver", &task, 0, RolloutPolicy::default()).await.map(|_| ())
            })
        };
        let events = tokio::task::spawn_blocking(move || {
            assert_eq!(events.recv_timeout(SOON), Ok("asked"));
            events
        });
        let events = events.await.unwrap();
        assert!(events.try_recv().is_err(), "it is still being answered");
        rollout.abort();
        let closed = tokio::task::spawn_blocking(move || events.recv_timeout(SOON));
        assert_eq!(closed.await.unwrap(), Ok("closed"), "stream: {stream}");
    }
}
