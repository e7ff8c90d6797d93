//! The mock endpoint in a process of its own, and what a bare client reaches on it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::Result;

/// A running `mock_endpoint`; it dies with this value.
pub(crate) struct Endpoint {
    process: Child,
    pub(crate) base_url: String,
}

impl Endpoint {
    /// Starts the example beside this one.
    pub(crate) fn start() -> Result<Self> {
        let path = std::env::current_exe()?.with_file_name("mock_endpoint");
        let mut process = Command::new(&path).stdout(Stdio::piped()).spawn().map_err(|error| {
            format!("{}: {error}; run `cargo build --release --examples` first", path.display())
        })?;
        let output = process.stdout.take().ok_or("the mock has no stdout")?;
        let mut base_url = String::new();
        BufReader::new(output).read_line(&mut base_url)?;
        Ok(Self { process, base_url: base_url.trim().to_owned() })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // It may have died by itself, which is fine now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Requests per second of reqwest alone: as many connections, two threads, the same endpoint.
pub(crate) fn bare_client(base_url: &str, connections: usize, requests: usize) -> Result<f64> {
    let url = format!("{base_url}/responses");
    std::thread::spawn(move || -> std::result::Result<f64, String> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(post_all(url, connections, requests)).map_err(|error| error.to_string())
    })
    .join()
    .map_err(|_| "the bare client panicked")?
    .map_err(Into::into)
}

async fn post_all(
    url: String,
    connections: usize,
    requests: usize,
) -> std::result::Result<f64, reqwest::Error> {
    let client = reqwest::Client::builder().http1_only().tcp_nodelay(true).build()?;
    let body = include_str!("request.json");
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    let each = requests.div_ceil(connections);
    for _ in 0..connections {
        let (client, url) = (client.clone(), url.clone());
        tasks.spawn(async move {
            for _ in 0..each {
                client.post(&url).bearer_auth("none").body(body).send().await?.bytes().await?;
            }
            Ok::<_, reqwest::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("requests do not panic")?;
    }
    Ok((each * connections) as f64 / started.elapsed().as_secs_f64())
}
