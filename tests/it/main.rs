//! One integration binary, one module per topic.

mod recordings;
mod sandbox;
