//! Memory that is known only by its address.
//!
//! The kernel's function `bpf_rdonly_cast` gives an address a type, and the verifier removes its
//! call: so reading in place costs nothing. Without it, a copy by a helper costs 20 to 30 ns each.

use core::{arch::asm, mem::MaybeUninit};

use aya_ebpf::helpers::{self, bpf_probe_read_kernel_str_bytes, bpf_probe_read_user, generated};
use profiler_common::control::{STAND_IN_CAST, STAND_IN_PREEMPT, STAND_IN_SESSION};

use super::{field, fixed};

/// Ends a branch that reads in place what another branch reads from a copy. Else the
/// compiler makes one load of the two, which the verifier does not allow: an instruction
/// follows either a pointer with a type or one into a map.
#[inline(always)]
pub(crate) fn apart() {
    // SAFETY: no instruction.
    unsafe { asm!("", options(nostack)) }
}

/// Does the kernel have `bpf_rdonly_cast`?
#[inline(always)]
pub(super) fn can_cast() -> bool {
    fixed!(type_word) != 0
}

/// Tells the verifier to take an address for that of a type (by its number in the kernel's
/// BTF) that may be read, and that may turn out not to be there: then it reads as zero.
/// Only where [`can_cast`].
#[inline(always)]
pub(super) fn cast(address: u64, type_id: u32) -> *const u8 {
    let known: *const u8;
    // SAFETY: the loader makes this a call of `bpf_rdonly_cast`, which has no effect but
    // for what the verifier makes of its result.
    unsafe {
        asm!(
            "call {function}",
            function = const STAND_IN_CAST,
            inlateout("r1") address => _,
            inlateout("r2") u64::from(type_id) => _,
            lateout("r0") known,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
            options(nostack, readonly),
        );
    }
    known
}

/// Does this run of a session's program belong to the function's return?
#[inline(always)]
pub(crate) fn session_is_return(ctx: *mut core::ffi::c_void) -> bool {
    let is_return: u64;
    // SAFETY: the loader makes this a call of `bpf_session_is_return`, which has no effect.
    // It takes the context since 7.1, nothing before.
    unsafe {
        asm!(
            "call {function}",
            function = const STAND_IN_SESSION,
            inlateout("r1") ctx => _,
            lateout("r0") is_return,
            lateout("r2") _,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
            options(nostack, readonly),
        );
    }
    is_return as u8 != 0
}

/// How often preemption is disabled on this CPU; only where the loader has found the
/// variable.
#[inline(always)]
pub(crate) fn preempt_count() -> u32 {
    let variable: *const u8;
    // SAFETY: the loader makes this the address of a variable of each CPU, of which the
    // helper gives this one's.
    unsafe {
        asm!(
            "r1 = {stand_in} ll",
            "call 154",
            stand_in = const STAND_IN_PREEMPT,
            lateout("r0") variable,
            lateout("r1") _,
            lateout("r2") _,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
            options(nostack, readonly),
        );
    }
    // SAFETY: the verifier knows the variable's type, an `int`.
    let count: u32 = unsafe { field(variable, 0) };
    // The top bit says that no rescheduling is due.
    count & 0x7fff_ffff
}

/// The word at `offset` from an address; 0 if there is none. Never a pointer to the
/// verifier, so it can be calculated with.
#[inline(always)]
pub(crate) fn word(base: u64, offset: u32) -> u64 {
    let address = base + u64::from(offset);
    if can_cast() {
        let known = cast(address, fixed!(type_word));
        // SAFETY: the verifier takes it for a struct that begins with an `unsigned long`.
        let word = unsafe { field(known, 0) };
        apart();
        return word;
    }
    // SAFETY: the helper checks the address.
    unsafe { helpers::bpf_probe_read_kernel(address as *const u64) }.unwrap_or(0)
}

/// Copies from an address in user memory; `None` if it is bad.
#[inline(always)]
pub(crate) fn copy_user<T>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(address as *const T) }.ok()
}

/// The same; all zero if it is bad. Makes no copy of what may be large.
#[inline(always)]
pub(crate) fn copy_user_or_zero<T: Copy>(address: u64) -> T {
    let mut to = MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the address, and fills all of the destination: with zeros
    // where it cannot read (`bpf_probe_read_user_common`). Only used for plain integers.
    unsafe {
        generated::bpf_probe_read_user(
            to.as_mut_ptr().cast(),
            size_of::<T>() as u32,
            address as *const _,
        );
        to.assume_init()
    }
}

/// Copies a string, cut to fit, NUL padded as far as `to` was.
#[inline(always)]
pub(crate) fn copy_str(address: u64, to: &mut [u8]) {
    // SAFETY: the helper checks the address. A name that cannot be read stays empty.
    let _ = unsafe { bpf_probe_read_kernel_str_bytes(address as *const u8, to) };
}
