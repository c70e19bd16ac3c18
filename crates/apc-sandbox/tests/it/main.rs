//! The sandbox over a real socket: its own behaviour, and what the real API was recorded to answer.

// Clippy takes helpers outside #[test] functions for product code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod behaviour;
mod comparison;
mod installations;
mod recordings;
mod replay;
mod support;
