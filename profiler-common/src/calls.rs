//! The calls that the probes know, one row each.
//!
//! The kernel side, the loader, the readings of /proc and the report's names all use this table.
//! To add a call, add its row here. A kind of call that is told also needs its arguments described
//! in the kernel side (`probes/read.rs`), if their [`Shape`] or [`Position`] is new (the compiler
//! says where), and a call of the collector's own (`load/own_reads.rs`; a test says so).

// Values of [`Call::kind`], and of [`Ended::call`](crate::fact::Ended::call).

/// `read(2)`.
pub const CALL_READ: u32 = 1;
/// `pread64(2)`.
pub const CALL_PREAD: u32 = 2;
/// `readv(2)`.
pub const CALL_READV: u32 = 3;
/// `preadv(2)`.
pub const CALL_PREADV: u32 = 4;
/// `preadv2(2)`.
pub const CALL_PREADV2: u32 = 5;
/// A fault on a file mapping: no system call, so it has no number.
pub const CALL_FAULT: u32 = 6;
/// In the table only: it is no read, but the kernel counts it as one
/// (`task_struct.ioac.syscr`).
pub const CALL_COUNTED: u32 = 7;
/// In the table only: `bpf(2)`. While a map system call is in progress, the kernel skips
/// kprobes and classic tracepoints on its CPU.
pub const CALL_BPF: u32 = 8;

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// One of the `CALL_*` constants.
    pub kind: u32,
    /// Name of the system call, as the report gives it.
    pub name: &'static str,
    /// The function behind it, without the architecture's prefix; empty: no system call.
    pub function: &'static str,
    /// Its number on x86_64; [`NO_NUMBER`]: no system call.
    pub x86_64: u16,
    /// Its number on aarch64; [`NO_NUMBER`]: no system call.
    pub aarch64: u16,
    /// Which arguments say how many bytes it asks for.
    pub shape: Shape,
    /// Where in the file it reads.
    pub position: Position,
    /// What the probes do about it.
    pub family: Family,
}

/// [`Call::x86_64`] and [`Call::aarch64`] of what is no system call.
pub const NO_NUMBER: u16 = u16::MAX;

/// Numbers of system calls are below this.
pub const NUMBERS: usize = 512;

/// What a call's arguments say of the bytes that it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// They are not looked at.
    Other = 0,
    /// `(fd, buffer, bytes, …)`
    Buffer = 1,
    /// `(fd, vector, buffers, …)`
    Vector = 2,
}

/// Where in the file a call reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// At the file's position.
    File = 0,
    /// At the fourth argument.
    Argument = 1,
    /// At the fourth argument; if that is -1, at the file's position.
    ArgumentOrFile = 2,
}

/// What a call is to the probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A read system call: it is told.
    Read,
    /// A fault, which is told too.
    Fault,
    /// No read, but the kernel counts it as one: it is left out of the kernel's count.
    Counted,
    /// `bpf(2)`: who makes it is noted.
    Bpf,
}

/// All of them.
pub const CALLS: [Call; 13] = {
    use Family::Counted;
    use Position::{Argument, ArgumentOrFile, File};
    use Shape::{Buffer, Vector};
    [
        read(CALL_READ, "read", [0, 63], Buffer, File),
        read(CALL_PREAD, "pread64", [17, 67], Buffer, Argument),
        read(CALL_READV, "readv", [19, 65], Vector, File),
        read(CALL_PREADV, "preadv", [295, 69], Vector, Argument),
        read(CALL_PREADV2, "preadv2", [327, 286], Vector, ArgumentOrFile),
        Call {
            function: "",
            ..other(CALL_FAULT, "fault", [NO_NUMBER; 2], Family::Fault)
        },
        Call {
            function: "sendfile64",
            ..other(CALL_COUNTED, "sendfile", [40, 71], Counted)
        },
        other(CALL_COUNTED, "copy_file_range", [326, 285], Counted),
        other(CALL_COUNTED, "execve", [59, 221], Counted),
        other(CALL_COUNTED, "execveat", [322, 281], Counted),
        // The kernel itself reads the file that it is given.
        other(CALL_COUNTED, "finit_module", [313, 273], Counted),
        other(CALL_COUNTED, "kexec_file_load", [320, 294], Counted),
        other(CALL_BPF, "bpf", [321, 280], Family::Bpf),
    ]
};

const fn read(
    kind: u32,
    name: &'static str,
    numbers: [u16; 2],
    shape: Shape,
    position: Position,
) -> Call {
    Call {
        shape,
        position,
        ..other(kind, name, numbers, Family::Read)
    }
}

const fn other(kind: u32, name: &'static str, [x86_64, aarch64]: [u16; 2], family: Family) -> Call {
    Call {
        kind,
        name,
        function: name,
        x86_64,
        aarch64,
        shape: Shape::Other,
        position: Position::File,
        family,
    }
}

impl Call {
    /// Its number on the architecture that this is built for; `None`: it is no system call.
    pub const fn number(&self) -> Option<usize> {
        let number = if cfg!(target_arch = "aarch64") {
            self.aarch64
        } else {
            self.x86_64
        };
        if number == NO_NUMBER {
            None
        } else {
            Some(number as usize)
        }
    }

