//! Runs an actor's code so that its panic is a value, and remembers what the panic said.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// How many guards are open on this thread: the hook keeps quiet inside of one.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Where the last panic inside of a guard happened.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A caught panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panic {
    pub(crate) text: String,
    /// `file:line:column`, when the hook saw it.
    pub(crate) location: Option<String>,
}

/// Runs `work` and catches its panic.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    DEPTH.set(DEPTH.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(DEPTH.get() - 1);
    outcome.map_err(|payload| Panic { text: text_of(payload), location: LOCATION.take() })
}

/// Drops a value whose destructor is an actor's code; a panic in there is returned.
pub(crate) fn drop_guarded<T>(value: T) -> Option<Panic> {
    guarded(|| drop(value)).err()
}

/// Reads the payload of a panic, and drops it under a guard: its destructor is foreign code too.
fn text_of(payload: Box<dyn Any + Send>) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned());
    if catch_unwind(AssertUnwindSafe(|| drop(payload))).is_err() {
        return format!("{text} (and its payload panicked when it was dropped)");
    }
    text
}

/// Installs the panic hook, once. Inside of a guard it records the location for the report, and is
/// silent if a tracing subscriber will print that report; everything else goes to the hook before.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let supervised = DEPTH.try_with(Cell::get).is_ok_and(|depth| depth > 0);
            if supervised {
                let location = info.location().map(ToString::to_string);
                let _ = LOCATION.try_with(|slot| slot.replace(location));
            }
            if !supervised || !tracing::dispatcher::has_been_set() {
                previous(info);
            }
        }));
    });
}
