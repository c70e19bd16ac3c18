//! One integration binary, one module per topic.

// Clippy takes helpers outside #[test] functions for product code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod recordings;
mod sandbox;
