//! The fields of the kernel's own structures that the probes read: one list.
//!
//! It makes [`Offsets`], what the loader looks up in the running kernel's BTF ([`FIELDS`]), and the
//! accessors of the kernel side, so a field cannot be read as another type than was looked for.

use crate::pod;

/// Calls a macro with all fields, by the structure that they lie in.
///
/// A structure has the name of its offsets, the type that the kernel side has for it, and the
/// kernel's name. A field is read in place as a value (`val`) or a pointer to another structure of
/// the list (`ptr`); `low` reads the lowest bytes of what may be wider; `place` is read by address
/// only. It is `needed`, `optional`, or needed and `spanned`: it has to lie in the first
/// [`SPAN`](crate::control::SPAN) bytes. Of several paths the first one that there is counts.
#[macro_export]
macro_rules! kernel_fields {
    ($make:ident) => {
        $make! {
            task: Task "task_struct" {
                val tid: u32, needed ["pid"];
                val pid: u32, needed ["tgid"];
                place comm: [u8; 16], needed ["comm"];
                val flags: u32, needed ["flags"];
                ptr files: Files, needed ["files"];
                val min_flt: u64, needed ["min_flt"];
                val maj_flt: u64, needed ["maj_flt"];
                val nvcsw: u64, needed ["nvcsw"];
                val nivcsw: u64, needed ["nivcsw"];
                val syscr: u64, optional ["ioac.syscr"];
                val rchar: u64, optional ["ioac.rchar"];
                val status: u32, optional [$crate::fields::STATUS];
            }
            files: Files "files_struct" {
                ptr fdt: FdTable, needed ["fdt"];
            }
            fdtable: FdTable "fdtable" {
                val max_fds: u32, needed ["max_fds"];
                val fd: u64, needed ["fd"];
            }
            file: File "file" {
                ptr inode: Inode, spanned ["f_inode"];
                ptr mapping: Mapping, needed ["f_mapping"];
                val flags: u32, spanned ["f_flags"];
                val pos: i64, spanned ["f_pos"];
                val dentry: u64, spanned ["f_path.dentry"];
            }
            dentry: Dentry "dentry" {
                place name: u64, needed ["d_name.name", "__d_name.name"];
            }
            inode: Inode "inode" {
                val mode: u16, spanned ["i_mode"];
                ptr sb: SuperBlock, spanned ["i_sb"];
                val ino: u64, spanned ["i_ino"];
                val size: u64, spanned ["i_size"];
            }
            sb: SuperBlock "super_block" {
                val dev: u32, needed ["s_dev"];
                val magic: u64, needed ["s_magic"];
            }
            mapping: Mapping "address_space" {
                ptr host: Inode, needed ["host"];
            }
            fault: Fault "vm_fault" {
                ptr vma: Area, optional ["vma"];
                val pgoff: u64, optional ["pgoff"];
            }
            area: Area "vm_area_struct" {
                ptr file: File, optional ["vm_file"];
            }
            readahead: Readahead "readahead_control" {
                ptr ra: ReadaheadState, optional ["ra"];
            }
            readahead_state: ReadaheadState "file_ra_state" {
                val ra_pages: u32, optional ["ra_pages"];
            }
            folio: Folio "folio" {
                val mapping: u64, needed ["mapping"];
                val index: u64, needed ["index"];
                val flags: u64, needed ["flags"];
                // Before 6.18 a byte of its own, then the low byte of a word of the second page.
                low order: u8, needed ["_folio_order", "_flags_1"];
            }
            page: Page "page" {
                place mapping: u64, needed ["mapping"];
                // Since 7.3 `compound_info`, as it became a mask in some configurations.
                place compound_head: u64, needed ["compound_head", "compound_info"];
            }
            bio: Bio "bio" {
                val opf: u32, needed ["bi_opf"];
                val flags: u16, needed ["bi_flags"];
                val size: u32, needed ["bi_iter.bi_size"];
                ptr io_vec: BioVec, needed ["bi_io_vec"];
            }
            bio_vec: BioVec "bio_vec" {
                place page: u64, needed ["bv_page"];
            }
            request: Request "request" {
                val cmd_flags: u32, needed ["cmd_flags"];
                val rq_flags: u32, needed ["rq_flags"];
                val sector: u64, needed ["__sector"];
                ptr bio: Bio, needed ["bio"];
                ptr part: Partition, needed ["part"];
                val start_ns: u64, optional ["start_time_ns"];
            }
            partition: Partition "block_device" {
                val dev: u32, needed ["bd_dev"];
            }
            regs: Regs "pt_regs" {
                val arg0: u64, needed [$crate::fields::ARGUMENTS[0]];
                val arg1: u64, needed [$crate::fields::ARGUMENTS[1]];
                val arg2: u64, needed [$crate::fields::ARGUMENTS[2]];
                val arg3: u64, needed [$crate::fields::ARGUMENTS[3]];
                // As it still stands when the call returns. aarch64 has 32 bits of it, and
                // something else behind.
                low number: u32, needed ["orig_ax", "syscallno"];
            }
        }
    };
}

