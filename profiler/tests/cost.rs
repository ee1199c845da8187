//! The tests of the benchmark (benches/cost): a bench target without a harness runs none itself.

#[path = "../benches/cost/main.rs"]
mod cost;
