//! What goes wrong in a test, where, on which rows and how often.
//!
//! Kinds are built from their settings alone, so a component finds its scene by name.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use tokio::sync::Semaphore;

use super::wait_until;

/// Where something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Agent,
    Model,
    Open,
    Tool,
    Verifier,
    /// Where the model is built; its rows are the builds, from 1.
    Build,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// It says that it failed, and that another attempt may fare better.
    Temporary,
    /// It says that it failed, and would again.
    Permanent,
    /// It answers what is no answer.
    Garbage,
    /// It panics.
    Panic,
    /// It never answers.
    Hang,
    /// It answers when everybody else is done.
    Slow,
    /// It keeps its thread until everybody else is done.
    Block,
    /// The thread that it runs on ends.
    Gone,
}

/// One kind of mishap.
#[derive(Clone, Debug)]
pub(crate) struct Mishap {
    pub(crate) place: Place,
    pub(crate) fault: Fault,
    /// The rows that it befalls.
    pub(crate) rows: BTreeSet<u32>,
    /// How many visits to the place it spoils, from the first.
    pub(crate) visits: u32,
}

/// The mishaps of one test, and a count of what has been visited.
pub(crate) struct Scene {
    mishaps: Vec<Mishap>,
    visits: Mutex<HashMap<(Place, u32), u32>>,
    builds: AtomicU32,
    release: Semaphore,
}

static SCENES: LazyLock<Mutex<HashMap<String, Arc<Scene>>>> = LazyLock::new(Mutex::default);

impl Scene {
    /// Sets a scene up under a name that no other test uses.
    pub(crate) fn set(name: &str, mishaps: Vec<Mishap>) -> Arc<Self> {
        let (visits, builds, release) = (Mutex::default(), AtomicU32::new(0), Semaphore::new(0));
        let scene = Arc::new(Self { mishaps, visits, builds, release });
        let before = SCENES.lock().unwrap().insert(name.to_owned(), scene.clone());
        assert!(before.is_none(), "two tests have a scene `{name}`");
        scene
    }

    pub(crate) fn named(name: &str) -> Arc<Self> {
        let scenes = SCENES.lock().unwrap();
        scenes.get(name).unwrap_or_else(|| panic!("there is no scene `{name}`")).clone()
    }

    /// How often a place was visited for a row.
    pub(crate) fn visits(&self, place: Place, row: u32) -> u32 {
        self.visits.lock().unwrap().get(&(place, row)).copied().unwrap_or(0)
    }

    /// Lets everything slow go on.
    pub(crate) fn release(&self) {
        self.release.close();
    }

    /// Suffers what is due at this place. What a component has to say itself is returned.
    pub(crate) async fn visit(&self, place: Place, row: u32) -> Option<Fault> {
        match self.due(place, row)? {
            Fault::Panic => panic!("injected at {place:?} for row {row}"),
            Fault::Hang => std::future::pending().await,
            Fault::Gone => {
                actix::Arbiter::current().stop();
                std::future::pending().await
            }
            Fault::Block => {
                wait_until("the scene is released", || self.release.is_closed());
                None
            }
            Fault::Slow => {
                // Closing the semaphore is what ends the wait.
                let _ = self.release.acquire().await;
                None
            }
            fault @ (Fault::Temporary | Fault::Permanent | Fault::Garbage) => Some(fault),
        }
    }

    /// Suffers what is due when the model is built, on the thread that builds it. What it has to say
    /// itself is returned.
    pub(crate) fn build(&self) -> Result<(), &'static str> {
        let build = self.builds.fetch_add(1, Ordering::Relaxed) + 1;
        match self.due(Place::Build, build) {
            None => Ok(()),
            Some(Fault::Panic) => panic!("injected at build {build}"),
            Some(Fault::Hang | Fault::Slow | Fault::Block) => {
                wait_until("the scene is released", || self.release.is_closed());
                Ok(())
            }
            Some(Fault::Temporary | Fault::Permanent | Fault::Garbage | Fault::Gone) => {
                Err("injected")
            }
        }
    }

    /// How often the model was built, or should have been.
    pub(crate) fn builds(&self) -> u32 {
        self.builds.load(Ordering::Relaxed)
    }

    fn due(&self, place: Place, row: u32) -> Option<Fault> {
        let visit = {
            let mut visits = self.visits.lock().unwrap();
            let visits = visits.entry((place, row)).or_default();
            *visits += 1;
            *visits
        };
        let befalls = |mishap: &&Mishap| {
            mishap.place == place && mishap.rows.contains(&row) && visit <= mishap.visits
        };
        self.mishaps.iter().find(befalls).map(|mishap| mishap.fault)
    }
}
