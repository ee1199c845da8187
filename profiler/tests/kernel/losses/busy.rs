//! All CPUs read as fast as they can, and every call is told.

use super::{
    accounted,
    actor::{Act, Actor},
    kept, reads, told_and_lost,
};
use crate::harness::{file, folder, needs_kernel, session, sound};

fn story(seconds: u64) {
    let cpus: Vec<usize> = cpus();
    let folder = folder();
    let path = file(&folder, "data", 1 << 16);
    let watch = |ms| {
        let act = Act::Busy {
            path: path.clone(),
            cpus: cpus.clone(),
            ms,
            pause_us: 0,
        };
        let actor = Actor::new(act, folder.path());
        let run = session(&["run", "--every-call"], &actor.command());
        assert!(run.output.status.success(), "{:?}", run.output);
        (run.report, actor.record::<u64>())
    };
    // What the program's start reads.
    let (report, none) = watch(0);
    assert_eq!(none, 0);
    let others = reads(&report);
    let (report, counted) = watch(seconds * 1000);
    let quality = &report.quality;
    println!("{counted} reads, {quality:#?}");
    sound(&report);
    accounted(&report);
    assert_eq!(reads(&report), counted + others, "{quality:#?}");
    let (told, syscr) = told_and_lost(&report);
    assert_eq!(told, syscr);
    kept(
        "every call of readers on all CPUs",
        &format!(
            "{} pinned threads read warm for {seconds} s, --every-call",
            cpus.len()
        ),
        &format!("{} calls, 0 facts lost", counted + others),
        &format!("{} calls, {} facts lost", reads(&report), quality.lost),
    );
}

/// Those that this thread may run on.
pub(super) fn cpus() -> Vec<usize> {
    let set = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)).expect("its CPUs");
    let all = 0..nix::sched::CpuSet::count();
    all.filter(|&cpu| set.is_set(cpu).unwrap_or(false))
        .collect()
}

#[test]
fn five_seconds_of_reading_on_all_cpus_are_all_told() {
    needs_kernel!();
    story(5);
}

#[test]
#[ignore = "long: reads for a minute on all CPUs"]
fn a_minute_of_reading_on_all_cpus_is_all_told() {
    needs_kernel!();
    story(60);
}
