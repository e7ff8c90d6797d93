//! The task worlds that ship with Rehearsal.
#![expect(missing_docs)]
pub mod simple_weather;
/// Registers every kind of this crate.
pub fn register(kinds: framework::kinds::Kinds) -> framework::kinds::Kinds {
    kinds.environment::<simple_weather::SimpleWeather>()
}
