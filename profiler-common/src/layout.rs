//! The number of the facts' layout.

/// The layout of the facts. It grows by one whenever a type of [`crate::fact`] changes, so that
/// what was recorded with another layout is known by it.
pub const LAYOUT: u32 = 2;

#[cfg(test)]
mod tests {
    extern crate std;

    use core::mem::offset_of;
    use std::{format, string::String};

    use super::LAYOUT;
    use crate::fact::{Ended, Head, Reclaim, Request, RequestFacts, Wait};

    /// The layout that belongs to [`LAYOUT`].
    const OF: (u32, u32) = (2, 4_092_741_558);

    /// Says where each field of a type lies. A field that is not listed does not compile.
    macro_rules! layout {
        ($($type:ident { $($field:ident),+ $(,)? })+) => {{
            let mut text = String::new();
            $(
                let $type { $($field: _),+ } = $type::default();
                text += &format!("{} {}:", stringify!($type), size_of::<$type>());
                $(text += &format!(" {} {}", stringify!($field), offset_of!($type, $field));)+
                text += "\n";
            )+
            text
        }};
    }

    #[test]
    fn a_change_of_the_facts_has_a_number_of_its_own() {
        let text = layout! {
            Head { kind, size, tid, pid, at_ns, call_ns, op }
            RequestFacts {
                submitted_ns, issued_ns, completed_ns, sector, owner_op, bytes, dev, owner_tid,
                owner_pid, flags, unused, owner_comm,
            }
            Wait {
                head, out_ns, woken_ns, lock, lock_ns, lock_flags, state, flags, stack,
                waker_stack, waker_tid, waker_pid, unused, waker_comm, request,
            }
            Reclaim { head, begin_ns, pages }
            Request { head, request }
            Ended {
                head, requested, returned, offset, inode, file_size, bio_bytes, bios, facts,
                filled, filled_asked, filled_other, readahead_sync, readahead_async, dev, magic,
                mode, file_flags, fd, call, flags, comm, name,
            }
        };
        let sum = text.bytes().fold(0x811c_9dc5_u32, |sum, byte| {
            (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        assert_eq!(
            (LAYOUT, sum),
            OF,
            "the facts have changed: give LAYOUT the next number, and write it here with the sum \
             of\n{text}"
        );
    }
}
