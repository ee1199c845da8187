//! `lock`: somebody else has it.

use super::super::{
    Cause, Detail,
    rule::{Piece, Sleep, is_in},
};

/// The thread fell asleep between the beginning and the end of a contention.
pub(super) fn held_by_another(sleep: &Sleep<'_>) -> Option<Vec<Piece>> {
    let address = sleep.wait.lock;
    if address == 0 {
        return None;
    }
    sleep.whole(
        Cause::Lock,
        Detail::Lock {
            name: name(sleep),
            address,
        },
    )
}

/// A folio's lock is a bit that is slept on like I/O, and no contention is told. It is
/// a lock, and not I/O, where a task that is reading, writing or truncating the same
/// pages gave it up.
pub(super) fn of_a_folio(sleep: &Sleep<'_>) -> Option<Vec<Piece>> {
    const SLEEPS: [&str; 5] = [
        "folio_wait_bit_common",
        "__folio_lock",
        "__folio_lock_killable",
        "__folio_lock_or_retry",
        "folio_wait_bit",
    ];
    const GIVES_UP: [&str; 3] = ["folio_unlock", "folio_wake_bit", "unlock_page"];
    // There is no other lock that is slept on as for I/O.
    let for_a_folio = sleep.slept_in(&SLEEPS) || sleep.has_no_stack_for_io();
    if !for_a_folio || !is_in(sleep.waker_frames(), &GIVES_UP) {
        return None;
    }
    sleep.whole(
        Cause::Lock,
        Detail::Lock {
            name: "folio lock",
            address: 0,
        },
    )
}

/// Which lock it is, by the function that takes it; the first that fits names it.
const NAMES: [(&str, &[&str]); 9] = [
    (
        "file position lock",
        &["__f_lock_pos", "fdget_pos", "__fdget_pos"],
    ),
    (
        "invalidate lock",
        &[
            "filemap_invalidate_lock_shared",
            "page_cache_ra_unbounded",
            "page_cache_ra_order",
            "filemap_create_folio",
            "filemap_fault",
        ],
    ),
    (
        "xfs inode lock",
        &[
            "xfs_ilock",
            "xfs_ilock_iocb",
            "xfs_ilock_for_iomap",
            "xfs_ilock_nowait",
        ],
    ),
    (
        "inode lock",
        &[
            "inode_lock_shared",
            "ext4_dio_read_iter",
            "ext4_file_read_iter",
            "btrfs_direct_read",
            "btrfs_file_read_iter",
            "xfs_file_dio_read",
        ],
    ),
    (
        "extent tree lock",
        &["ext4_map_blocks", "ext4_mpage_readpages"],
    ),
    (
        "metadata lock",
        &[
            "btrfs_search_slot",
            "btrfs_tree_read_lock_nested",
            "btrfs_lock_root_node",
        ],
    ),
    (
        "memory map lock",
        &[
            "mmap_read_lock",
            "lock_mm_and_find_vma",
            "down_read_killable",
        ],
    ),
    ("pipe lock", &["pipe_read", "anon_pipe_read"]),
    ("directory lock", &["iterate_dir"]),
];

fn name(sleep: &Sleep<'_>) -> &'static str {
    NAMES
        .iter()
        .find(|(_, functions)| sleep.slept_in(functions))
        .map_or("lock", |(name, _)| name)
}
