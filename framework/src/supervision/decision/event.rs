//! The language of the decision: what happens to a supervisor, and what it does about it.

use tokio::time::Instant;

use crate::supervision::exit::Exit;
use crate::supervision::placement::Relocation;

use super::child::Rules;

/// A child's place in the start order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(pub(crate) u64);

/// Counts the starts of one child.
pub(crate) type Generation = u64;

/// Who waits for the outcome of an administrative request.
pub(crate) type Asker = u64;

/// The inputs that a pure function cannot have of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    /// Uniform in `-1.0..=1.0`, for jitter.
    pub(crate) noise: f64,
}

/// How children are stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopOrder {
    /// Before the next message.
    Stop,
    /// After what is queued, at this time at the latest.
    Drain { until: Instant },
}

/// What becomes of the mailboxes of stopped children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Afterlife {
    /// They close: nobody will serve them.
    #[default]
    Close,
    /// They are kept for the parent, which may start the subtree again.
    Park,
}

/// Whose timer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Child(Key),
    /// The back-off before a group is started again.
    Group,
}

/// What happens to a supervisor.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Boot { children: Vec<(Key, Rules)> },
    Up { key: Key, generation: Generation },
    Declined { key: Key, generation: Generation },
    Ended { key: Key, generation: Generation, exit: Exit },
    Hung { key: Key, generation: Generation },
    Timer { owner: Owner, ticket: u64 },
    Add { key: Key, rules: Rules, asker: Asker },
    Terminate { key: Key, asker: Asker },
    Resume { key: Key, asker: Asker },
    Delete { key: Key, asker: Asker },
    Halt { exit: Exit, order: StopOrder, afterlife: Afterlife },
}

/// What a supervisor does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Starts an incarnation.
    Start { key: Key, generation: Generation, relocation: Relocation },
    /// Asks it to stop.
    Stop { key: Key, generation: Generation, order: StopOrder, afterlife: Afterlife },
    /// Has it dropped at its next poll.
    Kill { key: Key, generation: Generation },
    /// Gives it up, with the thread that it blocks.
    Abandon { key: Key, generation: Generation },
    /// Closes a child's mailboxes for good.
    Retire { key: Key },
    /// Drops a child's spec.
    Forget { key: Key },
    /// Sends `Event::Timer` at this time.
    Timer { owner: Owner, ticket: u64, at: Instant },
    /// Answers an administrative request.
    Answer { asker: Asker, outcome: Result<(), Refusal> },
    /// Counts the end of a child that nobody had asked to end.
    Ended { key: Key, exit: Exit },
    /// Counts a restart.
    Restarting { key: Key, exit: Exit },
    /// Counts an escalation.
    Escalated,
    /// All children are up.
    Booted,
    /// Everything is over.
    Finish { exit: Exit, forced: usize, abandoned: usize, culprit: Option<Key> },
}

/// Why an administrative request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The child runs.
    Running,
    /// The child is about to be restarted.
    Restarting,
    /// The child was stopped before it was up.
    Stopped,
    /// The child did not start.
    StartFailed(Exit),
    /// The supervisor ends.
    Halting,
}
