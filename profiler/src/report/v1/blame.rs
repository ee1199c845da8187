//! A value for each cause.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blame::Cause;
use crate::report::sums::sum;

/// A value for each cause, in the order in which causes are shown.
///
/// `null` for a cause whose hooks are missing: its time is then in `unexplained`
/// (or, for `throttle`, wherever the rest of the evidence points).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Blame_{T}")]
pub struct Blame<T> {
    /// On the CPU.
    pub cpu: T,
    /// Off the CPU though runnable: switched out by the scheduler.
    pub preempted: T,
    /// Woken, but not yet running again.
    pub runqueue: T,
    /// Asleep while the device worked on the request that was waited for.
    pub device: Option<T>,
    /// Asleep while that request waited to be issued to the device.
    pub queue: Option<T>,
    /// Asleep while a cgroup's limit held the request back.
    pub throttle: Option<T>,
    /// Asleep between the completion of that request and the wake-up.
    pub completion: Option<T>,
    /// Asleep for a lock.
    pub lock: Option<T>,
    /// Asleep in direct reclaim of memory.
    pub reclaim: Option<T>,
    /// Asleep until a FUSE or network file system answered.
    pub server: T,
    /// Asleep until the other end of a pipe, socket or terminal did something.
    pub peer: T,
    /// Asleep, and no evidence of the reason was found.
    pub unexplained: T,
}

impl<T: Copy> Blame<T> {
    /// A value for each cause, from a function of the cause. Causes that a hook can
    /// hide may answer `None`; for the others `None` becomes the type's default.
    pub fn from_fn(mut value: impl FnMut(Cause) -> Option<T>) -> Self
    where
        T: Default,
    {
        Self {
            cpu: value(Cause::Cpu).unwrap_or_default(),
            preempted: value(Cause::Preempted).unwrap_or_default(),
            runqueue: value(Cause::Runqueue).unwrap_or_default(),
            device: value(Cause::Device),
            queue: value(Cause::Queue),
            throttle: value(Cause::Throttle),
            completion: value(Cause::Completion),
            lock: value(Cause::Lock),
            reclaim: value(Cause::Reclaim),
            server: value(Cause::Server).unwrap_or_default(),
            peer: value(Cause::Peer).unwrap_or_default(),
            unexplained: value(Cause::Unexplained).unwrap_or_default(),
        }
    }

    /// The value of a cause; `None` where it is not known.
    pub fn get(&self, cause: Cause) -> Option<T> {
        match cause {
            Cause::Cpu => Some(self.cpu),
            Cause::Preempted => Some(self.preempted),
            Cause::Runqueue => Some(self.runqueue),
            Cause::Device => self.device,
            Cause::Queue => self.queue,
            Cause::Throttle => self.throttle,
            Cause::Completion => self.completion,
            Cause::Lock => self.lock,
            Cause::Reclaim => self.reclaim,
            Cause::Server => Some(self.server),
            Cause::Peer => Some(self.peer),
            Cause::Unexplained => Some(self.unexplained),
        }
    }

    /// Every cause's word with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Option<T>)> + '_ {
        Cause::ALL
            .iter()
            .map(|&cause| (cause.name(), self.get(cause)))
    }
}

impl Blame<u64> {
    /// Sum over all causes that are known.
    pub fn total(&self) -> u64 {
        sum(self.iter().filter_map(|(_, ns)| ns))
    }
}

/// The words for causes, for the schema.
pub(super) fn words() -> Vec<&'static str> {
    Cause::ALL.iter().map(|cause| cause.name()).collect()
}
