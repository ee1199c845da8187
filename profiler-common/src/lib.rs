//! The wire between the kernel side and the collector.
//!
//! Everything here is plain memory that crosses the boundary as it lies:
//! `repr(C)`, fixed widths, named padding, no `bool`, no `enum`, no `Option`.
//! Sizes are asserted where the types are defined.
//!
//! - [`calls`]: the calls that the probes know.
//! - [`fact`]: what the ring carries.
//! - [`control`]: what the collector tells the kernel side, before and while it runs.
//! - [`layout`]: the number of the facts' layout.
//! - [`fields`]: the fields of the kernel's structures that the probes read.
//! - [`target`]: what is watched.
//! - [`bpf_user`]: who makes BPF map system calls.
//! - [`counter`]: what the kernel side counts of itself: facts made, lost, refused.
//! - [`histogram`]: how quiet calls are settled in the kernel.
#![no_std]
#![deny(missing_docs, clippy::missing_errors_doc)]

pub mod bpf_user;
pub mod calls;
pub mod control;
pub mod counter;
pub mod fact;
pub mod fields;
pub mod histogram;
pub mod layout;
pub mod target;

/// Implements aya's marker for types that are read from or written to maps.
#[cfg(feature = "user")]
macro_rules! pod {
    ($($type:ty),+ $(,)?) => {$(
        // SAFETY: `repr(C)`, only integers and arrays of them, no padding
        // (each module asserts its sizes): every bit pattern is a value.
        unsafe impl aya::Pod for $type {}
    )+};
}
#[cfg(not(feature = "user"))]
macro_rules! pod {
    ($($type:ty),+ $(,)?) => {};
}
use pod;
