//! What numbers of the wire are called.

use std::collections::BTreeMap;

use super::v1::{CallKind, OwnerKind, RequestWords, Word};
use crate::blame::{Detail, IoKind, Owner};

/// Names of block devices, by the kernel's `dev_t`.
pub(super) type Devices = BTreeMap<u32, String>;

/// Bytes from outside (a path, a thread's name) as text: up to the first NUL, with
/// every byte that is not UTF-8 as `\xNN`.
pub fn text_of(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    let mut text = String::with_capacity(end);
    for chunk in bytes[..end].utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// `major:minor` of a device, from the kernel's `dev_t` (major << 20 | minor).
pub fn dev_numbers(dev: u32) -> String {
    format!("{}:{}", dev >> 20, dev & 0xf_ffff)
}

pub(super) fn device(dev: u32, devices: &Devices) -> String {
    devices
        .get(&dev)
        .cloned()
        .unwrap_or_else(|| dev_numbers(dev))
}

const BACK_UNSEEN: &str = "(woken, but return to the CPU not seen)";
const WAKE_UNSEEN: &str = "(asleep, wake-up not seen)";

/// Whether a detail says that the kernel kept the end of a sleep, or the return from it, from
/// the probes.
pub fn is_unseen(detail: &str) -> bool {
    [BACK_UNSEEN, WAKE_UNSEEN].contains(&detail)
}

/// The name of a `CALL_*` constant.
pub(super) fn call(kind: u32) -> Word<CallKind> {
    CallKind::of(kind).map_or_else(|| Word::from_text("unknown"), Word::Known)
}

/// A detail in words that continue the word for its cause; empty if there is none.
pub(super) fn detail(detail: &Detail, devices: &Devices) -> String {
    match detail {
        Detail::None => String::new(),
        Detail::BackUnseen => BACK_UNSEEN.to_owned(),
        Detail::WakeUnseen => WAKE_UNSEEN.to_owned(),
        Detail::Request { dev, kind, owner } => {
            format!("on {}{}", device(*dev, devices), purpose(*kind, owner))
        }
        Detail::Lock { name: "", address } => format!("at {address:#x}"),
        Detail::Lock { name, .. } => format!("on {name}"),
        Detail::Waker { tid, comm, through } => {
            let through = if through.is_empty() {
                through.to_string()
            } else {
                format!("through {through}")
            };
            join(&through, *tid, comm)
        }
        Detail::Server { name, tid, comm } => join(&format!("for {name}"), *tid, comm),
    }
}

fn join(what: &str, tid: u32, comm: &[u8]) -> String {
    match (what.is_empty(), tid) {
        // Nobody in particular: the wake-up came from an interrupt.
        (_, 0) => what.to_owned(),
        (true, _) => format!("by {}", task("tid", tid, comm)),
        (false, _) => format!("{what} by {}", task("tid", tid, comm)),
    }
}

fn purpose(kind: IoKind, owner: &Owner) -> String {
    let what = kind.name();
    match owner {
        Owner::Call if kind == IoKind::Data => String::new(),
        Owner::Call => format!(" for {what}"),
        Owner::Thread => format!(" for {what} of an earlier call"),
        Owner::Process { tid, comm } => format!(" behind {what} of {}", task("tid", *tid, comm)),
        Owner::Foreign { pid, comm } => format!(" behind {what} of {}", task("pid", *pid, comm)),
        Owner::Unknown => format!(" behind {what} of an unknown owner"),
    }
}

fn task(id: &str, number: u32, comm: &[u8]) -> String {
    let comm = text_of(comm);
    if comm.is_empty() {
        format!("{id} {number}")
    } else {
        format!("{id} {number} ({comm})")
    }
}

/// The request of a detail; `None` if it is none.
pub(super) fn request(detail: &Detail, devices: &Devices) -> Option<RequestWords> {
    let Detail::Request { dev, kind, owner } = detail else {
        return None;
    };
    let (owner, pid, tid, comm) = match owner {
        Owner::Call => (OwnerKind::Call, None, None, None),
        Owner::Thread => (OwnerKind::Thread, None, None, None),
        Owner::Process { tid, comm } => (OwnerKind::Process, None, Some(*tid), Some(text_of(comm))),
        Owner::Foreign { pid, comm } => (OwnerKind::Foreign, Some(*pid), None, Some(text_of(comm))),
        Owner::Unknown => (OwnerKind::Unknown, None, None, None),
    };
    Some(RequestWords {
        device: device(*dev, devices),
        kind: (*kind).into(),
        owner: owner.into(),
        pid,
        tid,
        comm,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comm(name: &str) -> [u8; 16] {
        let mut comm = [0; 16];
        comm[..name.len()].copy_from_slice(name.as_bytes());
        comm
    }

    #[test]
    fn bytes_that_are_not_text_stay_visible() {
        assert_eq!(text_of(b"data.bin\0\0rest"), "data.bin");
        assert_eq!(text_of(b"a\xffb\xc3\xa9"), "a\\xffbé");
    }

    #[test]
    fn a_detail_continues_its_cause() {
        let devices = Devices::from([(254 << 20, "vda".to_owned())]);
        let words = |kind, owner| {
            detail(
                &Detail::Request {
                    dev: 254 << 20,
                    kind,
                    owner,
                },
                &devices,
            )
        };
        assert_eq!(words(IoKind::Data, Owner::Call), "on vda");
        assert_eq!(words(IoKind::Metadata, Owner::Call), "on vda for metadata");
        assert_eq!(
            words(IoKind::Readahead, Owner::Thread),
            "on vda for readahead of an earlier call"
        );
        assert_eq!(
            words(
                IoKind::Readahead,
                Owner::Foreign {
                    pid: 4711,
                    comm: comm("fio")
                }
            ),
            "on vda behind readahead of pid 4711 (fio)"
        );
        let pipe = Detail::Waker {
            tid: 12,
            comm: comm("cat"),
            through: "pipe",
        };
        assert_eq!(detail(&pipe, &devices), "through pipe by tid 12 (cat)");
        assert_eq!(
            detail(
                &Detail::Lock {
                    name: "",
                    address: 0x10
                },
                &devices
            ),
            "at 0x10"
        );
    }

    #[test]
    fn a_device_without_a_name_shows_its_numbers() {
        assert_eq!(device(7 << 20 | 3, &Devices::new()), "7:3");
    }
}
