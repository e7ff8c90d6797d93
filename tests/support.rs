//! What the tests share: the command in a folder of its own, a world whose rewards show every
//! mix-up, and waiting on conditions.

pub(crate) mod command;
pub(crate) mod ledger;
pub(crate) mod records;
pub(crate) mod scene;
pub(crate) mod scrape;
pub(crate) mod site;

use std::time::{Duration, Instant};

/// How long a condition may take to come true on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(2);

/// Waits until a condition holds, on a thread that may block.
///
/// # Panics
/// Panics if it never does.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::park_timeout(GLANCE);
    }
}

/// Waits until a condition holds, beside other futures.
///
/// # Panics
/// Panics if it never does.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(GLANCE).await;
    }
}
