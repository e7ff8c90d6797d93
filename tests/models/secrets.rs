//! A key is seen by its endpoint and by nobody else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::prelude::*;

use crate::support::command::Folder;

const KEY: &str = "sk-do-not-show";
const TEAM: &str = "team-do-not-show";

/// An endpoint that answers every request with a refusal that repeats its headers.
fn parrot() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            repeat(stream.unwrap());
        }
    });
    url
}

fn repeat(mut stream: TcpStream) {
    let mut reader = BufReader::new(&stream);
    let (mut line, mut head, mut length) = (String::new(), String::new(), 0);
    while reader.read_line(&mut line).unwrap_or(0) > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(line.trim_end());
        head.push(' ');
        line.clear();
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let text = serde_json::json!({ "error": { "message": format!("no: {head}") } }).to_string();
    let length = text.len();
    let _ = write!(
        stream,
        "HTTP/1.1 400 X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}"
    );
}

fn config(url: &str) -> String {
    format!(
        "
models:
  policy:
    kind: chat_completions
    settings: {{ base_url: {url}, model: m, api_key: '${{policy_api_key}}', default_headers: {{ x-team: '${{env:TEAM_TOKEN}}' }} }}
environments: {{ weather: {{ kind: simple_weather }} }}
agents:
  solver:
    kind: tool_loop
    environment: weather
    model: policy
    datasets: [ {{ name: example, type: example, path: environments/data/simple_weather/example.jsonl }} ]
collect: {{ agent: solver, output: out.jsonl, max_attempts: 1 }}
telemetry: {{ prometheus: '127.0.0.1:0' }}
"
    )
}

#[track_caller]
fn assert_hidden(place: &str, text: &str) {
    assert!(!text.contains(KEY) && !text.contains(TEAM), "in {place}:\n{text}");
}

#[test]
fn keys_show_in_no_log_error_record_or_configuration() {
    let folder = Folder::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::os::unix::fs::symlink(root.join("environments"), folder.path("environments")).unwrap();
    folder.write("config.yaml", &config(&parrot()));
    folder.write("env.yaml", &format!("policy_api_key: {KEY}\n"));
    for arguments in [
        ["config", "--config", "config.yaml"],
        ["check", "--config", "config.yaml"],
        ["collect", "--config", "config.yaml"],
    ] {
        let mut command = folder.rehearsal(&arguments);
        let ended = command.env("TEAM_TOKEN", TEAM).env("RUST_LOG", "trace").output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(ended.stdout), text(ended.stderr));
        assert_hidden(arguments[0], &format!("{stdout}{stderr}"));
        if arguments[0] == "config" {
            assert!(stdout.contains("***"), "{stdout}");
        }
    }
    let failures = folder.read("out_failures.jsonl");
    assert!(failures.contains("Bearer ***") && failures.contains("x-team: ***"), "{failures}");
    assert_hidden("the failures", &failures);
}

#[tokio::test]
async fn keys_show_in_no_metric_and_in_no_failure_of_a_rollout() {
    let secrets = [("TEAM_TOKEN", TEAM), ("REHEARSAL__POLICY_API_KEY", KEY)];
    let secrets = secrets.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let loader = Loader::new().text("secrets", &config(&parrot())).environment(secrets.into_iter());
    let config = loader.load().unwrap();
    assert_hidden("the configuration", &format!("{config:?}"));
    let runtime = Runtime::start(config, &rehearsal::kinds()).await.unwrap();
    let row = std::fs::read_to_string("environments/data/simple_weather/example.jsonl").unwrap();
    let task = runtime.task("solver", "x/1".into(), row.lines().next().unwrap()).unwrap();
    let failed = runtime.submit("solver", &task, 0, RolloutPolicy::default()).await.unwrap_err();
    assert!(format!("{failed:?}").contains("Bearer ***"), "{failed:?}");
    assert_hidden("the failure", &format!("{failed:?} {failed}"));
    for path in ["/metrics", "/tree", "/tree.json"] {
        let mut stream = TcpStream::connect(runtime.metrics_address().unwrap()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut shown = String::new();
        stream.read_to_string(&mut shown).unwrap();
        assert_hidden(path, &shown);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_so_nobody_else_is_sent_the_key() {
    let (there, here) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
    let (there, here) = (there.unwrap(), here.unwrap());
    there.set_nonblocking(true).unwrap();
    let (target, url) = (there.local_addr().unwrap(), here.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in here.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 65_536]);
            let head = format!("HTTP/1.1 307 X\r\nlocation: http://{target}/v1/responses");
            let _ = write!(stream, "{head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let settings =
        serde_json::json!({ "base_url": format!("http://{url}/v1"), "model": "m", "api_key": KEY });
    let error = super::faults::ask("openai", settings, std::time::Duration::from_secs(30)).await;
    let error = error.unwrap_err();
    assert_eq!(error.status(), "bad_request");
    assert!(error.to_string().contains("redirects to"), "{error}");
    assert!(there.accept().is_err(), "nobody has come");
}

#[tokio::test]
async fn an_endpoint_that_should_be_secure_and_is_not_gets_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = listener.local_addr().unwrap();
    let (sender, seen) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = vec![0; 65_536];
            let read = stream.read(&mut bytes).unwrap_or(0);
            let _ = sender.send(String::from_utf8_lossy(&bytes[..read]).into_owned());
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\n{}");
        }
    });
    let settings = serde_json::json!({ "base_url": format!("https://{url}/v1"), "model": "m",
        "api_key": KEY, "http": { "retries": 0 } });
    let error = super::faults::ask("openai", settings, std::time::Duration::from_secs(30)).await;
    assert_eq!(error.unwrap_err().status(), "connection");
    let hello = seen.recv().unwrap();
    assert_hidden("the greeting", &hello);
}
