//! What independent witnesses say, before and after.

use crate::{
    collect::{disk, process},
    report::{v1::OpRecord, witness::Counts},
    workload::ThreadOps,
};

/// Counts of a process and of the disk it reads from, now.
pub(super) fn counts(pid: u32, disk: Option<&str>) -> Counts {
    let io = process::io(pid);
    let stat = disk.and_then(disk::stat);
    Counts {
        majflt: process::major_faults(pid),
        syscr: io.map(|io| io.syscr),
        rchar: io.map(|io| io.rchar),
        read_bytes: io.map(|io| io.read_bytes),
        run_delay_ns: process::run_delay_ns(pid),
        disk_reads: stat.map(|stat| stat.reads),
        disk_sectors: stat.map(|stat| stat.sectors),
        ..Counts::default()
    }
}

/// The reader's own record in short, and how many different pages it touched.
pub(super) fn ops(threads: &[ThreadOps], file_size: u64) -> (OpRecord, u64) {
    const PAGE: u64 = 4096;
    let mut latencies = Vec::with_capacity(threads.iter().map(|thread| thread.ops.len()).sum());
    let mut pages = vec![false; file_size.div_ceil(PAGE) as usize];
    let mut record = OpRecord::default();
    for op in threads.iter().flat_map(|thread| &thread.ops) {
        latencies.push(op.end_ns.saturating_sub(op.start_ns));
        record.count += 1;
        if let Ok(bytes @ 1..) = u64::try_from(op.returned) {
            record.bytes += bytes;
            let last = (op.offset + bytes - 1) / PAGE;
            for page in op.offset / PAGE..=last {
                if let Some(page) = pages.get_mut(page as usize) {
                    *page = true;
                }
            }
        }
    }
    latencies.sort_unstable();
    record.total_ns = latencies.iter().sum();
    // The value at or below which that share of the ops lies.
    let quantile = |share: f64| {
        let rank = (latencies.len() as f64 * share).ceil() as usize;
        latencies.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    };
    record.min_ns = latencies.first().copied().unwrap_or(0);
    record.p50_ns = quantile(0.5);
    record.p99_ns = quantile(0.99);
    (
        record,
        pages.into_iter().filter(|used| *used).count() as u64,
    )
}
