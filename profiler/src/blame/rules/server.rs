//! `server`: the file system asks a process or another machine, and no block device of
//! this one is in it.

use super::super::{
    Cause, Detail,
    rule::{Piece, Sleep, is_in},
};

/// File systems with a server, by `super_block.s_magic` (the kernel's `linux/magic.h`
/// and the file systems' own headers).
const SERVED: [(u32, &str); 9] = [
    (0x6573_5546, "fuse"),
    (0x6969, "nfs"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb3"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "ceph"),
    (0x5346_414f, "afs"),
    (0x7375_7245, "coda"),
    (0x0bd0_0bd0, "lustre"),
];

/// Sleeps on a served file system, but for those that a lock or a request explains.
pub(super) fn of_a_file_system(sleep: &Sleep<'_>) -> Option<Vec<Piece>> {
    let magic = sleep.call.ended.magic;
    let name = SERVED
        .iter()
        .find(|(known, _)| *known == magic)
        .map(|(_, name)| *name);
    // A fault or read through a stacked file system shows the server on its stack.
    let name = name.or_else(|| {
        is_in(
            sleep.frames(),
            &["request_wait_answer", "fuse_simple_request"],
        )
        .then_some("fuse")
    })?;
    let wait = sleep.wait;
    sleep.whole(
        Cause::Server,
        Detail::Server {
            name,
            tid: wait.waker_tid,
            comm: wait.waker_comm,
        },
    )
}
