//! Every cause, from its evidence.

use crate::table::shows;

#[test]
fn nothing_but_work() {
    shows("100 end", "cpu 100");
}

#[test]
fn a_call_of_no_length_has_no_spans() {
    shows("0 end", "");
}

#[test]
fn asleep_while_a_request_lives() {
    shows(
        "20 out | 22 submitted | 30 issued | 90 completed | 92 woken | 95 back | 100 end",
        "cpu 20
         queue 10 data by me
         device 60 data by me
         completion 2 data by me
         runqueue 3
         cpu 5",
    );
}

#[test]
fn what_was_submitted_before_the_sleep_counts_from_the_sleep() {
    shows(
        "5 submitted | 20 out | 30 issued | 90 completed | 92 woken | 95 back | 100 end",
        "cpu 20
         queue 10 data by me
         device 60 data by me
         completion 2 data by me
         runqueue 3
         cpu 5",
    );
}

#[test]
fn what_was_issued_before_the_sleep_has_no_queue() {
    shows(
        "5 submitted | 10 issued | 20 out | 90 completed | 92 woken | 95 back | 100 end",
        "cpu 20
         device 70 data by me
         completion 2 data by me
         runqueue 3
         cpu 5",
    );
}

/// Without a submission or an issue time the device gets what is known of it.
#[test]
fn a_request_seen_only_at_its_end() {
    shows(
        "0 submitted by=nobody | 20 out | 90 completed | 92 woken | 95 back | 95 end",
        "cpu 20
         device 70 data by nobody
         completion 2 data by nobody
         runqueue 3",
    );
}

/// Whoever has the folio and has not asked for it yet holds its lock.
#[test]
fn another_holds_the_folio_before_it_submits() {
    shows(
        "20 out | 40 submitted by=other | 45 issued | 90 completed | 92 woken | 95 back | 100 end",
        "cpu 20
         lock 20 folio lock
         queue 5 data by fio of 8
         device 45 data by fio of 8
         completion 2 data by fio of 8
         runqueue 3
         cpu 5",
    );
}

#[test]
fn throttled_until_a_worker_submits() {
    shows(
        "20 out iowait | 70 submitted by=worker throttled | 75 issued | 90 completed | 91 woken \
         | 95 back | 100 end",
        "cpu 20
         throttle 50 data by nobody
         queue 5 data by nobody
         device 15 data by nobody
         completion 1 data by nobody
         runqueue 4
         cpu 5",
    );
}

/// The flag alone says that a limit exists for the cgroup, not that it held this bio.
#[test]
fn a_throttled_bio_that_its_owner_submits_was_not_held() {
    shows(
        "20 out | 25 submitted throttled | 30 issued | 90 completed | 90 woken | 90 back | 90 end",
        "cpu 20
         queue 10 data by me
         device 60 data by me",
    );
}

/// A worker submits for others too (btrfs): without the limit's flag it is not a limit.
#[test]
fn a_worker_alone_is_no_limit() {
    shows(
        "20 out | 40 submitted by=worker | 45 issued | 90 completed | 90 woken | 90 back | 90 end",
        "cpu 20
         queue 25 data by nobody
         device 45 data by nobody",
    );
}

#[test]
fn a_worker_checks_what_came_before_it_wakes() {
    shows(
        "10 submitted | 15 issued | 20 out iowait | 60 completed | 92 woken by=kworker \
         | 95 back | 100 end",
        "cpu 20
         device 40 data by me
         completion 32 data by me
         runqueue 3
         cpu 5",
    );
}

/// The device was done before the reader fell asleep: only the worker was left.
#[test]
fn a_worker_may_have_it_before_the_sleep_begins() {
    const WORKER: &str = "woken by=kworker from=iomap_dio_bio_end_io,process_one_work";
    shows(
        &format!(
            "direct | 2 submitted | 3 issued | 15 completed | 20 out iowait | 92 {WORKER} \
             | 95 back | 100 end"
        ),
        "cpu 20
         completion 72 data by me
         runqueue 3
         cpu 5",
    );
    // A block that describes the file is not what was waited for.
    shows(
        &format!(
            "2 submitted metadata | 3 issued | 15 completed | 20 out iowait | 92 {WORKER} \
             | 95 back | 100 end"
        ),
        "cpu 20
         device 72 a read, ended by kworker
         runqueue 3
         cpu 5",
    );
    // Somebody else woke it: what it waited for is not known.
    shows(
        "2 submitted | 3 issued | 15 completed | 20 out iowait | 92 woken by=x | 95 back | 100 end",
        "cpu 20
         unexplained 72
         runqueue 3
         cpu 5",
    );
}

#[test]
fn of_many_requests_the_last_to_complete_was_waited_for() {
    shows(
        "2 submitted | 3 issued | 20 out iowait | 50 completed \
         | 30 submitted | 40 issued | 80 completed | 92 woken by=kworker | 95 back | 100 end",
        "cpu 20
         queue 20 data by me
         device 40 data by me
         completion 12 data by me
         runqueue 3
         cpu 5",
    );
}

