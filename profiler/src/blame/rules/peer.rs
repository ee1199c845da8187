//! `peer`: the other end of a pipe, socket or terminal has to write first.

use super::super::{
    Cause, Detail,
    rule::{Piece, Sleep},
};

/// A sleep in a descriptor that has another end.
pub(super) fn of_a_descriptor(sleep: &Sleep<'_>) -> Option<Vec<Piece>> {
    let through = match sleep.call.ended.mode & libc::S_IFMT {
        libc::S_IFIFO => "pipe",
        libc::S_IFSOCK => "socket",
        libc::S_IFCHR if sleep.slept_in(&["n_tty_read", "tty_read"]) => "terminal",
        libc::S_IFCHR => "device",
        // eventfd, timerfd, inotify and their like have an inode without a type.
        0 if sleep.call.ended.inode != 0 => "descriptor",
        _ => return None,
    };
    let wait = sleep.wait;
    sleep.whole(
        Cause::Peer,
        Detail::Waker {
            tid: wait.waker_tid,
            comm: wait.waker_comm,
            through,
        },
    )
}
