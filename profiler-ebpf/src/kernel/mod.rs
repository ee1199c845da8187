//! The kernel's own structures, each a type.
//!
//! A hook's arguments, and pointers read through them, are pointers whose type the verifier
//! knows: they are read in place, by offsets that the loader took from the running kernel's
//! BTF. A field that this kernel lacks has the offset `ABSENT`; the branch that would read it
//! is dead code to the verifier.
//!
//! What is only known by its address is read in place too, where the kernel has a function for
//! it, or copied ([`memory`]).

mod bio;
mod file;
mod folio;
mod memory;
mod request;
mod task;

use profiler_common::{fields::ABSENT, kernel_fields};

pub(crate) use self::{
    bio::Origin,
    file::{BLOCK_DEVICE, FORMAT, OpenFile, REGULAR, Span},
    memory::{
        apart, copy_str, copy_user, copy_user_or_zero, preempt_count, session_is_return, word,
    },
    request::Operation,
    task::current_task,
};

/// Offset of a field: `at!(task.pid)`.
macro_rules! at {
    ($object:ident . $field:ident) => {
        $crate::maps::constant!(OFFSETS.$object.$field)
    };
}
pub(crate) use at;

/// A bit of one of the kernel's words: `bit!(folio_head)`.
macro_rules! bit {
    ($field:ident) => {
        $crate::maps::constant!(BITS.$field)
    };
}
pub(crate) use bit;

/// Session constants by name: `fixed!(self_pid)`.
macro_rules! fixed {
    ($field:ident) => {
        $crate::maps::constant!(FIXED.$field)
    };
}
pub(crate) use fixed;

/// Reads the `T` at `offset` of a structure.
///
/// # Safety
///
/// `base` is a pointer whose type the verifier knows (it rejects the program unless `offset` lies
/// within that type; a bad address reads as zero, by the exception table), and any bits are a `T`.
#[inline(always)]
unsafe fn field<T: Copy>(base: *const u8, offset: u32) -> T {
    // SAFETY: by the caller's word.
    unsafe { core::ptr::read_volatile(base.add(offset as usize).cast::<T>()) }
}

/// A type for each structure of the list, with an accessor for each field that is read in place.
macro_rules! structures {
    ($(
        $object:ident: $type:ident $record:literal {
            $($how:ident $field:ident: $read:ty, $need:ident [$($path:expr),+];)*
        }
    )*) => {$(
        #[doc = concat!("`struct ", $record, "`, by a pointer whose type the verifier knows.")]
        #[repr(transparent)]
        #[derive(Clone, Copy)]
        #[allow(dead_code, reason = "some are known by address only")]
        pub(crate) struct $type(*const u8);

        #[allow(dead_code, reason = "not all come as arguments, or are asked for their address")]
        impl $type {
            /// # Safety
            ///
            /// `pointer` is one to such a structure, of which the verifier knows that.
            #[inline(always)]
            pub(crate) unsafe fn new(pointer: *const u8) -> Self {
                Self(pointer)
            }

            #[inline(always)]
            pub(crate) fn address(self) -> u64 {
                self.0 as u64
            }

            $(accessor!($how $need $object $field $read);)*
        }
    )*};
}

/// Reads a field in place. What is read has the width that the loader has found in BTF.
macro_rules! accessor {
    (place $need:ident $object:ident $field:ident $read:ty) => {};
    ($how:ident optional $object:ident $field:ident $read:ty) => {
        #[inline(always)]
        pub(crate) fn $field(self) -> Option<$read> {
            let offset = at!($object.$field);
            if offset == ABSENT {
                return None;
            }
            // SAFETY: only `new` and accessors make a structure, and the field is one of its.
            Some(unsafe { field(self.0, offset) })
        }
    };
    ($how:ident $need:ident $object:ident $field:ident $read:ty) => {
        #[inline(always)]
        pub(crate) fn $field(self) -> $read {
            let offset = at!($object.$field);
            // SAFETY: only `new` and accessors make a structure, and the field is one of its.
            unsafe { field(self.0, offset) }
        }
    };
}

kernel_fields!(structures);
