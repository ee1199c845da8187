//! `reclaim`: a cgroup that may keep no more pages gives back others for each new one.
//!
//! How long that takes is the kernel's affair, so nothing is injected: its own account of
//! it (pressure stall information, of a cgroup that has the reader alone) is the witness.

use profiler::blame::Cause;
use std::fs::File;

use super::{ENOUGH, blamed, checked, main_cause};

use profiler::lab::proof::{self, Line};
use profiler::lab::rig::Cgroup;

use crate::{
    harness::{calls_on, folder, needs_kernel, only, session, skip},
    player::Script,
};

const BLOCK: u64 = 64 << 10;
const READS: u64 = 8000;

#[test]
fn freeing_memory_is_blamed_for_its_time() {
    needs_kernel!();
    let folder = folder();
    // A hole: its pages are made without a disk, so nothing but memory is waited for.
    let path = folder.path().join("hole");
    let hole = File::create(&path).expect("a file");
    hole.set_len(READS * BLOCK).expect("a size");
    let limit = match Cgroup::memory(32 << 20) {
        Ok(cgroup) => cgroup,
        Err(why) => skip!("{why}"),
    };
    let watched = match Cgroup::watched() {
        Ok(cgroup) => cgroup,
        Err(why) => skip!("{why}"),
    };
    if let Err(why) = watched.memory_pressure_ns() {
        skip!("{why}");
    }
    let script = Script {
        record: folder.path().join("ops"),
        path: Some(path.clone()),
        block: BLOCK as u32,
        stride: BLOCK,
        count: READS,
        // Else each window of the readahead frees for many reads at once.
        random: true,
        // That account is a mean over the CPUs: whole only of one that stays on its own.
        cpu: Some(0),
        cgroups: [&limit, &watched]
            .map(|cgroup| cgroup.path().to_owned())
            .to_vec(),
        ..Script::default()
    };
    let pressure = || watched.memory_pressure_ns().expect("it was there before");
    // The cgroup is new, and the reader is the first to join it.
    let before = pressure();
    let run = session(&["run", "--slowest", "1000"], &script.command());
    let injected_ns = pressure() - before;
    assert!(run.output.status.success(), "{:?}", run.output);
    let report = checked(run.report);
    let scenario = only(&report);
    let found_ns = scenario
        .blame_ns
        .get(Cause::Reclaim)
        .expect("its hooks are there");
    let calls = calls_on(scenario, &path);
    let stalled: Vec<_> = calls
        .iter()
        .filter(|call| blamed(call, Cause::Reclaim) > 0)
        .collect();
    let named = stalled
        .iter()
        .filter(|call| main_cause(&call.blame_ns) == Some(Cause::Reclaim))
        .count();
    proof::record(&Line::Stalls {
        cause: Cause::Reclaim.name(),
        provoked: "holes read in a cgroup at its limit of memory; the kernel's pressure account",
        stalled: stalled.len() as u64,
        named: named as u64,
        hidden: 0,
        injected_ns,
        found_ns,
    })
    .expect("to be written down");
    assert!(stalled.len() as u64 >= ENOUGH, "{}", stalled.len());
    assert!(named * 100 >= stalled.len() * 99, "{named}");
    assert!(
        injected_ns.abs_diff(found_ns) * 20 <= injected_ns,
        "injected {injected_ns}, found {found_ns}"
    );
}
