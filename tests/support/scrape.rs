//! Metrics as Prometheus reads them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// One scrape.
pub(crate) struct Scrape(String);

impl Scrape {
    pub(crate) fn of(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        Self(text)
    }

    /// All of it.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The sum over all series of that name that have all these labels, each as `name="value"`.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let series = self.0.lines().filter_map(|line| line.rsplit_once(' '));
        let wanted = series.filter(|(series, _)| {
            let is_named = series.split('{').next() == Some(name);
            is_named && labels.iter().all(|label| series.contains(label))
        });
        wanted.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
    }
}
