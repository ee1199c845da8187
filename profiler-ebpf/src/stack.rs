//! Kernel stacks: how they are kept, and which sleeps have their own.

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{bpf_get_stack, bpf_get_stackid},
    programs::BtfTracePointContext,
};

use crate::{
    emit::count,
    maps::{FRAMES, STACK_IDS},
    thread::Open,
};

/// Stores the kernel stack; negative where that is not possible.
///
/// Two stacks can fall into one slot of the map. Without its innermost frame, which is
/// this program's own, a stack has another slot: so it gets three tries.
#[inline(always)]
pub(crate) fn store(ctx: &BtfTracePointContext) -> i32 {
    for skip in 0..3 {
        let ids = (&raw const STACK_IDS).cast_mut().cast();
        // SAFETY: the context is this program's, the map a stack map.
        let id = unsafe { bpf_get_stackid(ctx.as_ptr(), ids, skip) };
        if id < 0 {
            continue;
        }
        if let Some(frames) = FRAMES.get_ptr_mut(id as u32) {
            // SAFETY: a live slot; an id means the same stack to all who write it.
            unsafe {
                if (*frames)[0] == 0 {
                    let bytes = size_of_val(&*frames) as u32;
                    bpf_get_stack(ctx.as_ptr(), frames.cast(), bytes, skip);
                }
            }
        }
        return id as i32;
    }
    count(|c| &mut c.no_stack, 1);
    -1
}

/// The stack that the thread usually sleeps with for requests of its own.
///
/// To walk a stack takes 4 µs, which is more than all else that is done about a cold read.
/// Where the completion of its own request is what wakes a thread, over and over in the same
/// kind of call on the same file, the stack tells nothing new: one sleep in [`Usual::EACH`]
/// has its own, the others have that one's. A sleep that anything else ended has none then,
/// and a long row of stacks follows: so where that happens at all (a worker that ends reads,
/// tags that run out), all but one in some hundred sleeps have their own.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Usual {
    mapping: u64,
    kind: u64,
    stack: i32,
    /// Sleeps that it may still stand for.
    left: u32,
    /// Sleeps that have to be as foreseen before it stands for others again.
    doubt: u32,
    unused: u32,
}

impl Usual {
    const EACH: u32 = 64;
    const DOUBT: u32 = 255;

    /// The stack that this sleep can do with.
    #[inline(always)]
    pub(crate) fn of(&mut self, open: &Open) -> Option<i32> {
        let kind = Self::kind(open);
        if self.left == 0 || self.mapping != open.mapping || self.kind != kind {
            return None;
        }
        self.left -= 1;
        Some(self.stack)
    }

    /// A stack was taken, as there was none to do with.
    #[inline(always)]
    pub(crate) fn take(&mut self, open: &Open, stack: i32) {
        self.mapping = open.mapping;
        self.kind = Self::kind(open);
        self.stack = stack;
        self.left = 0;
    }

    /// It was a request's completion that ended the sleep, for which a stack was taken.
    #[inline(always)]
    pub(crate) fn foreseen(&mut self) {
        if self.doubt != 0 {
            self.doubt -= 1;
        } else {
            self.left = Self::EACH - 1;
        }
    }

    /// It was something else.
    #[inline(always)]
    pub(crate) fn not_foreseen(&mut self) {
        self.left = 0;
        self.doubt = Self::DOUBT;
    }

    #[inline(always)]
    fn kind(open: &Open) -> u64 {
        u64::from(open.call) | u64::from(open.requests) << 8 | u64::from(open.file_flags) << 32
    }
}