/// Not asleep for I/O: the request that completed meanwhile proves nothing.
#[test]
fn a_completion_during_another_sleep_is_a_coincidence() {
    shows(
        "10 submitted | 15 issued | 20 out | 60 completed | 92 woken by=someone | 95 back | 95 end",
        "cpu 20
         unexplained 72
         runqueue 3",
    );
}

#[test]
fn a_contention_is_a_lock_whatever_else_happened() {
    shows(
        "20 out lock=beef in=rwsem_down_read_slowpath,down_read,ext4_file_read_iter \
         | 92 woken by=writer | 95 back | 100 end",
        "cpu 20
         lock 72 inode lock at beef
         runqueue 3
         cpu 5",
    );
}

#[test]
fn locks_are_named_by_who_takes_them() {
    for (frame, name) in [
        ("fdget_pos", "file position lock"),
        ("page_cache_ra_unbounded", "invalidate lock"),
        ("xfs_ilock", "xfs inode lock"),
        ("ext4_dio_read_iter", "inode lock"),
        ("ext4_map_blocks", "extent tree lock"),
        ("btrfs_search_slot", "metadata lock"),
        ("lock_mm_and_find_vma", "memory map lock"),
        ("pipe_read", "pipe lock"),
        ("iterate_dir", "directory lock"),
        ("ext4_map_blocks.isra.0", "extent tree lock"),
        ("some_driver_read", "lock"),
    ] {
        shows(
            &format!("0 out lock=1 in=down_read,{frame} | 10 woken by=x | 10 back | 10 end"),
            &format!("lock 10 {name} at 1"),
        );
    }
}

#[test]
fn a_folio_lock_that_its_owner_gives_up() {
    shows(
        "20 out iowait in=io_schedule,folio_wait_bit_common,filemap_read \
         | 92 woken by=writer from=folio_wake_bit,folio_unlock,generic_perform_write \
         | 95 back | 100 end",
        "cpu 20
         lock 72 folio lock
         runqueue 3
         cpu 5",
    );
}

/// A sleep that was taken for one more of a row for own requests has no stack. What ended it
/// tells what it was.
#[test]
fn a_tag_that_is_given_back_to_one_without_a_stack() {
    shows(
        "20 out iowait | 92 woken by=ksoftirqd/0 from=__wake_up,sbitmap_queue_wake_up | 95 back \
         | 95 end",
        "cpu 20
         queue 72
         runqueue 3",
    );
}

#[test]
fn a_folio_lock_is_one_without_a_stack_too() {
    shows(
        "20 out iowait | 92 woken by=writer from=folio_wake_bit,folio_unlock | 95 back | 95 end",
        "cpu 20
         lock 72 folio lock
         runqueue 3",
    );
}

/// Asleep on a folio, and woken by who knows what: not enough to name a lock.
#[test]
fn a_folio_wait_alone_is_not_a_lock() {
    shows(
        "20 out iowait in=folio_wait_bit_common | 92 woken by=x from=wake_up_process | 95 back \
         | 95 end",
        "cpu 20
         unexplained 72
         runqueue 3",
    );
}

/// Whoever unlocks folios wakes others, too.
#[test]
fn a_folio_unlock_alone_is_not_a_folio_wait() {
    shows(
        "20 out in=msleep,driver_read | 92 woken by=x from=folio_unlock | 95 back | 95 end",
        "cpu 20
         unexplained 72
         runqueue 3",
    );
}

#[test]
fn reclaim_on_and_off_the_cpu() {
    shows(
        "10 reclaim | 30 out reclaim | 60 woken by=kswapd | 65 back | 80 reclaimed | 100 end",
        "cpu 10
         reclaim 20
         reclaim 30
         runqueue 5
         reclaim 15
         cpu 20",
    );
}

#[test]
fn reclaim_that_never_sleeps() {
    shows(
        "10 reclaim | 40 reclaimed | 50 reclaim | 55 reclaimed | 100 end",
        "cpu 10
         reclaim 30
         cpu 10
         reclaim 5
         cpu 45",
    );
}

#[test]
fn preempted_is_preempted_in_reclaim_too() {
    shows(
        "10 reclaim | 30 out preempted reclaim | 60 back | 80 reclaimed | 90 end",
        "cpu 10
         reclaim 20
         preempted 30
         reclaim 20
         cpu 10",
    );
}

#[test]
fn preempted_until_it_is_back() {
    shows(
        "20 out preempted | 70 back | 100 end",
        "cpu 20
         preempted 50
         cpu 30",
    );
}

