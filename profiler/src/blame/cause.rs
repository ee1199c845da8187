//! The causes, and the shares that they have in a call.

use std::ops::{Index, IndexMut};

/// What a nanosecond of a call went to. docs/blame.md defines each, with evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    Cpu,
    Preempted,
    Runqueue,
    Device,
    Queue,
    Throttle,
    Completion,
    Lock,
    Reclaim,
    Server,
    Peer,
    Unexplained,
}

impl Cause {
    /// All causes, in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::Cpu,
        Self::Preempted,
        Self::Runqueue,
        Self::Device,
        Self::Queue,
        Self::Throttle,
        Self::Completion,
        Self::Lock,
        Self::Reclaim,
        Self::Server,
        Self::Peer,
        Self::Unexplained,
    ];

    /// The word for it, the same in the table, the JSON and the docs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Preempted => "preempted",
            Self::Runqueue => "runqueue",
            Self::Device => "device",
            Self::Queue => "queue",
            Self::Throttle => "throttle",
            Self::Completion => "completion",
            Self::Lock => "lock",
            Self::Reclaim => "reclaim",
            Self::Server => "server",
            Self::Peer => "peer",
            Self::Unexplained => "unexplained",
        }
    }

    /// Blocked is everything but [`Cause::Cpu`].
    pub const fn is_blocked(self) -> bool {
        !matches!(self, Self::Cpu)
    }
}

/// Nanoseconds by cause. Sums stop at `u64::MAX` (584 years): only facts that are not
/// true go so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares([u64; Cause::ALL.len()]);

impl Shares {
    /// Sum over all causes, in nanoseconds.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, ns| sum.saturating_add(*ns))
    }

    /// Sum over all causes but [`Cause::Cpu`], in nanoseconds.
    pub fn blocked(&self) -> u64 {
        self.total() - self[Cause::Cpu]
    }

    /// Adds another partition to this one.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// Every cause with its nanoseconds, in the order of [`Cause::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        Cause::ALL.iter().map(|&cause| (cause, self[cause]))
    }
}

impl Index<Cause> for Shares {
    type Output = u64;
    fn index(&self, cause: Cause) -> &u64 {
        &self.0[cause as usize]
    }
}

impl IndexMut<Cause> for Shares {
    fn index_mut(&mut self, cause: Cause) -> &mut u64 {
        &mut self.0[cause as usize]
    }
}
