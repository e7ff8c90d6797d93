//! The task worlds that ship with Rehearsal.

/// Registers every kind of this crate.
pub fn register(kinds: framework::kinds::Kinds) -> framework::kinds::Kinds {
    kinds
}
