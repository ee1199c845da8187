//! One record to one fact.

use std::{fmt, mem::size_of};

use profiler_common::{
    calls,
    fact::{
        Ended, Head, KIND_ENDED, KIND_RECLAIM, KIND_REQUEST, KIND_WAIT, Reclaim, Request, Wait,
    },
};

/// A fact, told apart by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "facts live for microseconds; boxing costs more"
)]
pub enum Fact {
    /// A stay off the CPU.
    Wait(Wait),
    /// A stay in direct reclaim.
    Reclaim(Reclaim),
    /// A request of a call has completed.
    Request(Request),
    /// A call has ended.
    Ended(Ended),
}

/// Bytes that are no fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// How many bytes there were.
    pub length: usize,
    /// Their kind, if there were enough bytes to tell.
    pub kind: Option<u32>,
    /// The kind of call that they tell, if that is what is unknown.
    pub call: Option<u32>,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.call) {
            (_, Some(call)) => write!(f, "a record tells a call of unknown kind {call}"),
            (Some(kind), None) => write!(
                f,
                "a record of kind {kind} cannot have {} bytes",
                self.length
            ),
            (None, None) => write!(f, "{} bytes are too few for a record", self.length),
        }
    }
}

impl std::error::Error for Malformed {}

/// Types that may be copied out of bytes.
trait Wire: Copy {}
impl Wire for Head {}
impl Wire for Wait {}
impl Wire for Reclaim {}
impl Wire for Request {}
impl Wire for Ended {}

fn copy<T: Wire>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: long enough, and every bit pattern is a `T` (`Wire` is only implemented
    // for `repr(C)` structs of integers); the read does not ask for alignment.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// Decodes one record.
///
/// # Errors
///
/// [`Malformed`] if the kind is unknown, the length is not the kind's, or the call is of an
/// unknown kind.
pub fn decode(bytes: &[u8]) -> Result<Fact, Malformed> {
    let Some(head) = copy::<Head>(bytes) else {
        return Err(Malformed {
            length: bytes.len(),
            kind: None,
            call: None,
        });
    };
    let malformed = Malformed {
        length: bytes.len(),
        kind: Some(head.kind),
        call: None,
    };
    if head.size as usize != bytes.len() {
        return Err(malformed);
    }
    fn exactly<T: Wire>(bytes: &[u8]) -> Option<T> {
        (bytes.len() == size_of::<T>())
            .then(|| copy(bytes))
            .flatten()
    }
    match head.kind {
        KIND_WAIT => exactly(bytes).map(Fact::Wait),
        KIND_RECLAIM => exactly(bytes).map(Fact::Reclaim),
        KIND_REQUEST => exactly(bytes).map(Fact::Request),
        KIND_ENDED => exactly(bytes).map(Fact::Ended),
        _ => None,
    }
    .ok_or(malformed)
    .and_then(|fact| match &fact {
        Fact::Ended(ended) if calls::told(ended.call).is_none() => Err(Malformed {
            call: Some(ended.call),
            ..malformed
        }),
        _ => Ok(fact),
    })
}

/// Decodes records that lie one after the other.
///
/// A record of a length that cannot be is the last one: without it there is no next.
pub fn records(mut bytes: &[u8]) -> impl Iterator<Item = Result<Fact, Malformed>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let size = copy::<Head>(bytes).map_or(0, |head| head.size as usize);
        // What is too short or too long for its size is all that is left.
        let size = if (size_of::<Head>()..=bytes.len()).contains(&size) {
            size
        } else {
            bytes.len()
        };
        let (record, rest) = bytes.split_at(size);
        bytes = rest;
        Some(decode(record))
    })
}

/// The bytes of a fact, as the kernel side would send it.
pub fn encode(fact: &Fact) -> &[u8] {
    fn bytes<T: Wire>(value: &T) -> &[u8] {
        // SAFETY: a live value of plain integers without padding (their sizes are
        // asserted where they are defined), seen as its bytes.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
    }
    match fact {
        Fact::Wait(wait) => bytes(wait),
        Fact::Reclaim(reclaim) => bytes(reclaim),
        Fact::Request(request) => bytes(request),
        Fact::Ended(ended) => bytes(ended),
    }
}

impl Fact {
    /// What every fact starts with.
    pub fn head(&self) -> &Head {
        match self {
            Self::Wait(fact) => &fact.head,
            Self::Reclaim(fact) => &fact.head,
            Self::Request(fact) => &fact.head,
            Self::Ended(fact) => &fact.head,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended() -> Ended {
        Ended {
            head: Head {
                kind: KIND_ENDED,
                size: size_of::<Ended>() as u32,
                tid: 7,
                pid: 7,
                at_ns: 20,
                call_ns: 10,
                op: 3,
            },
            returned: -4,
            call: calls::CALL_PREAD,
            ..Ended::default()
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let fact = Fact::Ended(ended());
        assert_eq!(decode(encode(&fact)), Ok(fact));
    }

    #[test]
    fn no_prefix_of_a_record_is_a_record() {
        let fact = Fact::Ended(ended());
        let bytes = encode(&fact);
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn records_are_told_apart_by_their_sizes() {
        let fact = Fact::Ended(ended());
        let three = [encode(&fact); 3].concat();
        assert!(records(&three).eq([Ok(fact.clone()), Ok(fact.clone()), Ok(fact)]));
        assert_eq!(records(&[]).count(), 0);
    }

    #[test]
    fn behind_a_record_without_a_size_there_is_none() {
        let fact = Fact::Ended(ended());
        let mut bytes = [encode(&fact); 3].concat();
        let one = size_of::<Ended>();
        let head = size_of::<Head>() as u32;
        for size in [0, head - 1, 2 * one as u32 + 1, u32::MAX] {
            let at = one + std::mem::offset_of!(Head, size);
            bytes[at..at + 4].copy_from_slice(&size.to_ne_bytes());
            let told: Vec<_> = records(&bytes).map(|record| record.is_ok()).collect();
            assert_eq!(told, [true, false], "{size}");
        }
        let cut: Vec<_> = records(&bytes[..one + 10])
            .map(|record| record.is_ok())
            .collect();
        assert_eq!(cut, [true, false]);
    }

    #[test]
    fn an_unknown_kind_is_malformed() {
        let mut record = ended();
        record.head.kind = 77;
        let fact = Fact::Ended(record);
        assert_eq!(
            decode(encode(&fact)),
            Err(Malformed {
                length: size_of::<Ended>(),
                kind: Some(77),
                call: None
            })
        );
    }

    #[test]
    fn a_call_of_an_unknown_kind_is_malformed() {
        for call in [0, calls::CALL_COUNTED, calls::CALL_BPF, 99] {
            let fact = Fact::Ended(Ended { call, ..ended() });
            let error = decode(encode(&fact)).expect_err("no such call");
            assert_eq!(error.call, Some(call));
        }
    }
}
