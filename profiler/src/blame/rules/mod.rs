//! What ended a sleep: one rule a file, and a row for each.

mod completion;
mod lock;
mod peer;
mod request;
mod server;
mod stall;

use super::rule::Rule;

/// Rules for what ended a sleep, by precedence: what is certain before what is likely.
pub(super) const RULES: &[Rule] = &[
    lock::held_by_another,
    request::whose_completion_woke,
    server::of_a_file_system,
    peer::of_a_descriptor,
    stall::before_the_device,
    completion::handed_to_a_worker,
    completion::of_an_unseen_request,
    lock::of_a_folio,
];
