//! Durations of many calls in bounded memory.

use hdrhistogram::Histogram;
use profiler_common::histogram as kernel;

use crate::report::v1;

/// Longest duration that quantiles tell apart: about 73 minutes. Longer ones count as
/// this (the maximum is exact all the same).
const LIMIT_NS: u64 = 1 << 42;
/// Buckets an octave in the report: each is at most 1/8 of its lower bound wide.
const STEPS: u64 = 8;

/// More durations than this are not counted: a call a nanosecond for 104 days. Only
/// recordings that are not true have them, and the histogram adds up without looking.
const MOST: u64 = 1 << 53;

/// A histogram of durations, with what has to be exact beside it.
#[derive(Debug)]
pub(super) struct Durations {
    histogram: Histogram<u64>,
    count: u64,
    total_ns: u128,
    min: u64,
    max: u64,
}

impl Durations {
    /// `digits`: significant decimal digits, 1 to 4. Three take 256 KiB, two 36 KiB.
    pub(super) fn new(digits: u8) -> Self {
        let histogram = Histogram::new_with_bounds(1, LIMIT_NS, digits.clamp(1, 4))
            .expect("1 and LIMIT_NS are valid bounds, and digits is in its range");
        Self {
            histogram,
            count: 0,
            total_ns: 0,
            min: u64::MAX,
            max: 0,
        }
    }

    /// Adds one duration, known exactly.
    pub(super) fn add(&mut self, ns: u64) {
        self.add_many(ns, 1);
        self.total_ns = self.total_ns.saturating_add(ns.into());
    }

    /// Adds what the kernel side settled: counts by bucket, and their exact sum.
    pub(super) fn add_settled(&mut self, buckets: &[u64], total_ns: u64) {
        for (bucket, &count) in (0..).zip(buckets) {
            if count > 0 {
                self.add_many(
                    kernel::lower_bound(bucket) + kernel::width(bucket) / 2,
                    count,
                );
            }
        }
        self.total_ns = self.total_ns.saturating_add(total_ns.into());
    }

    fn add_many(&mut self, ns: u64, count: u64) {
        let count = count.min(MOST - self.count);
        self.histogram.saturating_record_n(ns, count);
        self.count += count;
        self.min = self.min.min(ns);
        self.max = self.max.max(ns);
    }

    fn quantile(&self, quantile: f64) -> u64 {
        self.histogram
            .value_at_quantile(quantile)
            .clamp(self.min, self.max)
    }

    /// The summary; `None` if there were no durations.
    pub(super) fn latency(&self) -> Option<v1::Latency> {
        (self.count > 0).then(|| v1::Latency {
            min: self.min,
            p50: self.quantile(0.5),
            p90: self.quantile(0.9),
            p99: self.quantile(0.99),
            p999: self.quantile(0.999),
            max: self.max,
            mean: u64::try_from(self.total_ns / u128::from(self.count)).unwrap_or(u64::MAX),
            histogram: self.buckets(),
        })
    }

    /// The short summary; `None` if there were no durations.
    pub(super) fn quantiles(&self) -> Option<v1::Quantiles> {
        (self.count > 0).then(|| v1::Quantiles {
            count: self.count,
            p50: self.quantile(0.5),
            p99: self.quantile(0.99),
            max: self.max,
        })
    }

    fn buckets(&self) -> Vec<v1::Bucket> {
        let mut buckets: Vec<v1::Bucket> = Vec::new();
        for step in self.histogram.iter_recorded() {
            let le = upper_bound(step.value_iterated_to());
            let count = step.count_since_last_iteration();
            match buckets.last_mut() {
                Some(last) if last.le == le => last.count = last.count.saturating_add(count),
                _ => buckets.push(v1::Bucket { le, count }),
            }
        }
        buckets
    }
}

/// Largest value of the report's bucket that holds `ns`.
fn upper_bound(ns: u64) -> u64 {
    if ns < STEPS {
        return ns;
    }
    let width = 1 << (ns.ilog2() - STEPS.ilog2());
    (ns / width + 1) * width - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_latency() {
        assert_eq!(Durations::new(3).latency(), None);
    }

    #[test]
    fn buckets_add_up_and_bound_their_values() {
        let mut durations = Durations::new(3);
        for ns in [0, 1, 7, 8, 15, 16, 17, 1_000, 1_001, 1 << 20, LIMIT_NS * 3] {
            durations.add(ns);
        }
        let latency = durations.latency().unwrap();
        assert_eq!(
            latency
                .histogram
                .iter()
                .map(|bucket| bucket.count)
                .sum::<u64>(),
            11
        );
        assert!(latency.histogram.is_sorted_by(|a, b| a.le < b.le));
        assert_eq!((latency.min, latency.max), (0, LIMIT_NS * 3));
        for ns in [8, 100, 1_000, 123_456_789] {
            assert!(
                upper_bound(ns) >= ns && upper_bound(ns) - ns <= ns / 8,
                "{ns}"
            );
            assert_eq!(upper_bound(upper_bound(ns)), upper_bound(ns));
        }
    }

    #[test]
    fn settled_and_told_durations_share_one_scale() {
        let mut durations = Durations::new(3);
        let mut buckets = vec![0; kernel::BUCKETS];
        buckets[kernel::bucket(500) as usize] = 980;
        durations.add_settled(&buckets, 980 * 500);
        (0..20).for_each(|_| durations.add(90_000));
        let latency = durations.latency().unwrap();
        assert!(latency.p50.abs_diff(500) <= 8, "{}", latency.p50);
        assert!(latency.p99.abs_diff(90_000) <= 90, "{}", latency.p99);
        assert_eq!(latency.mean, (980 * 500 + 20 * 90_000) / 1000);
    }
}
