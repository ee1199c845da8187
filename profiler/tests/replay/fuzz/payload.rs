//! Steps on facts as bytes.

use fastrand::Rng;
use profiler::ring::encode;
use profiler_common::fact::Head;

use crate::malice;

/// Where a head keeps the size of its record.
const SIZE: usize = std::mem::offset_of!(Head, size);

/// Where each record lies, as far as sizes can be believed.
pub(super) fn records(payload: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some(size) = payload.get(at + SIZE..at + SIZE + 4) {
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
        if size < size_of::<Head>() || at + size > payload.len() {
            break;
        }
        records.push(at..at + size);
        at += size;
    }
    records
}

/// A step on one record, or on their order.
pub(super) fn step(payload: &mut Vec<u8>, other: &[u8], random: &mut Rng) {
    let found = records(payload);
    let theirs = records(other);
    let mut lists: Vec<Vec<u8>> = found
        .iter()
        .map(|at| payload[at.clone()].to_vec())
        .collect();
    let rest = payload.split_off(found.last().map_or(0, |last| last.end));
    if lists.is_empty() {
        lists.push(encode(&malice::fact(random)).to_vec());
    }
    let at = random.usize(..lists.len());
    match random.u8(..10) {
        0 => drop(lists.remove(at)),
        1 => {
            let to = random.usize(..lists.len());
            lists.swap(at, to);
        }
        2 => lists.insert(at, lists[at].clone()),
        3 => lists[at] = encode(&malice::fact(random)).to_vec(),
        4 if !theirs.is_empty() => {
            let from = theirs[random.usize(..theirs.len())].clone();
            lists.insert(at, other[from].to_vec());
        }
        // The size is right again only if it was.
        5 => {
            let length = random.usize(..=lists[at].len());
            lists[at].truncate(length);
        }
        6 => {
            // As if it were of the same call.
            let from = random.usize(..lists.len());
            let head: Vec<u8> = lists[from][8..size_of::<Head>()].to_vec();
            lists[at][8..size_of::<Head>()].copy_from_slice(&head);
        }
        _ => {
            let from = random.usize(..lists.len());
            let from = lists[from].clone();
            number(&mut lists[at], &from, random);
        }
    }
    *payload = lists.concat();
    payload.extend_from_slice(&rest);
}

/// A number of a record becomes another: one that was somewhere else, or an odd one.
fn number(record: &mut [u8], other: &[u8], random: &mut Rng) {
    let wide = random.bool();
    let width = if wide { 8 } else { 4 };
    let (Some(last), Some(theirs)) = (record.len().checked_sub(width), other.len().checked_sub(8))
    else {
        return;
    };
    // Past kind and size, most often.
    let first = if random.u8(..16) == 0 { 0 } else { 8.min(last) };
    let at = (first + random.usize(..=last - first)) / width * width;
    let from = random.usize(..=theirs) / 8 * 8;
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&other[from..from + 8]);
    let theirs = u64::from_le_bytes(bytes);
    let new = match random.u8(..8) {
        0 => 0,
        1 => u64::MAX,
        2 => 1 << random.u32(..64),
        3 => theirs.wrapping_add(random.u64(..1000)),
        4 => theirs.wrapping_sub(random.u64(..1000)),
        5 => random.u64(..16),
        _ => theirs,
    };
    record[at..at + width].copy_from_slice(&new.to_le_bytes()[..width]);
}
