//! The tests of the benchmark (benches/cost): a bench target without a harness runs none itself.

#[allow(
    dead_code,
    reason = "the tests start neither the part for root nor the program"
)]
#[path = "../benches/cost/main.rs"]
mod cost;
