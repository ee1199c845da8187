//! What is watched.

/// What is watched. On the wire a kind and a number, so that a target of another kind (a name, a
/// cgroup, everything) is one more arm here and in the kernel side's `target.rs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Nothing.
    #[default]
    Nothing,
    /// A process with all its threads, and what it starts.
    Process(u32),
    /// The same, from the process's next exec on.
    FromExec(u32),
    /// One thread, which may be the collector's: how the collector tests at start that calls are
    /// seen.
    Thread(u32),
}

// Values of [`Control::target_kind`](crate::control::Control::target_kind).

/// [`Target::Nothing`].
pub const TARGET_NOTHING: u32 = 0;
/// [`Target::Process`].
pub const TARGET_PROCESS: u32 = 1;
/// [`Target::FromExec`].
pub const TARGET_FROM_EXEC: u32 = 2;
/// [`Target::Thread`].
pub const TARGET_THREAD: u32 = 3;

impl Target {
    /// One of the `TARGET_*` constants.
    pub const fn kind(self) -> u32 {
        match self {
            Self::Nothing => TARGET_NOTHING,
            Self::Process(_) => TARGET_PROCESS,
            Self::FromExec(_) => TARGET_FROM_EXEC,
            Self::Thread(_) => TARGET_THREAD,
        }
    }

    /// The number that goes with it: a process's or thread's id; 0 where there is none.
    pub const fn number(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Process(id) | Self::FromExec(id) | Self::Thread(id) => id as u64,
        }
    }
}
