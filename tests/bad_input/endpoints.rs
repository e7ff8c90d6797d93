//! Endpoints that are down, that answer garbage, and that never answer: the rollouts fail with the
//! URL and what to do, and those of a healthy model run on.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{COUNTER, GOOD_ROW};
use crate::support::command::{Ended, Folder};
use crate::support::records;

/// Collects with a healthy agent and one whose model is at that address.
fn collect_beside_healthy(address: &str, more: &[&str]) -> (Folder, Ended) {
    let folder = Folder::new();
    let sick_model = format!(
        "models:
  sick:
    kind: openai
    timeout: 500ms
    settings: {{ base_url: 'http://{address}/v1', model: m, http: {{ retries: 1, backoff: 1ms }} }}"
    );
    let sick_agent = "agents:
  patient:
    kind: tool_loop
    environment: counter
    model: sick
    datasets: [{ name: tasks, type: example, path: tasks.jsonl }]";
    let config = COUNTER
        .replace("models:", &sick_model)
        .replace("agents:", sick_agent)
        .replace("collect: {", "collect: { agents: [patient, solver], max_attempts: 2,");
    folder.write("config.yaml", &config);
    folder.write("tasks.jsonl", &[GOOD_ROW; 3].join("\n"));
    let ended = folder.run(&[&["collect", "--config", "config.yaml"][..], more].concat());
    let lines = records::read(&folder.path("out.jsonl"));
    assert_eq!(lines.len(), 3, "the healthy agent's rollouts: {}", ended.stderr);
    assert!(lines.values().all(|line| line.reward == Some(1.0)));
    (folder, ended)
}

/// Asserts that the patient's rollouts failed in the last of `attempts` because of their model.
#[track_caller]
fn assert_failed(folder: &Folder, ended: &Ended, attempts: u32, reasons: &[&str]) {
    ended.exits_with(3).says(reasons).says(&["3 rollouts failed: model"]);
    let failures = records::read(&folder.path("out_failures.jsonl"));
    assert_eq!(failures.len(), 3);
    for line in failures.values() {
        let failure = line.rehearsal.failure.as_ref().unwrap();
        assert_eq!(failure.culprit, "model");
        assert_eq!(line.rehearsal.attempt, attempts, "{}", failure.error);
        for reason in reasons {
            assert!(failure.error.contains(reason), "`{reason}` is not in: {}", failure.error);
        }
    }
}

/// Answers every connection's first request with these bytes, for as long as the test runs.
fn answering(answer: &'static str) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = Arc::new(AtomicU32::new(0));
    let count = served.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 65536];
            let _ = stream.read(&mut request);
            count.fetch_add(1, Ordering::Relaxed);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, served)
}

#[test]
fn an_endpoint_that_is_down_is_named_with_its_url() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap().to_string();
    drop(closed);
    let (folder, ended) = collect_beside_healthy(&address, &[]);
    let url = format!("http://{address}/v1/responses");
    assert_failed(&folder, &ended, 2, &["cannot reach", &url]);
    ended.says(&["check `base_url`, and that the endpoint is up"]);
}

#[test]
fn an_endpoint_that_answers_garbage_is_named_with_what_it_says() {
    let html = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\n<html>?</html>";
    let (address, served) = answering(html);
    let (folder, ended) = collect_beside_healthy(&address, &[]);
    let url = format!("http://{address}/v1/responses");
    assert_failed(&folder, &ended, 2, &["answers what is no response", &url, "<html>"]);
    ended.says(&["check that `base_url` is an endpoint of this kind"]);
    assert!(served.load(Ordering::Relaxed) >= 6);
}

#[test]
fn an_endpoint_that_does_not_speak_http_is_named_with_its_url() {
    let (address, _) = answering("SSH-2.0-OpenSSH_9.6\r\n");
    let (folder, ended) = collect_beside_healthy(&address, &[]);
    assert_failed(&folder, &ended, 2, &[&format!("http://{address}/v1/responses")]);
}

#[test]
fn an_endpoint_that_never_answers_is_given_up_after_the_models_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let (folder, ended) = collect_beside_healthy(&address, &[]);
    assert_failed(&folder, &ended, 2, &["model `sick`: no answer within"]);
    ended.says(&["raise the model's `timeout`"]);
}

#[test]
fn a_refused_key_is_not_tried_again() {
    let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 34\r\nConnection: close\r\n\r\n\
                   {\"error\":{\"message\":\"no such key\"}}";
    let (address, served) = answering(refusal);
    let (folder, ended) = collect_beside_healthy(&address, &[]);
    assert_failed(&folder, &ended, 1, &["refuses the API key (401)", "no such key"]);
    ended.says(&["check `api_key`"]);
    assert_eq!(served.load(Ordering::Relaxed), 3, "one request a rollout");
}
