//! Bytes from the ring (or from a recording) → facts. Total: whatever the bytes
//! are, the result is a fact or a [`Malformed`].

mod decode;
mod odd;

pub use decode::{Fact, Malformed, decode, encode, records};
