//! Sums that stop at `u64::MAX`. Facts that go so far are not true, but a recording or a
//! report from somebody else may claim them, and is to be shown all the same.

/// Adds to a sum.
pub(super) fn grow(sum: &mut u64, by: u64) {
    *sum = sum.saturating_add(by);
}

/// Adds up.
pub(super) fn sum(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0, u64::saturating_add)
}
