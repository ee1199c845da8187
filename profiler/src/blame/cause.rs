//! The causes, and the shares that they have in a call.

use std::ops::{Index, IndexMut};

use crate::named::named;

/// Makes [`Cause`] from the table below, one row a cause.
macro_rules! causes {
    ($($variant:ident {
        name: $name:literal,
        mark: $mark:literal,
        needs_hooks: $needs_hooks:literal,
        is: $is:literal,
        legend: $legend:literal,
    })+) => {
        named! {
            /// What a nanosecond of a call went to. docs/blame.md defines each, with evidence.
            pub enum Cause { $(#[doc = $is] $variant $name,)+ }
        }

        impl Cause {
            /// Its letter in the bar: small where the thread runs or could run, and a capital
            /// where it sleeps.
            pub const fn mark(self) -> char {
                match self { $(Self::$variant => $mark),+ }
            }

            /// Whether it is not known where its hooks are missing: it is null then. A cause
            /// that is added is so too, because older reports do not have it.
            pub const fn needs_hooks(self) -> bool {
                match self { $(Self::$variant => $needs_hooks),+ }
            }

            /// What the thread does meanwhile, as a sentence: the field's description in the
            /// schema.
            pub const fn is(self) -> &'static str {
                match self { $(Self::$variant => $is),+ }
            }

            /// What a call's time went to, to continue that phrase: the README's legend.
            pub const fn legend(self) -> &'static str {
                match self { $(Self::$variant => $legend),+ }
            }
        }
    };
}

// In the order in which causes are shown.
causes! {
    Cpu {
        name: "cpu",
        mark: 'c',
        needs_hooks: false,
        is: "On the CPU.",
        legend: "running: looking up pages, copying, submitting",
    }
    Preempted {
        name: "preempted",
        mark: 'p',
        needs_hooks: false,
        is: "Off the CPU though runnable: switched out by the scheduler.",
        legend: "being runnable while something else had the CPU",
    }
    Runqueue {
        name: "runqueue",
        mark: 'r',
        needs_hooks: false,
        is: "Woken, but not yet running again.",
        legend: "being woken, but not running yet",
    }
    Device {
        name: "device",
        mark: 'D',
        needs_hooks: true,
        is: "Asleep while the device worked on the request that was waited for.",
        legend: "the device working on the request that was waited for",
    }
    Queue {
        name: "queue",
        mark: 'Q',
        needs_hooks: true,
        is: "Asleep while that request waited to be issued to the device.",
        legend: "waiting in front of the device",
    }
    Throttle {
        name: "throttle",
        mark: 'T',
        needs_hooks: true,
        is: "Asleep while a cgroup's limit held the request back.",
        legend: "a cgroup's limit holding the request back",
    }
    Completion {
        name: "completion",
        mark: 'C',
        needs_hooks: true,
        is: "Asleep between the completion of that request and the wake-up.",
        legend: "from the device's answer to the wake-up",
    }
    Lock {
        name: "lock",
        mark: 'L',
        needs_hooks: true,
        is: "Asleep for a lock.",
        legend: "a lock that another thread held",
    }
    Reclaim {
        name: "reclaim",
        mark: 'R',
        needs_hooks: true,
        is: "Asleep in direct reclaim of memory.",
        legend: "freeing memory first",
    }
    Server {
        name: "server",
        mark: 'S',
        needs_hooks: false,
        is: "Asleep until a FUSE or network file system answered.",
        legend: "a FUSE or network file system",
    }
    Peer {
        name: "peer",
        mark: 'P',
        needs_hooks: false,
        is: "Asleep until the other end of a pipe, socket or terminal did something.",
        legend: "the other end of a pipe, socket or terminal",
    }
    Unexplained {
        name: "unexplained",
        mark: '?',
        needs_hooks: false,
        is: "Asleep, and no evidence of the reason was found.",
        legend: "asleep without evidence why; the stack is always shown",
    }
}

impl Cause {
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
