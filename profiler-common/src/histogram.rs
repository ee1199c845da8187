//! How quiet calls are settled in the kernel: a log-linear histogram.
//!
//! Every power of two is cut into [`STEPS`] equal buckets, so a bucket is at most
//! 1/32 of its lower bound wide; a value reported as its bucket's middle is off by
//! at most 1/64 (1.6 %). Values below 32 ns have a bucket each. The last bucket
//! takes everything from [`LIMIT_NS`] on.

use crate::pod;

/// Buckets an octave (a power of two).
pub const STEPS: u32 = 32;
const STEPS_LOG2: u32 = STEPS.ilog2();
/// Octaves above the linear part: up to 2^40 ns, about 18 minutes.
const OCTAVES: u32 = 35;
/// Number of buckets.
pub const BUCKETS: usize = (STEPS * (OCTAVES + 1)) as usize;
/// Values from here on fall into the last bucket.
pub const LIMIT_NS: u64 = 1 << (OCTAVES + STEPS_LOG2);

/// Bucket of a latency in nanoseconds.
#[inline(always)]
pub const fn bucket(ns: u64) -> u32 {
    if ns < STEPS as u64 {
        return ns as u32;
    }
    if ns >= LIMIT_NS {
        return BUCKETS as u32 - 1;
    }
    let octave = 63 - ns.leading_zeros();
    let step = (ns >> (octave - STEPS_LOG2)) as u32 & (STEPS - 1);
    (octave - STEPS_LOG2 + 1) * STEPS + step
}

/// Lower bound of a bucket, in nanoseconds.
pub const fn lower_bound(bucket: u32) -> u64 {
    let (octave, step) = (bucket / STEPS, bucket % STEPS);
    if octave == 0 {
        step as u64
    } else {
        ((STEPS + step) as u64) << (octave - 1)
    }
}

/// Width of a bucket, in nanoseconds.
pub const fn width(bucket: u32) -> u64 {
    match bucket / STEPS {
        0 | 1 => 1,
        octave => 1 << (octave - 1),
    }
}

/// The classes that quiet calls are settled in; the first index of the histogram.
///
/// They are what the kernel side can state without judging: what kind of
/// descriptor it was and how the call returned.
pub const CLASS_BUFFERED: u32 = 0;
/// Bytes from a descriptor opened with `O_DIRECT`.
pub const CLASS_DIRECT: u32 = 1;
/// 0 bytes from a regular file.
pub const CLASS_END: u32 = 2;
/// A negative return value.
pub const CLASS_ERROR: u32 = 3;
/// A pipe, socket, terminal, directory or other: not a regular file or block device.
pub const CLASS_OTHER: u32 = 4;
/// 0 bytes because 0 bytes were asked for, and faults that are settled quietly.
pub const CLASS_EMPTY: u32 = 5;
/// Number of classes.
pub const CLASSES: usize = 6;

/// Sums that go with one class of quiet calls on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Number of calls.
    pub calls: u64,
    /// Time spent in them, in nanoseconds.
    pub ns: u64,
    /// Bytes that they returned.
    pub bytes: u64,
}

const _: () = {
    assert!(size_of::<Settled>() == 24);
    assert!(bucket(31) == 31 && bucket(32) == 32 && bucket(63) == 63 && bucket(64) == 64);
    assert!(bucket(LIMIT_NS - 1) == BUCKETS as u32 - 1);
    assert!(lower_bound(bucket(1_000_000)) <= 1_000_000);
};

pod!(Settled);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_starts_where_the_one_before_ends() {
        for b in 1..BUCKETS as u32 {
            assert_eq!(
                lower_bound(b),
                lower_bound(b - 1) + width(b - 1),
                "bucket {b}"
            );
            assert_eq!(bucket(lower_bound(b)), b);
            assert_eq!(bucket(lower_bound(b) - 1), b - 1);
        }
    }

    #[test]
    fn a_bucket_is_at_most_3_percent_wide() {
        for b in STEPS..BUCKETS as u32 {
            assert!(width(b) * 32 <= lower_bound(b), "bucket {b}");
        }
    }

    #[test]
    fn absurd_values_fall_into_the_last_bucket() {
        assert_eq!(bucket(u64::MAX), BUCKETS as u32 - 1);
        assert_eq!(bucket(LIMIT_NS), BUCKETS as u32 - 1);
    }
}
