//! What independent witnesses say, before and after.

use crate::{
    host::{disk, process},
    recording::{Counts, Ops},
    workload::{Op, ThreadOps},
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

/// The reader's own record in short, and how many different pages it touched. Looks at
/// the ops a few times, and keeps none.
pub(super) fn ops(threads: &[ThreadOps<'_>], file_size: u64, page: u64) -> (Ops, u64) {
    let all = || threads.iter().flat_map(|thread| thread.ops.clone());
    let latency = |op: Op| op.end_ns.saturating_sub(op.start_ns);
    let mut pages = Pages::new(file_size, page);
    let mut record = Ops::default();
    let (mut min, mut max) = (u64::MAX, 0);
    for op in all() {
        let ns = latency(op);
        record.count += 1;
        record.total_ns = record.total_ns.saturating_add(ns);
        (min, max) = (min.min(ns), max.max(ns));
        if let Ok(bytes @ 1..) = u64::try_from(op.returned) {
            record.bytes += bytes;
            pages.touch(op.offset, bytes);
        }
    }
    // The value at or below which that share of the ops lies.
    let quantile = |share: f64| {
        let rank = (record.count as f64 * share).ceil() as u64;
        of_rank(|| all().map(latency), rank.saturating_sub(1), min, max)
    };
    if record.count > 0 {
        record.min_ns = min;
        record.p50_ns = quantile(0.5);
        record.p99_ns = quantile(0.99);
    }
    (record, pages.touched())
}

/// Which pages of a file were touched: a bit each.
struct Pages {
    /// Size of a page in bytes.
    page: u64,
    bits: Vec<u64>,
}

impl Pages {
    fn new(file_size: u64, page: u64) -> Self {
        Self {
            page,
            bits: vec![0; file_size.div_ceil(page * 64) as usize],
        }
    }

    /// Touches the pages of a range that is not empty. What lies past the file's end is left out.
    fn touch(&mut self, offset: u64, bytes: u64) {
        let last = offset.saturating_add(bytes - 1) / self.page;
        for index in offset / self.page..=last {
            if let Some(word) = self.bits.get_mut(index as usize / 64) {
                *word |= 1 << (index % 64);
            }
        }
    }

    fn touched(&self) -> u64 {
        let touched = self.bits.iter().map(|word| u64::from(word.count_ones()));
        touched.sum()
    }
}

/// The value that so many others come before when all, which lie from `low` to `high`, are
/// in order. Narrows down where it is, so that none has to be kept.
fn of_rank<I: Iterator<Item = u64>>(
    values: impl Fn() -> I,
    mut rank: u64,
    mut low: u64,
    mut high: u64,
) -> u64 {
    const CELLS: u64 = 4096;
    while low < high {
        let width = (high - low) / CELLS + 1;
        let mut counts = [0_u64; CELLS as usize];
        for value in values().filter(|value| (low..=high).contains(value)) {
            counts[((value - low) / width) as usize] += 1;
        }
        let holds_it = |count: &u64| match rank.checked_sub(*count) {
            None => true,
            Some(rest) => {
                rank = rest;
                false
            }
        };
        // All are there, unless the reader has changed what it had recorded.
        let Some(cell) = counts.iter().position(holds_it) else {
            return high;
        };
        low += cell as u64 * width;
        high = high.min(low + (width - 1));
    }
    low
}

#[cfg(test)]
mod tests {
    use super::{Pages, of_rank};

    #[test]
    fn pages_have_the_size_that_the_kernel_gives_them() {
        for (page, touched) in [(4096, 17), (65_536, 2)] {
            let mut pages = Pages::new(1 << 20, page);
            pages.touch(0, 65_536);
            pages.touch(65_536, 1);
            pages.touch(65_537, 100);
            assert_eq!(pages.touched(), touched, "pages of {page} bytes");
        }
    }

    #[test]
    fn the_value_of_a_rank_is_found_without_keeping_any() {
        let random = fastrand::Rng::with_seed(7);
        for (count, limit) in [(1, 10), (2, 2), (1000, 5), (1000, u64::MAX), (999, 1 << 40)] {
            let mut random = random.clone();
            let values: Vec<u64> = (0..count).map(|_| random.u64(0..limit)).collect();
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
            for rank in [0, count / 2, count * 99 / 100, count - 1] {
                let found = of_rank(|| values.iter().copied(), rank as u64, low, high);
                assert_eq!(found, sorted[rank], "{rank} of {count} below {limit}");
            }
        }
    }
}
