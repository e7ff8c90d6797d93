//! `rehearsal tree`: what the actors of a running process are doing.
//!
//! It asks the address that the process serves its metrics on, so there is nothing to switch on and
//! nothing else to listen.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HOST, SERVER};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Fatal;

pub(crate) const EXAMPLES: &str = "\
Examples:
  rehearsal collect --config mine.yaml --set telemetry.prometheus=127.0.0.1:9464
  rehearsal tree --address 127.0.0.1:9464
  rehearsal tree --address 127.0.0.1:9464 --json | jq '.endpoints'

The address has no authentication: let the process listen on 127.0.0.1, or where only operators reach.

Exit codes: 0 if it answered; 1 if nobody or somebody else does; 2 if the command line is wrong.";

/// How long the process may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often `--watch` looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// More is not read.
const BYTES_MAX: usize = 64 << 20;
/// Moves to the top left and clears what is below.
const CLEAR: &str = "\x1b[H\x1b[J";

#[derive(Args)]
pub(crate) struct Tree {
    /// The address in the process's `telemetry.prometheus`.
    #[arg(short, long, value_name = "IP:PORT")]
    address: SocketAddr,
    /// Print one JSON object, with --watch one a line.
    #[arg(long)]
    json: bool,
    /// Look again every second, until Ctrl-C.
    #[arg(short, long)]
    watch: bool,
}

/// Prints the tree once, or again and again.
pub(crate) async fn show(arguments: Tree) -> Result<ExitCode, Fatal> {
    let path = if arguments.json { "/tree.json" } else { "/tree" };
    let is_screen = arguments.watch && !arguments.json && std::io::stdout().is_terminal();
    loop {
        let text = fetch(arguments.address, path).await?;
        let clear = if is_screen { CLEAR } else { "" };
        let is_read = writeln!(std::io::stdout(), "{clear}{}", text.trim_end()).is_ok();
        if !arguments.watch || !is_read {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        }
    }
}

async fn fetch(address: SocketAddr, path: &str) -> Result<String, Fatal> {
    match timeout(PATIENCE, exchange(address, path)).await {
        Ok(result) => result,
        Err(_) => Err(silent(address)),
    }
}

async fn exchange(address: SocketAddr, path: &str) -> Result<String, Fatal> {
    let stream = TcpStream::connect(address).await.map_err(|error| unreachable(address, &error))?;
    let foreign = |error: &dyn fmt::Display| foreign(address, error);
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| foreign(&error))?;
    let request = Request::get(path).header(HOST, address.to_string()).header(CONNECTION, "close");
    let request = request.body(Empty::<Bytes>::new()).expect("its parts are well-formed");
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|error| foreign(&error))?;
        read(address, answer).await
    };
    tokio::pin!(connection);
    tokio::select! {
        result = exchange => result,
        // The exchange ends first, unless the other side hangs up; then it learns of it.
        Err(error) = &mut connection => Err(foreign(&error)),
    }
}

async fn read(address: SocketAddr, answer: Response<Incoming>) -> Result<String, Fatal> {
    let server = answer.headers().get(SERVER).and_then(|name| name.to_str().ok());
    let is_ours = server.is_some_and(|name| name.starts_with("rehearsal/"));
    if !is_ours || answer.status() != StatusCode::OK {
        let status = answer.status();
        return Err(foreign(address, &format_args!("it answers {status}")));
    }
    let body = Limited::new(answer.into_body(), BYTES_MAX).collect().await;
    let body = body.map_err(|error| foreign(address, &error))?.to_bytes();
    String::from_utf8(body.into()).map_err(|error| foreign(address, &error))
}

const ASK_THE_PROCESS: &str =
    "give the address in the running process's `telemetry.prometheus`; `collect` prints it";

fn unreachable(address: SocketAddr, error: &std::io::Error) -> Fatal {
    Fatal {
        message: format!("cannot reach a process at `{address}`: {error}"),
        hint: Some(ASK_THE_PROCESS.into()),
    }
}

fn silent(address: SocketAddr) -> Fatal {
    let seconds = PATIENCE.as_secs();
    Fatal {
        message: format!("`{address}` does not answer within {seconds} s"),
        hint: Some(ASK_THE_PROCESS.into()),
    }
}

fn foreign(address: SocketAddr, error: &dyn fmt::Display) -> Fatal {
    Fatal {
        message: format!("what answers at `{address}` is no running Rehearsal: {error}"),
        hint: Some(ASK_THE_PROCESS.into()),
    }
}
