//! Sets of words that the report alone has, or has together from several others.

use profiler_common::calls::{self, CALLS, Family};
use profiler_common::fact::CALL_FAULT;

use crate::blame::Cause;
use crate::named::{Named, named};
use crate::workload;

named! {
    /// Who submitted a request that was waited for.
    pub enum OwnerKind {
        /// The call that waited.
        Call "call",
        /// The thread that waited, in an earlier call.
        Thread "thread",
        /// Another thread of its process.
        Process "process",
        /// Another process.
        Foreign "foreign",
        /// It was not seen.
        Unknown "unknown",
    }
}

named! {
    /// What an independent counter counts.
    pub enum WitnessName {
        /// Ops of the workload, and read calls.
        Ops "ops",
        /// Bytes of both.
        OpBytes "op-bytes",
        /// Time of both.
        Latency "latency",
        /// The median of both.
        LatencyP50 "latency-p50",
        /// The 99th percentile of both.
        LatencyP99 "latency-p99",
        /// Read calls, by `/proc/PID/io`.
        Syscr "syscr",
        /// Bytes that they returned, by `/proc/PID/io`.
        Rchar "rchar",
        /// Bytes asked of block devices, by `/proc/PID/io`.
        ReadBytes "read_bytes",
        /// Major faults, by `/proc/PID/stat`.
        Majflt "majflt",
        /// Time runnable and not running, by `/proc/PID/schedstat`.
        RunDelay "run_delay",
        /// Switches to wait, by getrusage.
        Nvcsw "nvcsw",
        /// Switches of what could have gone on, by getrusage.
        Nivcsw "nivcsw",
        /// Requests of watched processes, by the kernel side's own counter.
        Requests "requests",
        /// Reads that the disk completed.
        DiskReads "disk-reads",
        /// Sectors that the disk read.
        Sectors "sectors",
        /// Pages of the file in the page cache.
        Residency "residency",
    }
}

/// How a workload reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// The bundled reader, in one of its styles.
    Reader(workload::Style),
    /// A command that was started.
    Command,
    /// A process that was running already.
    Attached,
}

impl Style {
    const STYLES: usize = workload::Style::ALL.len();

    const EVERY: [Self; Self::STYLES + 2] = {
        let mut all = [Self::Attached; Self::STYLES + 2];
        let mut at = 0;
        while at < Self::STYLES {
            all[at] = Self::Reader(workload::Style::ALL[at]);
            at += 1;
        }
        all[Self::STYLES] = Self::Command;
        all
    };
}

impl Named for Style {
    const ALL: &'static [Self] = &Self::EVERY;

    fn name(self) -> &'static str {
        match self {
            Self::Reader(style) => style.name(),
            Self::Command => "command",
            Self::Attached => "attached",
        }
    }
}

/// What is null in a report where a hook is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// The time of a cause.
    Cause(Cause),
    /// Requests ([`Scenario::io`](super::Scenario::io)).
    Io,
    /// Readahead windows.
    Readahead,
    /// Faults on file mappings.
    Fault,
}

impl Hidden {
    const CAUSES: usize = Cause::ALL.len();

    const EVERY: [Self; Self::CAUSES + 3] = {
        let mut all = [Self::Fault; Self::CAUSES + 3];
        let mut at = 0;
        while at < Self::CAUSES {
            all[at] = Self::Cause(Cause::ALL[at]);
            at += 1;
        }
        all[Self::CAUSES] = Self::Io;
        all[Self::CAUSES + 1] = Self::Readahead;
        all
    };
}

impl Named for Hidden {
    const ALL: &'static [Self] = &Self::EVERY;

    fn name(self) -> &'static str {
        match self {
            Self::Cause(cause) => cause.name(),
            Self::Io => "io",
            Self::Readahead => "readahead",
            Self::Fault => "fault",
        }
    }
}

/// A call of the table ([`profiler_common::calls`]) that is reported: a read system call or a
/// fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallKind(&'static calls::Call);

impl CallKind {
    const REPORTED: usize = {
        let (mut count, mut row) = (0, 0);
        while row < CALLS.len() {
            count += is_reported(&CALLS[row]) as usize;
            row += 1;
        }
        count
    };

    const EVERY: [Self; Self::REPORTED] = {
        const TABLE: &[calls::Call; CALLS.len()] = &CALLS;
        let mut all = [Self(&TABLE[0]); Self::REPORTED];
        let (mut at, mut row) = (0, 0);
        while row < TABLE.len() {
            if is_reported(&TABLE[row]) {
                all[at] = Self(&TABLE[row]);
                at += 1;
            }
            row += 1;
        }
        all
    };

    /// The call of a `CALL_*` constant; `None`: no such call is reported.
    pub fn of(kind: u32) -> Option<Self> {
        calls::told(kind).map(Self)
    }

    /// Whether it is a fault on a file mapping.
    pub fn is_fault(self) -> bool {
        self.0.kind == CALL_FAULT
    }
}

const fn is_reported(call: &calls::Call) -> bool {
    matches!(call.family, Family::Read | Family::Fault)
}

impl Named for CallKind {
    const ALL: &'static [Self] = &Self::EVERY;

    fn name(self) -> &'static str {
        self.0.name
    }
}
