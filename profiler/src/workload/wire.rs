//! What parent and reader say to each other: one JSON message a packet, over a pair of
//! `SOCK_SEQPACKET` sockets, with `send` and `recv` only. `read` is what is measured,
//! so the reader uses it for nothing else.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context as _, Result, ensure};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::spec::Spec;

/// From the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Get ready for this. The descriptor of the memory for the ops is inherited.
    Prepare { spec: Spec, records: i32 },
    /// Read.
    Go,
    /// Exit.
    Bye,
}

/// From the reader.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Everything is opened, mapped and started, and waits.
    Ready { pid: u32 },
    /// All threads have ended their part.
    Done(Done),
    /// It cannot be done, and why.
    Failed(String),
}

/// What the reader says of a whole run. Its threads are told apart in their records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Ops done, errors among them.
    pub ops: u64,
    /// Bytes read.
    pub bytes: u64,
    /// From the start of the first thread to the end of the last, in ns.
    pub wall_ns: u64,
    /// Page faults of the reading threads that needed no I/O (`ru_minflt`).
    pub minor_faults: u64,
    /// Page faults of the reading threads that needed I/O (`ru_majflt`).
    pub major_faults: u64,
    /// Times that a reading thread went to sleep (`ru_nvcsw`).
    pub voluntary_switches: u64,
    /// Times that a reading thread was preempted (`ru_nivcsw`).
    pub involuntary_switches: u64,
}

/// One end of the pair.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// A message is at most a [`Spec`] with a path, or an error that names one.
const MAX_MESSAGE: usize = 64 << 10;

impl Channel {
    /// Both ends.
    pub(crate) fn pair() -> Result<(Self, Self)> {
        let flags = SocketFlags::CLOEXEC;
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .context("cannot make a pair of sockets")?;
        Ok((Self(one), Self(other)))
    }

    /// An inherited end.
    pub(crate) const fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Sends a message. A peer that is gone is not an error here: [`Channel::recv`]
    /// tells.
    pub(crate) fn send(&self, message: &impl Serialize) -> Result<()> {
        use rustix::io::Errno;
        let text = serde_json::to_vec(message).context("a message cannot be written as JSON")?;
        ensure!(
            text.len() <= MAX_MESSAGE,
            "a message of {} bytes is too long",
            text.len()
        );
        match rustix::io::retry_on_intr(|| send(&self.0, &text, SendFlags::NOSIGNAL)) {
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(error) => Err(error).context("cannot send a message"),
        }
    }

    /// Waits for a message; `None`: the other end is closed.
    pub(crate) fn recv<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        use rustix::io::Errno;
        let mut buffer = vec![0; MAX_MESSAGE];
        let got = rustix::io::retry_on_intr(|| {
            recv(&self.0, buffer.as_mut_slice(), RecvFlags::empty()).map(|(len, _)| len)
        });
        match got {
            Ok(0) | Err(Errno::CONNRESET) => Ok(None),
            Ok(len) => serde_json::from_slice(&buffer[..len])
                .map(Some)
                .context("a message of another kind than expected"),
            Err(error) => Err(error).context("cannot receive a message"),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
