//! The tests of this repository that bring about stalls of a known length, in a guest.
//!
//! With the instruction clock a guest's time does not depend on the host, so what they assert
//! of times holds there as on a machine of its own.

use anyhow::{Context as _, Result};

use super::{
    bed::{Bed, Left, SUITE},
    guest::{Clock, Disk, Filesystem, Machine},
};
use crate::{
    proof::{heard::Heard, line::Line},
    test::{kernel::GATE, tally::Tally},
};

/// What is run of it: stalls that every kernel can be made to have, and calls that sleep at once.
const TESTS: [&str; 5] = [
    "causes::device::",
    "causes::peer::",
    "causes::server::",
    "causes::throttle::",
    "losses::asleep::",
];

const MACHINE: Machine<'_> = Machine {
    // With two, 6.1 does not come past its own start-up under this clock.
    cpus: 1,
    memory: "1G",
    clock: Clock::InstructionsAndSleep,
    append: "tsc=reliable",
    disks: &[Disk {
        filesystem: Filesystem::Ext4,
        bytes: 4 << 30,
        reads_a_second: None,
    }],
    programs: &[],
    tools: &["mkfs.ext4", "mkfs.xfs", "mkfs.btrfs"],
    script: "",
};

#[derive(Debug)]
pub(super) struct Suite {
    pub(super) tally: Tally,
    pub(super) failed: Vec<String>,
    /// Tests that could not be run, and why.
    pub(super) skipped: Vec<(String, String)>,
    /// What they wrote down.
    pub(super) lines: Vec<Line>,
}

impl Suite {
    /// What is wrong, a line each.
    pub(super) fn faults(&self) -> Vec<String> {
        let failed = self.failed.iter().map(|test| format!("test {test} failed"));
        let none = (self.tally.passed == 0).then(|| "no test passed".to_owned());
        failed.chain(none).collect()
    }
}

pub(super) fn run(bed: &Bed<'_>) -> Result<Suite> {
    let script = format!(
        "export {GATE}=1 PROFILER_TEST_PROGRAM=/bin/profiler PROFILER_TEST_FOLDER=/mnt/ext4\n\
         export PROFILER_PROOF=/out/proof\n>/out/proof\nset -o pipefail\n\
         {SUITE} --test-threads=1 {} 2>/out/suite.said | tee /out/suite\n\
         echo $? >/out/suite.status\n",
        TESTS.join(" ")
    );
    let left = bed.boot(&Machine {
        script: &script,
        ..MACHINE
    })?;
    bed.keep(&left, "suite")?;
    read(&left)
}

fn read(left: &Left) -> Result<Suite> {
    let (mut heard, mut tally) = (Heard::default(), Tally::default());
    let text = left.file("suite")?;
    for line in text.lines() {
        heard.line(line);
        tally.line(line);
    }
    let mut tally = tally.settled();
    if tally.failed == 0 {
        left.succeeded("suite")?;
    }
    let lines = crate::proof::line::read(&left.path("proof")).context("what the tests found")?;
    tally.skipped = heard.skipped().len() as u64;
    Ok(Suite {
        tally,
        failed: heard.failed().to_vec(),
        skipped: heard.skipped().to_vec(),
        lines,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::kernels) fn some() -> Suite {
        Suite {
            tally: Tally {
                passed: 3,
                ..Tally::default()
            },
            failed: Vec::new(),
            skipped: vec![("a::b".into(), "no disk".into())],
            lines: vec![Line::Stalls {
                cause: "device".into(),
                provoked: "ext4, a disk that takes 8 ms".into(),
                stalled: 260,
                named: 259,
                hidden: 0,
                injected_ns: 1000,
                found_ns: 1002,
            }],
        }
    }

    #[test]
    fn a_suite_of_which_nothing_passed_is_not_good() {
        let mut suite = some();
        assert!(suite.faults().is_empty());
        suite.tally.passed = 0;
        assert_eq!(suite.faults(), ["no test passed"]);
    }
}
