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
mod faults;
mod house;
mod installations;
mod of_2020;
mod recordings;
mod replay;
mod requests;
mod schema;
mod support;
mod switches;
mod today;
mod today_lists;
