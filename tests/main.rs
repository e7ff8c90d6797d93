//! Behaviour through the public door: one binary, one module a subject.
