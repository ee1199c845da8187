//! Requests, and what they and bios ask for.

use profiler_common::fields::ABSENT;

use super::{Request, bit};

/// The operation of a bio or request, with its flags (`blk_opf_t`).
#[derive(Clone, Copy)]
pub(crate) struct Operation(pub(super) u32);

/// `REQ_*` of the kernel's `linux/blk_types.h`.
const OP_MASK: u32 = 0xff;
const OP_READ: u32 = 0;
/// Operations from here on are the driver's own, not the block layer's.
const OP_DRIVER: u32 = 34;

impl Operation {
    #[inline(always)]
    pub(crate) fn is_read(self) -> bool {
        self.0 & OP_MASK == OP_READ
    }

    #[inline(always)]
    pub(crate) fn is_the_drivers(self) -> bool {
        self.0 & OP_MASK >= OP_DRIVER
    }

    #[inline(always)]
    pub(crate) fn is_metadata(self) -> bool {
        self.0 & bit!(req_meta) != 0
    }

    #[inline(always)]
    pub(crate) fn is_readahead(self) -> bool {
        self.0 & bit!(req_rahead) != 0
    }
}

impl Request {
    #[inline(always)]
    pub(crate) fn operation(self) -> Operation {
        Operation(self.cmd_flags())
    }

    /// Will the end of its accounting be told? Unless the queue keeps no accounts (iostats off).
    #[inline(always)]
    pub(crate) fn is_accounted(self) -> bool {
        let bit = bit!(request_accounted);
        bit == ABSENT || self.rq_flags() & bit != 0
    }
}
