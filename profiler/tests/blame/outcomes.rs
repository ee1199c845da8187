//! What the page cache did for a call.

use profiler::blame::Outcome::{Direct, Eof, Error, Fault, Hit, Hole, Late, Miss, Other};

use crate::table::ends_as;

/// Asleep for a request that this call submitted.
const FETCHED: &str = "5 submitted | 6 issued | 20 out iowait | 90 completed | 90 woken | 91 back";
/// Asleep for a request that was on its way before the call began.
const AWAITED: &str =
    "0 submitted by=earlier readahead | 0 issued | 20 out | 90 completed | 90 woken | 91 back";

fn with(of: &str, what: &str) -> String {
    format!("{of} | {what} | 100 end")
}

#[test]
fn a_hit_needs_nobody() {
    ends_as("100 end", Hit);
    ends_as("disk | 100 end", Hit);
    // Preempted or waiting for the run queue, all bytes were there.
    ends_as("20 out preempted | 30 back | 100 end", Hit);
    // Readahead that a marked page sets off is for the reads to come.
    ends_as("filled=32 ahead=1 | 100 end", Hit);
}

#[test]
fn waiting_for_a_block_map_is_no_miss() {
    ends_as(
        "metadata=1 | 5 submitted metadata | 6 issued | 20 out iowait | 90 completed | 90 woken \
         | 91 back | 100 end",
        Hit,
    );
}

#[test]
fn late_is_on_its_way_already() {
    ends_as(&with("file", AWAITED), Late);
    // Also when the call sets off more readahead behind it.
    ends_as(&with("filled=32 ahead=1", AWAITED), Late);
    ends_as(
        "20 out in=folio_wait_bit_common | 90 woken by=x from=folio_unlock | 91 back | 100 end",
        Late,
    );
}

#[test]
fn what_a_worker_brings_for_another_call_is_late() {
    ends_as(
        "20 out iowait in=folio_wait_bit_common \
         | 90 woken by=kworker from=folio_wake_bit,end_bbio_data_read,process_one_work \
         | 91 back | 100 end",
        Late,
    );
}

#[test]
fn a_miss_brings_the_page() {
    ends_as(&with("filled=1 asked=1 data=1", FETCHED), Miss);
    ends_as(&with("filled=33 asked=1 ahead=1", FETCHED), Miss);
    // Brought and there before anybody had to sleep (a fast device, polled).
    ends_as("filled=1 asked=1 data=1 | 100 end", Miss);
    ends_as(
        "magic=65735546 filled=1 asked=1 | 20 out | 90 woken by=sshfs | 91 back | 100 end",
        Miss,
    );
}

#[test]
fn a_hole_asks_no_disk() {
    ends_as("filled=1 asked=1 | 100 end", Hole);
    ends_as("filled=1 asked=1 metadata=1 | 100 end", Hole);
}

#[test]
fn direct_goes_past_the_cache() {
    ends_as(&with("direct data=1", FETCHED), Direct);
    ends_as("direct | 100 end", Direct);
}

#[test]
fn the_end_of_the_file() {
    ends_as("returned=0 | 100 end", Eof);
    ends_as("direct returned=0 | 100 end", Eof);
    ends_as("returned=0 requested=0 | 100 end", Other);
}

#[test]
fn an_error_is_an_error_wherever() {
    for of in ["file", "pipe", "direct", "closed", "folder"] {
        ends_as(&format!("{of} returned=-5 | 100 end"), Error);
    }
    ends_as("returned=0 exit | 100 end", Error);
}

#[test]
fn a_fault_is_a_fault() {
    ends_as(&with("fault returned=0 filled=1 asked=1", FETCHED), Fault);
}

#[test]
fn what_has_no_page_cache_is_other() {
    for of in ["pipe", "socket", "device", "eventfd", "folder"] {
        ends_as(&format!("{of} | 100 end"), Other);
        ends_as(&format!("{of} returned=0 | 100 end"), Other);
    }
}
