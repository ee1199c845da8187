//! One file a family of hooks.

mod block;
mod cache;
mod fault;
mod lock;
mod preempt;
mod read;
mod readahead;
mod reclaim;
mod sched;
mod task;
