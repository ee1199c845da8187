//! The laboratory's experiments, each with the program that is tested.

use profiler::lab::{claims, experiment::Verdict};

use crate::harness::{needs_kernel, on_disk, program, skip};

#[test]
fn every_claim_holds() {
    needs_kernel!();
    let mut void = Vec::new();
    for experiment in claims::ALL {
        match experiment.run(&program(), &on_disk()) {
            Verdict::Holds(measured) => {
                println!("{}: {} ns injected", experiment.id, measured.injected_ns);
            }
            Verdict::Fails(why) => panic!("{}: {why}", experiment.claim),
            Verdict::Void(why) => void.push(format!("{}: {why}", experiment.id)),
        }
    }
    if !void.is_empty() {
        skip!("{}", void.join("; "));
    }
}
