//! What is certain comes before what is likely.

use crate::table::shows;

/// A row with the evidence of several causes, and the cause that wins.
fn wins(row: &str, expected: &str) {
    shows(
        &format!("{row} | 95 back | 95 end"),
        &format!("cpu 20\n{expected}\nrunqueue 3"),
    );
}

const FOLIO: &str = "in=io_schedule,folio_wait_bit_common";
const WORKER: &str =
    "by=kworker from=folio_wake_bit,end_bbio_data_read,process_one_work,worker_thread";
const UNLOCKS: &str = "by=x from=folio_unlock";

#[test]
fn a_lock_before_a_request() {
    wins(
        "1 submitted | 2 issued | 20 out lock=9 | 92 completed | 92 woken",
        "lock 72 lock at 9",
    );
}

#[test]
fn reclaim_before_a_lock() {
    wins("20 out reclaim lock=9 | 92 woken by=x", "reclaim 72");
}

#[test]
fn a_request_before_a_server() {
    wins(
        "magic=6969 | 1 submitted | 2 issued | 20 out | 92 completed | 92 woken",
        "device 72 data by me",
    );
}

#[test]
fn a_request_before_a_peer() {
    wins(
        "pipe | 1 submitted | 2 issued | 20 out | 92 completed | 92 woken",
        "device 72 data by me",
    );
}

#[test]
fn a_server_before_a_worker() {
    wins(
        "magic=6969 | 1 submitted | 2 issued | 20 out iowait | 60 completed | 92 woken by=nfsd",
        "server 72 nfs by nfsd",
    );
}

#[test]
fn a_peer_before_a_gate() {
    wins(
        "socket | 20 out in=wbt_wait | 92 woken by=x",
        "peer 72 socket by x",
    );
}

#[test]
fn a_worker_before_a_folio_lock() {
    wins(
        &format!(
            "1 submitted | 2 issued | 20 out iowait {FOLIO} | 60 completed | 92 woken {UNLOCKS}"
        ),
        "device 40 data by me\ncompletion 32 data by me",
    );
}

/// Who waits for a tag is not waiting for what has been submitted already.
#[test]
fn a_gate_before_a_worker() {
    wins(
        "1 submitted | 2 issued | 20 out iowait in=io_schedule,blk_mq_get_tag | 60 completed \
         | 92 woken by=x from=sbitmap_queue_wake_up",
        "queue 72",
    );
}

#[test]
fn a_read_of_whomever_before_a_folio_lock() {
    wins(
        &format!("20 out iowait {FOLIO} | 92 woken {WORKER}"),
        "device 72 a read, ended by kworker",
    );
    // Not without the worker: then it is a task that had the folio.
    wins(
        &format!("20 out iowait {FOLIO} | 92 woken by=x from=folio_unlock,end_bbio_data_read"),
        "lock 72 folio lock",
    );
}

#[test]
fn a_gate_before_a_folio_lock() {
    wins(
        &format!("20 out {FOLIO},blk_mq_get_tag | 92 woken {UNLOCKS}"),
        "queue 72",
    );
}

/// A gate says that the thread could not submit; a limit is the harder reason.
#[test]
fn a_limit_before_a_full_device() {
    wins(
        "20 out in=rq_qos_wait,ioc_rqos_throttle | 92 woken by=x",
        "throttle 72",
    );
}
