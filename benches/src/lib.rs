//! What the benches share. Numbers are made by hand on a quiet machine; the tests only see that every bench still runs.
//!
//! - `cargo bench -p lime-benches`: micro-benches of the parts, and last the ratios between ours and the bare library.
//! - `cargo run --release -p lime-benches --bin load`: real gateway processes under load, compared in one run.
//!
//! Figures of two runs say little about each other, figures of one interleaved run do: what is compared takes turns in
//! short batches, and the medians are compared. [`interleaved`] does that for functions, [`load`] for processes.
//!
//! Reading order: [`inputs`] (what is fed), [`stage`] (a chain to feed it to), [`interleaved`]; then [`load`].

#![expect(clippy::unwrap_used, reason = "a bench that cannot set up should stop there")]

pub mod inputs;
pub mod interleaved;
pub mod load;
pub mod stage;
