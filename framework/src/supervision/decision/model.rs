//! The decision against an independent model. (phase 2)
