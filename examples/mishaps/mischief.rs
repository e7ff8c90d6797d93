//! What goes wrong where, drawn from a seed, and a tally of it.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const PLACES: [&str; 6] = ["agent", "model", "open", "tool", "verify", "recorder"];
const FAULTS: [&str; 4] = ["panic", "hang", "stall", "garble"];
const RECORDER: usize = 5;
/// How long a stall blocks its whole shard.
const STALL: Duration = Duration::from_millis(5);

/// What goes wrong: one visit in so many of each place.
pub(crate) struct Mischief {
    seed: u64,
    one_in: u64,
    /// Of writes, since a crash of the recorder starts the collector over as well.
    recorder_one_in: u64,
    visits: AtomicU64,
    tally: [[AtomicU64; 4]; 6],
    /// Pieces of work of this world that are alive.
    pub(crate) alive: AtomicI64,
}

static MISCHIEF: OnceLock<Mischief> = OnceLock::new();

impl Mischief {
    pub(crate) fn start(seed: u64, one_in: u64, recorder_one_in: u64) -> &'static Self {
        let tally = Default::default();
        let (visits, alive) = (AtomicU64::new(0), AtomicI64::new(0));
        MISCHIEF.get_or_init(|| Self { seed, one_in, recorder_one_in, visits, tally, alive })
    }

    pub(crate) fn get() -> &'static Self {
        MISCHIEF.get().expect("started first")
    }

    /// A number for each draw (SplitMix64).
    pub(crate) fn draw(&self) -> u64 {
        let draw = self.visits.fetch_add(1, Relaxed).wrapping_add(self.seed);
        let mut z = draw.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Whether the recorder crashes at this write.
    pub(crate) fn crashes_recorder(&self) -> bool {
        self.fault(RECORDER).is_some()
    }

    /// What went wrong in all.
    pub(crate) fn faults(&self) -> u64 {
        self.tally.iter().flatten().map(|count| count.load(Relaxed)).sum()
    }

    /// Which fault befalls this visit, if any.
    fn fault(&self, place: usize) -> Option<usize> {
        let one_in = if place == RECORDER { self.recorder_one_in } else { self.one_in };
        let draw = self.draw();
        let fault = if place == RECORDER { 0 } else { (draw >> 32) as usize % FAULTS.len() };
        let befalls = one_in > 0 && draw.is_multiple_of(one_in);
        befalls.then(|| self.tally[place][fault].fetch_add(1, Relaxed)).map(|_| fault)
    }
}

/// A table of what went wrong where.
impl fmt::Display for Mischief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10}{}", "injected", FAULTS.map(|fault| format!("{fault:>8}")).concat())?;
        for (place, tally) in PLACES.iter().zip(&self.tally) {
            let counts = tally.each_ref().map(|count| format!("{:>8}", count.load(Relaxed)));
            writeln!(f, "{place:<10}{}", counts.concat())?;
        }
        Ok(())
    }
}

/// Counts a piece of work for as long as it lives, however it ends.
struct Alive(&'static Mischief);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Relaxed);
    }
}

/// Suffers what is due. An error is what the place has to say itself.
pub(crate) async fn visit(place: &'static str) -> Result<(), &'static str> {
    let mischief = Mischief::get();
    mischief.alive.fetch_add(1, Relaxed);
    let _alive = Alive(mischief);
    let place = PLACES.iter().position(|name| *name == place).expect("a place of the list");
    match mischief.fault(place).map(|fault| FAULTS[fault]) {
        None => Ok(()),
        Some("panic") => panic!("injected"),
        Some("hang") => std::future::pending().await,
        Some("stall") => {
            std::thread::park_timeout(STALL);
            Ok(())
        }
        Some(_) => Err("garbled"),
    }
}
