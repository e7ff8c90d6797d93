//! A local server for tests, which plays Google and the web as the test wants them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What is sent for a request, part by part; then the connection is closed.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// These bytes, at once.
    Bytes(Vec<u8>),
    /// A byte now and then, without end.
    Drip,
    /// Nothing more, and the connection stays open.
    Hang,
    /// The rest once there is a permit: what the test decides.
    Wait(Arc<tokio::sync::Semaphore>),
}

/// A whole answer with a body and its length.
pub(super) fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<Part> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    vec![Part::Bytes([head.as_bytes(), body].concat())]
}

/// A page of HTML.
pub(super) fn html(body: impl AsRef<[u8]>) -> Vec<Part> {
    answer(200, "content-type: text/html\r\n", body)
}

/// A redirect.
pub(super) fn redirect(to: &str) -> Vec<Part> {
    answer(302, &format!("location: {to}\r\n"), "")
}

/// A server on a free port of 127.0.0.1.
pub(super) struct Site {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// Answers by the path of each request, query included.
    pub(super) async fn start(answers: impl Fn(&str) -> Vec<Part> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answers, heads) = (Arc::new(answers), seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, heads) = (answers.clone(), heads.clone());
                tokio::spawn(async move { serve(stream, &*answers, &heads).await });
            }
        });
        Self { address, seen }
    }

    /// The URL of a path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads of all requests so far.
    pub(super) fn heads(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// The paths of all requests so far.
    pub(super) fn paths(&self) -> Vec<String> {
        let path = |head: &String| head.split(' ').nth(1).unwrap_or_default().to_owned();
        self.heads().iter().map(path).collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    answers: &(dyn Fn(&str) -> Vec<Part> + Send + Sync),
    seen: &Mutex<Vec<String>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    seen.lock().unwrap().push(head);
    for part in answers(&path) {
        let sent = match part {
            Part::Bytes(bytes) => stream.write_all(&bytes).await,
            Part::Drip => loop {
                if let Err(error) = stream.write_all(b"a").await {
                    break Err(error);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            },
            Part::Hang => std::future::pending().await,
            Part::Wait(permits) => {
                permits.acquire().await.unwrap().forget();
                Ok(())
            }
        };
        if sent.is_err() {
            return;
        }
    }
    // Closing with unread bytes would reset the connection before the answer is read.
    let _ = stream.shutdown().await;
    let _ = stream.read(&mut [0; 64]).await;
}
