//! The kernel side: probes that state facts about read calls.
//!
//! It never names a cause. Contents:
//!
//! - [`maps`]: everything that is shared with the collector or between probes.
//! - [`kernel`]: the kernel's own structures, each a type, by offsets from its BTF.
//! - [`target`]: is this thread ours?
//! - [`thread`]: the state of a watched thread and of its open call.
//! - [`account`]: each thread's calls, held against the kernel's own count.
//! - [`sleep`]: its stays off the CPU, and who ends them.
//! - [`stack`]: kernel stacks, and which sleeps have their own.
//! - [`clock`]: the clock of all facts.
//! - [`emit`]: the one door to the ring, and the counters.
//! - [`settle`]: how quiet calls end.
//! - [`words`]: copying and zeroing, a word at a time.
//! - [`probes`]: one file a family of hooks.
#![no_std]
#![no_main]
#![expect(unstable_features, reason = "inline assembly for BPF is not stable")]
#![feature(asm_experimental_arch)]

mod account;
mod clock;
mod emit;
mod kernel;
mod maps;
mod probes;
mod settle;
mod sleep;
mod stack;
mod target;
mod thread;
mod words;

// The helpers that walk kernel memory and stacks are for GPL-compatible programs.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
