//! What cannot be brought about here in a known amount, and why.

use std::path::Path;

use profiler::lab::proof::{self, Line};

use crate::harness::needs_kernel;

#[test]
fn what_has_no_proof_is_said() {
    needs_kernel!();
    let absent =
        |what, why| proof::record(&Line::Absent { what, why }).expect("to be written down");
    absent(
        "cause `completion`",
        "nothing at hand makes the kernel take a set time between a request's end and the \
         wake-up; where it shows (btrfs checks its sums there) it is tens of µs a call",
    );
    absent(
        "cause `unexplained`",
        "it is what is left when there is no evidence; that a sleep whose wake-up or return \
         the kernel hides ends there is tested on timelines",
    );
    absent(
        "`server` by a network file system",
        "FUSE stands for all of them: the rule is the same, by the file system's number",
    );
    if Path::new("/sys/fs/cgroup/blkio").is_dir() {
        absent(
            "`throttle` by io.max",
            "the block controller belongs to version 1 of cgroups on this machine; the kernel \
             holds the bios of both in the same code (blk-throttle)",
        );
    }
    absent(
        "`throttle` by io.latency and io.cost",
        "the one is not built into this kernel, the other needs version 2 of cgroups",
    );
}
