//! Plain memory, a word at a time.
//!
//! What the compiler takes for a `memset` or `memmove` becomes a call of a function that
//! goes byte by byte: 80 bytes cost more than all the rest of a probe. It leaves volatile
//! accesses as they are.

const WORD: usize = size_of::<u64>();

/// Copies a `T`, whose size is a multiple of a word's and which has no padding.
///
/// # Safety
///
/// `from` is valid for reading a `T`, `to` for writing one.
#[inline(always)]
pub(crate) unsafe fn copy<T: Copy>(from: *const T, to: *mut T) {
    const { assert!(size_of::<T>().is_multiple_of(WORD) && align_of::<T>() == WORD) }
    for word in 0..size_of::<T>() / WORD {
        // SAFETY: within both, and aligned.
        unsafe {
            let value = from.cast::<u64>().add(word).read_volatile();
            to.cast::<u64>().add(word).write_volatile(value);
        }
    }
}

/// Zeroes a `T`, whose size is a multiple of a word's and of which zeroes are a value.
///
/// # Safety
///
/// `to` is valid for writing a `T`.
#[inline(always)]
pub(crate) unsafe fn zero<T: Copy>(to: *mut T) {
    const { assert!(size_of::<T>().is_multiple_of(WORD) && align_of::<T>() == WORD) }
    for word in 0..size_of::<T>() / WORD {
        // SAFETY: within the `T`, by the caller's word.
        unsafe { to.cast::<u64>().add(word).write_volatile(0) }
    }
}

/// Copies a thread's name, which lies at a word's boundary wherever it is kept.
///
/// # Safety
///
/// `from` is valid for reading, `to` for writing, and both are so aligned.
#[inline(always)]
pub(crate) unsafe fn copy_comm(from: *const [u8; 16], to: *mut [u8; 16]) {
    // SAFETY: sixteen bytes either way; the rest is the caller's word.
    unsafe {
        let from: *const [u64; 2] = from.cast();
        copy(from, to.cast());
    }
}
