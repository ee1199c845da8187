//! Reads of the collector's own, by which a way to see calls is tested at start.
//!
//! That a kernel takes a way does not prove that it runs it, or that a begin and an end find what
//! they look for. So a thread of ours makes one call of each kind, and each has to come out of the
//! ring, with what its begin knows and what its end knows.

use std::{
    fs::File,
    io::{IoSliceMut, Write as _},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use aya::maps::{MapData, RingBuf};
use profiler_common::{
    calls::{self, CALL_PREAD, CALL_PREADV, CALL_PREADV2, CALL_READ, CALL_READV},
    control::{CONTROL_EVERY_CALL, Control},
    fact::Ended,
    target::Target,
};
use rustix::{
    fs::{MemfdFlags, memfd_create},
    io::{Errno, ReadWriteFlags, pread, preadv, preadv2, read, readv},
};

use super::control::Orders;
use crate::ring::{Fact, decode};

/// What each of them asks for: no program's favourite number.
const BYTES: usize = 37;

/// How often a call is made before it counts as not told. On a busy machine a run can be
/// skipped for another's sake (docs/preemption.md), and that is no reason to refuse the way.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// Makes a call, as rustix has it.
type Make = fn(&File, &mut [u8]) -> rustix::io::Result<usize>;

/// A call of each kind, in the order in which they are made.
const MADE: [(u32, Make); 5] = [
    (CALL_READ, |file, bytes| read(file, bytes)),
    (CALL_PREAD, |file, bytes| pread(file, bytes, 0)),
    (CALL_READV, |file, bytes| {
        readv(file, &mut [IoSliceMut::new(bytes)])
    }),
    (CALL_PREADV, |file, bytes| {
        preadv(file, &mut [IoSliceMut::new(bytes)], 0)
    }),
    (CALL_PREADV2, |file, bytes| {
        let flags = ReadWriteFlags::empty();
        preadv2(file, &mut [IoSliceMut::new(bytes)], 0, flags)
    }),
];

/// Their kinds.
const KINDS: [u32; MADE.len()] = {
    let mut kinds = [0; MADE.len()];
    let mut row = 0;
    while row < kinds.len() {
        kinds[row] = MADE[row].0;
        row += 1;
    }
    kinds
};

fn name(kind: u32) -> &'static str {
    calls::told(kind).map_or("call of an unknown kind", |call| call.name)
}

/// Makes calls of each kind, until each was told or it is plain that some are not: their
/// names are given. Leaves nothing in the ring, and nothing watched.
///
/// # Errors
///
/// The calls cannot be made.
pub(super) fn not_told(
    orders: &mut Orders,
    ring: &mut RingBuf<MapData>,
) -> Result<Vec<&'static str>> {
    let mut heard = Heard::default();
    for attempt in 0..TRIES {
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        let tid = make(orders)?;
        while let Some(record) = ring.next() {
            if let Ok(Fact::Ended(ended)) = decode(&record) {
                heard.take(&ended, tid);
            }
        }
        if heard.missing().is_empty() {
            break;
        }
    }
    Ok(heard.missing())
}

/// Kinds of calls that were told.
#[derive(Debug, Default)]
struct Heard([bool; KINDS.len()]);

impl Heard {
    /// Takes an end that was told: what it asked for is known from the begin, what it returned
    /// from the end.
    fn take(&mut self, ended: &Ended, tid: u32) {
        if ended.head.tid == tid
            && ended.requested == BYTES as u64
            && ended.returned == BYTES as i64
            && let Some(kind) = KINDS.iter().position(|kind| *kind == ended.call)
        {
            self.0[kind] = true;
        }
    }

    fn missing(&self) -> Vec<&'static str> {
        let kinds = KINDS.iter().zip(self.0);
        kinds
            .filter(|(_, heard)| !heard)
            .map(|(kind, _)| name(*kind))
            .collect()
    }
}

/// Makes one call of each kind in a thread that is watched meanwhile; gives its id. The
/// thread's state ends with it.
fn make(orders: &mut Orders) -> Result<u32> {
    let work = || -> Result<u32> {
        let file = file()?;
        let tid = rustix::thread::gettid().as_raw_pid() as u32;
        let target = Target::Thread(tid);
        orders.give(Control::watch(target, CONTROL_EVERY_CALL, u64::MAX));
        let mut bytes = [0; BYTES];
        let calls = MADE.map(|(kind, make)| (name(kind), make(&file, &mut bytes)));
        orders.give(Control::default());
        for (name, call) in calls {
            let read = call.with_context(|| format!("cannot test the probes with {name}"))?;
            if read != BYTES {
                bail!("a {name} of our own gave {read} of {BYTES} bytes");
            }
        }
        Ok(tid)
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("own-reads".into());
        let reader = thread.spawn_scoped(scope, work);
        reader
            .context("cannot start a thread to test the probes with")?
            .join()
            .map_err(|_| anyhow!("the thread that tests the probes has died"))?
    })
}

/// A file in memory, so that nothing depends on a file system or a disk.
fn file() -> Result<File> {
    let flags = MemfdFlags::CLOEXEC;
    let made = match memfd_create("profiler", flags | MemfdFlags::NOEXEC_SEAL) {
        // Linux before 6.3 does not know that flag; newer ones may insist on it.
        Err(Errno::INVAL) => memfd_create("profiler", flags),
        made => made,
    };
    let mut file: File = made
        .context("cannot make a file in memory to test the probes with")?
        .into();
    let content = [b'p'; 2 * BYTES];
    file.write_all(&content)
        .and_then(|()| std::io::Seek::rewind(&mut file))
        .context("cannot write to a file in memory to test the probes with")?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use profiler_common::{
        calls::{CALLS, Call, Family},
        fact::Head,
    };

    use super::*;

    fn ended(call: u32) -> Ended {
        Ended {
            head: Head {
                tid: 7,
                ..Head::default()
            },
            call,
            requested: BYTES as u64,
            returned: BYTES as i64,
            ..Ended::default()
        }
    }

    #[test]
    fn each_kind_has_to_be_told() {
        let mut heard = Heard::default();
        for kind in KINDS {
            assert!(heard.missing().contains(&name(kind)));
            heard.take(&ended(kind), 7);
            assert!(!heard.missing().contains(&name(kind)));
        }
    }

    #[test]
    fn each_read_of_the_table_is_made() {
        let is_read = |call: &&Call| call.family == Family::Read;
        let reads: Vec<_> = CALLS.iter().filter(is_read).map(|call| call.name).collect();
        assert_eq!(KINDS.map(name), reads[..], "make a call of each kind");
    }

    #[test]
    fn only_what_both_ends_tell_right_counts() {
        let good = ended(CALL_PREAD);
        let mut heard = Heard::default();
        heard.take(&good, 8);
        // The begin of one call with the end of another.
        heard.take(
            &Ended {
                requested: 4096,
                ..good
            },
            7,
        );
        heard.take(
            &Ended {
                returned: -9,
                ..good
            },
            7,
        );
        assert_eq!(heard.missing().len(), KINDS.len());
        heard.take(&good, 7);
        assert_eq!(heard.missing(), ["read", "readv", "preadv", "preadv2"]);
    }

    #[test]
    fn the_file_can_be_read() {
        let file = file().expect("a file in memory");
        let mut bytes = [0; BYTES];
        assert_eq!(read(&file, &mut bytes), Ok(BYTES));
        assert_eq!(bytes, [b'p'; BYTES]);
    }
}