#[test]
fn a_server_by_its_magic_number() {
    for (magic, name) in [
        ("65735546", "fuse"),
        ("6969", "nfs"),
        ("ff534d42", "cifs"),
        ("fe534d42", "smb3"),
        ("01021997", "9p"),
        ("00c36400", "ceph"),
        ("5346414f", "afs"),
        ("73757245", "coda"),
        ("0bd00bd0", "lustre"),
    ] {
        shows(
            &format!("magic={magic} | 20 out | 92 woken by=served | 95 back | 100 end"),
            &format!("cpu 20\nserver 72 {name} by served\nrunqueue 3\ncpu 5"),
        );
    }
}

/// An overlay shows its own magic; the stack shows who really has to answer.
#[test]
fn a_server_by_the_stack() {
    shows(
        "magic=794c7630 | 20 out in=request_wait_answer,fuse_read_folio | 92 woken by=sshfs \
         | 95 back | 95 end",
        "cpu 20
         server 72 fuse by sshfs
         runqueue 3",
    );
}

#[test]
fn the_other_end_by_the_kind_of_descriptor() {
    for (of, stack, through) in [
        ("pipe", "anon_pipe_read", "pipe"),
        ("socket", "unix_stream_read_generic", "socket"),
        ("device", "n_tty_read", "terminal"),
        ("device", "evdev_read", "device"),
        ("eventfd", "eventfd_read", "descriptor"),
    ] {
        shows(
            &format!("{of} | 20 out in={stack} | 92 woken by=writer | 95 back | 100 end"),
            &format!("cpu 20\npeer 72 {through} by writer\nrunqueue 3\ncpu 5"),
        );
    }
}

#[test]
fn gates_before_the_device() {
    for (frame, cause) in [
        ("blkcg_maybe_throttle_current", "throttle"),
        ("ioc_rqos_throttle", "throttle"),
        ("blkcg_iolatency_throttle", "throttle"),
        ("__blk_throtl_bio", "throttle"),
        ("wbt_wait", "queue"),
        ("rq_qos_wait", "queue"),
        ("blk_mq_get_tag", "queue"),
        ("__blk_mq_alloc_requests", "queue"),
        ("__bio_queue_enter", "queue"),
    ] {
        shows(
            &format!("20 out in=io_schedule,{frame} | 92 woken by=x | 95 back | 100 end"),
            &format!("cpu 20\n{cause} 72\nrunqueue 3\ncpu 5"),
        );
    }
}

#[test]
fn no_evidence_is_unexplained() {
    shows(
        "20 out in=msleep,broken_driver_read | 92 woken by=x | 95 back | 100 end",
        "cpu 20
         unexplained 72
         runqueue 3
         cpu 5",
    );
}

/// The sleep is explained up to the wake-up. Then it ran at some time, nobody knows when.
#[test]
fn a_return_that_was_not_seen() {
    shows(
        "20 out | 25 submitted | 30 issued | 90 completed | 92 woken | 99 ran | 100 end",
        "cpu 20
         queue 10 data by me
         device 60 data by me
         completion 2 data by me
         unexplained 7 return unseen
         cpu 1",
    );
    shows(
        "20 out | 99 ran | 100 end",
        "cpu 20
         unexplained 79 return unseen
         cpu 1",
    );
    shows(
        "20 out preempted | 99 ran | 100 end",
        "cpu 20
         unexplained 79 return unseen
         cpu 1",
    );
}

/// Then nobody can tell when it became runnable: all of it is sleep.
#[test]
fn a_wake_up_that_was_not_seen() {
    shows(
        "20 out | 95 back | 100 end",
        "cpu 20
         unexplained 75 wake-up unseen
         cpu 5",
    );
    shows(
        "pipe | 20 out | 95 back | 100 end",
        "cpu 20
         peer 75 pipe by
         cpu 5",
    );
}

/// Another CPU can tell the wake-up before this one tells the switch-out: there was no
/// sleep, only a wait for the CPU (docs/blame.md, Wake-ups).
#[test]
fn a_wake_up_before_the_switch_out() {
    shows(
        "20 out | 18 woken by=x | 25 back | 30 end",
        "cpu 20
         runqueue 5
         cpu 5",
    );
}

#[test]
fn two_causes_in_one_call() {
    shows(
        "10 out lock=5 in=down_read,ext4_map_blocks | 30 woken by=x | 33 back \
         | 34 submitted | 35 issued | 40 out iowait | 80 completed | 81 woken | 85 back \
         | 86 out preempted | 90 back | 100 end",
        "cpu 10
         lock 20 extent tree lock at 5
         runqueue 3
         cpu 7
         device 40 data by me
         completion 1 data by me
         runqueue 4
         cpu 1
         preempted 4
         cpu 10",
    );
}

/// The end of a fault is the last moment at which it was seen: here the switch-in.
#[test]
fn a_fault_ends_where_it_was_last_seen() {
    shows(
        "fault | 5 submitted | 6 issued | 20 out iowait | 90 completed | 92 woken | 95 back \
         | 95 end",
        "cpu 20
         device 70 data by me
         completion 2 data by me
         runqueue 3",
    );
}
