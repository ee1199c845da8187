//! Facts come faster than the collector takes them.

use std::process::{Command, Stdio};

use super::{
    accounted,
    actor::{Act, Actor},
    kept,
};
use crate::{
    attach::Reaped,
    harness::{Running, file, folder, needs_kernel, only},
};

/// The readers of all CPUs never stop, every call is told, and the collector, which somebody has
/// made less important than they are, never catches up. It ends when its time is over all the
/// same.
#[test]
fn a_session_that_cannot_keep_up_ends_in_time() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 1 << 16);
    let act = Act::Busy {
        path,
        cpus: super::busy::cpus(),
        ms: 600_000,
        pause_us: 0,
    };
    let actor = Actor::new(act, folder.path());
    let command = actor.command();
    let mut readers = Command::new(&command[0]);
    readers.args(&command[1..]).stdin(Stdio::null());
    let mut readers = Reaped(readers.spawn().expect("readers"));
    let pid = actor.wait_pid().to_string();
    let words = [
        "attach",
        "--every-call",
        "--duration",
        "1s",
        "--pid",
        &pid,
        "--ring-size",
        "1M",
    ];
    let niced = |command: &mut Command| {
        let nice = || match rustix::process::nice(5) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        };
        use std::os::unix::process::CommandExt as _;
        // SAFETY: between fork and exec, and does nothing but a system call.
        unsafe { command.pre_exec(nice) };
    };
    let run = Running::start_as(&words, &[], niced).wait();
    assert!(run.output.status.success(), "{:?}", run.output);
    let lives = readers.0.try_wait().expect("they are ours").is_none();
    assert!(lives, "the session ended with its target");
    accounted(&run.report);
    let quality = &run.report.quality;
    assert!(quality.lost > 0, "it kept up: {quality:?}");
    kept(
        "the end of a session that cannot keep up",
        "readers on all CPUs that never stop, --every-call, a collector of less weight, 1 MiB of ring",
        "ends after its duration, every lost fact counted",
        &format!(
            "ends; {} facts, {} lost, {} calls",
            quality.facts,
            quality.lost,
            only(&run.report).calls
        ),
    );
}