/// Where a system call's arguments lie in `struct pt_regs` at its entry.
pub const ARGUMENTS: [&str; 4] = if cfg!(target_arch = "aarch64") {
    ["regs[0]", "regs[1]", "regs[2]", "regs[3]"]
} else {
    ["di", "si", "dx", "r10"]
};

/// Says that a call is a 32-bit one; elsewhere than on x86_64 it is not looked for.
pub const STATUS: &str = if cfg!(target_arch = "x86_64") {
    "thread_info.status"
} else {
    ""
};

/// A field that the running kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// A field, as it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The structure, by the kernel's name.
    pub record: &'static str,
    /// Where it lies in that; the first path that the kernel has counts.
    pub paths: &'static [&'static str],
    /// Bytes that are read.
    pub width: u32,
    /// Whether all of the field is read.
    pub how: How,
    /// Whether the probes can do without it.
    pub need: Need,
}

/// How a field is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// All of it, so it has to have the width that is read.
    Whole,
    /// The lowest bytes of it.
    Low,
}

/// Can the probes do without a field?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// No: the loader refuses a kernel without it.
    Needed,
    /// Yes: its offset is [`ABSENT`] where the kernel lacks it.
    Optional,
    /// No, and it has to lie in the bytes that are copied at once.
    Spanned,
}

macro_rules! width {
    (ptr $type:ty) => {
        size_of::<u64>() as u32
    };
    ($how:ident $type:ty) => {
        size_of::<$type>() as u32
    };
}

macro_rules! how {
    (low) => {
        How::Low
    };
    ($how:ident) => {
        How::Whole
    };
}

macro_rules! need {
    (needed) => {
        Need::Needed
    };
    (optional) => {
        Need::Optional
    };
    (spanned) => {
        Need::Spanned
    };
}

macro_rules! offsets {
    ($(
        $object:ident: $type:ident $record:literal {
            $($how:ident $field:ident: $read:ty, $need:ident [$($path:expr),+];)*
        }
    )*) => {
        /// Offsets of one structure's fields, in bytes.
        pub mod of {
            $(
                #[repr(C)]
                #[derive(Clone, Copy, Debug, PartialEq, Eq)]
                #[doc = concat!("Of `struct ", $record, "`.")]
                pub struct $type {
                    $(
                        #[doc = concat!("Offset of `", stringify!($field), "` (see [`kernel_fields`](crate::kernel_fields)).")]
                        pub $field: u32,
                    )*
                }
            )*
        }

        /// Where the running kernel keeps the fields that the probes read, in bytes.
        ///
        /// Looked up in the kernel's BTF at start and frozen before the programs are
        /// verified, so each is a constant there. [`ABSENT`] where the kernel has no such
        /// field: the code that reads it is then dead to the verifier.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Offsets {
            $(
                #[doc = concat!("Fields of `struct ", $record, "`.")]
                pub $object: of::$type,
            )*
        }

        impl Offsets {
            /// Before they are looked up.
            pub const ABSENT: Self = Self {
                $($object: of::$type { $($field: ABSENT,)* },)*
            };

            /// Looks up each.
            ///
            /// # Errors
            ///
            /// The first of `find`.
            pub fn look_up<E>(mut find: impl FnMut(&Field) -> Result<u32, E>) -> Result<Self, E> {
                let mut fields = FIELDS.iter();
                // One for each: they are made from the same list.
                let mut next = || fields.next().map_or(Ok(ABSENT), &mut find);
                Ok(Self {
                    $($object: of::$type { $($field: next()?,)* },)*
                })
            }
        }

        /// All fields, in the order in which they lie in [`Offsets`].
        pub static FIELDS: [Field; size_of::<Offsets>() / size_of::<u32>()] = [
            $($(
                Field {
                    record: $record,
                    paths: &[$($path),+],
                    width: width!($how $read),
                    how: how!($how),
                    need: need!($need),
                },
            )*)*
        ];
    };
}
kernel_fields!(offsets);

/// Bits of the kernel's words, which differ between kernels and configurations.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    /// Byte of `struct task_struct` that holds the bit `in_iowait`; [`ABSENT`]: none.
    pub in_iowait: u32,
    /// The bit's mask in that byte.
    pub in_iowait_mask: u32,
    /// Bit of `folio.flags` that marks more than one page.
    pub folio_head: u32,
    /// Bit of `folio.flags` that marks a folio which is being written back.
    pub folio_writeback: u32,
    /// Bits of `bio.bi_flags` that say a cgroup's limit held it.
    pub bio_throttled: u32,
    /// Bits of a bio's or request's operation (`REQ_RAHEAD`) that mark it as readahead.
    pub req_rahead: u32,
    /// Bits of a bio's or request's operation (`REQ_META`) that mark it as metadata.
    pub req_meta: u32,
    /// Bit of `request.rq_flags` without which no end of accounting is told.
    pub request_accounted: u32,
}

impl Bits {
    /// Before they are looked up.
    pub const ABSENT: Self = Self {
        in_iowait: ABSENT,
        in_iowait_mask: 0,
        folio_head: 0,
        folio_writeback: 0,
        bio_throttled: 0,
        req_rahead: 0,
        req_meta: 0,
        request_accounted: ABSENT,
    };
}

const _: () = assert!(size_of::<Bits>() == 32);

pod!(Offsets, Bits);
