//! `server`: a file system in user space takes a set time for each read.

use profiler::blame::Cause;
use std::time::Duration;

use super::{
    device::{DELAY, far_apart, stalls},
    prove, watch,
};

use profiler::lab::rig::{SlowFiles, private_mounts};

use crate::harness::{calls_on, file, folder, needs_kernel, only, skip};

#[test]
fn a_slow_server_is_blamed_for_its_time() {
    needs_kernel!();
    if let Err(why) = private_mounts() {
        skip!("{why}");
    }
    let folder = folder();
    let backing = file(&folder, "backing", 40 << 20);
    let mounted = folder.path().join("mounted");
    std::fs::create_dir(&mounted).expect("a folder");
    let files = match SlowFiles::serve(&backing, &mounted) {
        Ok(files) => files,
        Err(why) => skip!("{why}"),
    };
    let ways = [
        (files.cached(), "FUSE, its server takes 8 ms"),
        (
            files.direct(),
            "FUSE past the page cache, its server takes 8 ms",
        ),
    ];
    for (path, provoked) in ways {
        let script = far_apart(&folder.path().join("ops"), &path);
        files.reads();
        files.delay(DELAY, Duration::ZERO);
        let report = watch(&script);
        let reads = files.reads();
        files.delay(Duration::ZERO, Duration::ZERO);
        let scenario = only(&report);
        let calls = calls_on(scenario, &path);
        prove(
            Cause::Server,
            provoked,
            &stalls(Cause::Server, &calls, &script.ops(), &reads),
        );
    }
}
