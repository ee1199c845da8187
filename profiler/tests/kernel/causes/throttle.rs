//! `throttle`: a cgroup may read only so often.

use profiler::blame::Cause;
use std::time::Duration;

use profiler::lab::rig::Cgroup;
use profiler::report::v1::SlowCall;

use super::{ENOUGH, Stall, TRIED, agree, drop_pages, matched, prove, watch};
use crate::{
    harness::{calls_on, file, folder, needs_kernel, only, skip},
    player::{Op, Script},
};

/// Calls that a limit has held back are at least this long; the disk answers in a
/// hundredth of it.
pub(super) const HELD: Duration = Duration::from_millis(30);

#[test]
fn a_limit_is_blamed_for_its_time() {
    needs_kernel!();
    limited(70);
}

#[test]
#[ignore = "long: ten reads a second, two hundred of each kind"]
fn a_limit_is_blamed_for_its_time_in_many_calls() {
    needs_kernel!();
    limited(TRIED);
}

fn limited(count: u64) {
    let folder = folder();
    let path = file(&folder, "data", 4 << 20);
    // Up to ten a second each read waits its tenth; more often they come in bursts.
    let cgroup = match Cgroup::reads_per_second(&path, 10) {
        Ok(cgroup) => cgroup,
        Err(why) => skip!("{why}"),
    };
    let ways = [
        (true, "cgroup limit of 10 reads a second, O_DIRECT"),
        (
            false,
            "cgroup limit of 10 reads a second, through the page cache",
        ),
    ];
    for (direct, provoked) in ways {
        let script = Script {
            record: folder.path().join("ops"),
            path: Some(path.clone()),
            block: 4096,
            stride: 16384,
            count,
            direct,
            random: true,
            urgent: true,
            cgroups: vec![cgroup.path().to_owned()],
            ..Script::default()
        };
        drop_pages(&path);
        let report = watch(&script);
        let calls = calls_on(only(&report), &path);
        // An op is its time with the limit.
        let held = |(_, op): &&(&SlowCall, Op)| u128::from(op.ns()) > HELD.as_nanos();
        let matched = matched(&calls, &script.ops());
        let stalls: Vec<_> = matched
            .iter()
            .filter(held)
            .map(|(call, op)| Stall::of(call, Cause::Throttle, op.ns()))
            .collect();
        if count > ENOUGH {
            prove(Cause::Throttle, provoked, &stalls);
        } else {
            assert!(stalls.len() >= 50, "{provoked}: {} stalls", stalls.len());
            agree(Cause::Throttle, provoked, &stalls);
        }
        let parts = calls.iter().flat_map(|call| &call.parts);
        for part in parts.filter(|part| part.cause == Cause::Throttle) {
            assert!(!part.detail.contains("unknown"), "whose was it? {part:#?}");
        }
    }
}
