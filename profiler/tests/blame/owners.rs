//! Whose request it was, and what for.

use crate::table::shows;

/// A request in flight since before the call began.
fn late(by: &str, expected: &str) {
    shows(
        &format!(
            "0 submitted {by} | 0 issued | 20 out | 90 completed | 90 woken | 95 back | 95 end"
        ),
        &format!("cpu 20\ndevice 70 {expected}\nrunqueue 5"),
    );
}

#[test]
fn it_is_told_whose_request_it_was() {
    late("by=me", "data by me");
    late("by=earlier", "data by earlier");
    late("by=sibling", "data by sibling");
    late("by=other", "data by fio of 8");
    late("by=nobody", "data by nobody");
}

/// A worker submits for somebody: its own name would mislead.
#[test]
fn a_worker_owns_nothing() {
    late("by=worker", "data by nobody");
    late("by=worker metadata", "metadata by nobody");
}

#[test]
fn it_is_told_what_the_request_was_for() {
    late("by=earlier readahead", "readahead by earlier");
    late("by=other metadata", "metadata by fio of 8");
    late("by=sibling readahead", "readahead by sibling");
    // File systems mark everything on the readahead path: metadata it is all the same.
    late("by=me metadata readahead", "metadata by me");
}

/// File systems mark all that goes through the readahead code, the page that was asked
/// for too. Whose call it was is what tells them apart, so without an owner it is data.
#[test]
fn readahead_of_nobody_is_data() {
    late("by=nobody readahead", "data by nobody");
    late("by=worker readahead", "data by nobody");
}
