//! Actors that are killed in the middle of a collection, and shards that end under them.
