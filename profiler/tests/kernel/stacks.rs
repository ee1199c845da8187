//! Which stack a sleep is told with: its own, or that of an earlier one like it.

use std::{collections::HashSet, os::unix::process::CommandExt as _, process::Command};

use profiler::{blame::Cause, report::v1::Finding};
use profiler_common::fact::{WAIT_STACK_EARLIER, Wait};

use crate::{
    harness::{Running, file, folder, needs_kernel, only, session, sound},
    outcomes::recorded,
    player::Script,
};

const COUNT: u64 = 600;

/// The waits of a reader that goes past the page cache, one request a call.
fn waits() -> Vec<Wait> {
    let folder = folder();
    let path = file(&folder, "data", COUNT as usize * 4096);
    let recording = folder.path().join("recording");
    let record = recording.display().to_string();
    let script = Script {
        count: COUNT,
        ..Script::direct(folder.path(), path)
    };
    let run = session(&["run", "--record", &record], &script.command());
    assert!(run.output.status.success(), "{:?}", run.output);
    sound(&run.report);
    assert!(only(&run.report).calls >= COUNT);
    let calls = recorded::calls(&recording);
    calls.into_iter().flat_map(|it| it.call.waits).collect()
}

#[test]
fn a_row_of_sleeps_for_own_requests_shares_a_stack() {
    needs_kernel!();
    let waits = waits();
    let is_earlier = |wait: &&Wait| wait.flags & WAIT_STACK_EARLIER != 0;
    let own: HashSet<i32> = waits
        .iter()
        .filter(|wait| !is_earlier(wait))
        .map(|wait| wait.stack)
        .collect();
    for wait in waits.iter().filter(is_earlier) {
        assert!(own.contains(&wait.stack), "nobody had it: {wait:?}");
        assert!(
            wait.request.completed_ns != 0,
            "only where a request explains the sleep: {wait:?}"
        );
    }
    // Where the kernel hides wake-ups, sleeps are not as foreseen, and have their own.
    let hidden = waits.iter().filter(|wait| wait.woken_ns == 0).count();
    let earlier = waits.iter().filter(is_earlier).count();
    println!(
        "{} waits, {earlier} with an earlier stack, {hidden} hidden",
        waits.len()
    );
    assert!(
        hidden > 0 || earlier * 2 > waits.len(),
        "{earlier} of {}",
        waits.len()
    );
}

/// Nobody can name the kernel's functions: whoever reads the report is told, and what rests on
/// no stack is as it was.
#[test]
fn stacks_without_names_are_told() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", COUNT as usize * 4096);
    let script = Script {
        count: COUNT,
        ..Script::direct(folder.path(), path)
    };
    let cover = |command: &mut Command| {
        let cover = || {
            let (none, apart) = (std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
            let (empty, at) = (c"/dev/null".as_ptr(), c"/proc/kallsyms".as_ptr());
            // SAFETY: names that live as long as the program; all else is plain numbers.
            let done = unsafe {
                libc::unshare(libc::CLONE_NEWNS) == 0
                    && libc::mount(none, c"/".as_ptr(), none, apart, none.cast()) == 0
                    && libc::mount(empty, at, none, libc::MS_BIND, none.cast()) == 0
            };
            match std::io::Error::last_os_error() {
                error if !done => Err(error),
                _ => Ok(()),
            }
        };
        // SAFETY: between fork and exec, and does nothing but system calls.
        unsafe { command.pre_exec(cover) };
    };
    let run = Running::start_as(&["run"], &script.command(), cover).wait();
    assert!(run.output.status.success(), "{:?}", run.output);
    let why = run.report.quality.unnamed_stacks.as_deref();
    assert!(
        why.is_some_and(|why| why.contains("/proc/kallsyms")),
        "{why:?}"
    );
    let told = |finding: &&Finding| finding.id == "unnamed-stacks";
    assert!(run.report.findings.iter().any(|finding| told(&finding)));
    let scenario = only(&run.report);
    assert!(scenario.calls >= COUNT);
    assert!(
        scenario.blame_ns.get(Cause::Device) > Some(0),
        "{:?}",
        scenario.blame_ns
    );
}