    /// What the kernel side is told of it.
    pub const fn entry(&self) -> Entry {
        Entry(
            (self.kind as u8)
                | (self.shape as u8) << SHAPE_SHIFT
                | (self.position as u8) << POSITION_SHIFT,
        )
    }
}

/// The call that is told with this kind; `None`: there is none.
pub fn told(kind: u32) -> Option<&'static Call> {
    static TABLE: [Call; CALLS.len()] = CALLS;
    let is_it =
        |call: &&Call| call.kind == kind && matches!(call.family, Family::Read | Family::Fault);
    TABLE.iter().find(is_it)
}

/// The read that has this system call number on the architecture that this is built for.
pub fn read_of_number(number: usize) -> Option<&'static Call> {
    static TABLE: [Call; CALLS.len()] = CALLS;
    let is_it = |call: &&Call| call.number() == Some(number) && call.family == Family::Read;
    TABLE.iter().find(is_it)
}

const SHAPE_SHIFT: u32 = 4;
const POSITION_SHIFT: u32 = 6;
const KIND_MASK: u8 = (1 << SHAPE_SHIFT) - 1;

/// A call in one byte: its kind, shape and position. So one load, by the system call's number,
/// tells the kernel side all of it.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry(pub u8);

impl Entry {
    /// A system call that the probes leave alone.
    pub const NONE: Self = Self(0);

    /// Its `CALL_*` constant.
    #[inline(always)]
    pub const fn kind(self) -> u32 {
        (self.0 & KIND_MASK) as u32
    }

    /// Does it have this kind? One comparison for kinds whose arguments are not looked at.
    #[inline(always)]
    pub const fn is_other(self, kind: u32) -> bool {
        self.0 as u32 == kind
    }

    /// What its arguments say of the bytes; `None`: it is no call of this table.
    #[inline(always)]
    pub const fn shape(self) -> Option<Shape> {
        const BUFFER: u8 = Shape::Buffer as u8;
        const VECTOR: u8 = Shape::Vector as u8;
        const OTHER: u8 = Shape::Other as u8;
        match self.0 >> SHAPE_SHIFT & 3 {
            BUFFER => Some(Shape::Buffer),
            VECTOR => Some(Shape::Vector),
            OTHER => Some(Shape::Other),
            _ => None,
        }
    }

    /// Where it reads; `None`: it is no call of this table.
    #[inline(always)]
    pub const fn position(self) -> Option<Position> {
        const FILE: u8 = Position::File as u8;
        const ARGUMENT: u8 = Position::Argument as u8;
        const EITHER: u8 = Position::ArgumentOrFile as u8;
        match self.0 >> POSITION_SHIFT & 3 {
            FILE => Some(Position::File),
            ARGUMENT => Some(Position::Argument),
            EITHER => Some(Position::ArgumentOrFile),
            _ => None,
        }
    }
}

/// The calls by system call number, for the kernel side.
pub const fn by_number() -> [u8; NUMBERS] {
    let mut table = [Entry::NONE.0; NUMBERS];
    let mut row = 0;
    while row < CALLS.len() {
        if let Some(number) = CALLS[row].number() {
            table[number] = CALLS[row].entry().0;
        }
        row += 1;
    }
    table
}

const _: () = {
    let mut row = 0;
    while row < CALLS.len() {
        let call = CALLS[row];
        assert!(call.kind != 0 && call.kind <= KIND_MASK as u32);
        // What is told has arguments that are understood; what is not told has none.
        let is_read = matches!(call.family, Family::Read);
        assert!(is_read != matches!(call.shape, Shape::Other));
        row += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_told_apart() {
        for (row, call) in CALLS.iter().enumerate() {
            for other in &CALLS[row + 1..] {
                assert_ne!(call.name, other.name);
                assert_eq!(
                    call.kind == other.kind,
                    call.family == Family::Counted && other.family == Family::Counted,
                    "{} and {}",
                    call.name,
                    other.name
                );
                for (one, another) in [(call.x86_64, other.x86_64), (call.aarch64, other.aarch64)] {
                    assert!(one != another, "{} and {}", call.name, other.name);
                }
            }
        }
    }

    #[test]
    fn an_entry_says_what_the_row_says() {
        for call in CALLS {
            let entry = call.entry();
            assert_eq!(entry.kind(), call.kind);
            assert_eq!(entry.shape(), Some(call.shape));
            assert_eq!(entry.position(), Some(call.position));
            let is_other = call.shape == Shape::Other;
            assert_eq!(entry.is_other(call.kind), is_other, "{}", call.name);
        }
    }

    #[test]
    fn an_unknown_entry_is_no_vector() {
        let known = CALLS.map(|call| call.entry().0);
        for byte in (0..=u8::MAX).filter(|byte| byte >> SHAPE_SHIFT & 3 == 3) {
            assert!(!known.contains(&byte));
            assert_eq!(Entry(byte).shape(), None);
        }
    }

    #[test]
    fn a_kind_that_is_not_told_has_no_name() {
        assert_eq!(told(CALL_PREAD).map(|call| call.name), Some("pread64"));
        for kind in [0, CALL_COUNTED, CALL_BPF, 99] {
            assert_eq!(told(kind), None, "{kind}");
        }
    }
}
