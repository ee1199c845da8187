use super::*;
use crate::ring::encode;
use profiler_common::fact::{Ended, Head, KIND_ENDED, Request, RequestFacts, Wait};

/// A block for each of `blocks`, each with a frame for each of its payloads.
fn written(blocks: &[&[(u8, &[u8])]]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    let mut writer = Writer::create(&path).unwrap();
    for frames in blocks {
        for (tag, payload) in *frames {
            writer.frame(*tag, payload).unwrap();
        }
        writer.end_block().unwrap();
    }
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

fn recording() -> Vec<u8> {
    written(&[&[(1, b"first"), (2, b"")], &[(3, &[7; 300])]])
}

type Frames = Vec<(u8, Vec<u8>)>;

/// The frames that can be read, and why it ended if not as it should.
fn frames(bytes: &[u8]) -> Option<(Frames, Option<String>)> {
    let mut reader = Reader::new(bytes).ok()?;
    let mut frames = Vec::new();
    loop {
        match reader.frame().ok()? {
            Next::Frame(tag) => frames.push((tag, reader.payload().to_vec())),
            Next::End => return Some((frames, None)),
            Next::Damaged(what) => return Some((frames, Some(what))),
        }
    }
}

/// A block with a checksum that fits, whatever its head claims.
fn block(content: u32, compressed: &[u8]) -> Vec<u8> {
    let mut block = (compressed.len() as u32).to_le_bytes().to_vec();
    block.extend(content.to_le_bytes());
    let sum = checksum(&block, compressed);
    block.extend(sum.to_le_bytes());
    block.extend(compressed);
    block
}

#[test]
fn what_is_written_is_read() {
    let (frames, damage) = frames(&recording()).unwrap();
    assert_eq!(damage, None);
    assert_eq!(
        frames,
        [(1, b"first".to_vec()), (2, vec![]), (3, vec![7; 300])]
    );
}

#[test]
fn what_fills_many_blocks_is_read() {
    let payload: Vec<u8> = (0..BLOCK as u32 / 16).flat_map(u32::to_le_bytes).collect();
    let all: Vec<_> = (0..20).map(|tag| (tag, payload.as_slice())).collect();
    let (read, damage) = frames(&written(&[&all])).unwrap();
    assert_eq!(damage, None);
    let read = read.iter().map(|(tag, payload)| (*tag, payload.as_slice()));
    assert!(read.eq(all));
}

#[test]
fn cut_anywhere_what_came_before_is_whole() {
    let bytes = recording();
    let (all, _) = frames(&bytes).unwrap();
    for cut in 0..bytes.len() {
        let Some((some, damage)) = frames(&bytes[..cut]) else {
            assert!(cut < MAGIC.len(), "cut at {cut}");
            continue;
        };
        assert!(all.starts_with(&some), "cut at {cut}");
        // Only a cut between two blocks looks like an end.
        assert!(damage.is_some() || some.len() < all.len(), "cut at {cut}");
    }
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let bytes = recording();
    let (all, _) = frames(&bytes).unwrap();
    for bit in MAGIC.len() * 8..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (some, damage) = frames(&bytes).unwrap();
        assert!(damage.is_some() && all.starts_with(&some), "bit {bit}");
    }
}

#[test]
fn a_block_that_lies_is_damage() {
    let content = [1, 2, 0, 0, 0, 8, 9];
    let compressed = lz4_flex::block::compress(&content);
    let longer = [&[1, 9, 0, 0, 0][..], b"short"].concat();
    let longer = lz4_flex::block::compress(&longer);
    for (block, what) in [
        (block(u32::MAX, &compressed), "absurd length"),
        (block(MAX_CONTENT as u32, &compressed), "absurd length"),
        (block(0, &compressed), "absurd length"),
        (block(8, &compressed), "decompressed"),
        (block(6, &compressed), "decompressed"),
        (block(100, &[0xff; 50]), "decompressed"),
        (block(10, &longer), "longer than its block"),
        (
            block(3, &lz4_flex::block::compress(b"abc")),
            "the middle of a frame",
        ),
    ] {
        let bytes = [&recording(), &block[..]].concat();
        let (some, damage) = frames(&bytes).unwrap();
        let damage = damage.unwrap();
        assert!(some.len() == 3 && damage.contains(what), "{what}: {damage}");
    }
}

#[test]
fn another_layout_is_refused_by_its_number() {
    for theirs in ["2", "9"] {
        let error = Reader::new(format!("profiler.recording/{theirs}\n").as_bytes()).unwrap_err();
        let error = error.to_string();
        for word in [&format!("another layout ({theirs})"), "reads layout 3"] {
            assert!(error.contains(word), "{error}");
        }
    }
}

/// What docs/architecture.md promises: 40 MiB per million facts. Cold reads at random by `threads`, each
/// with a wait, a request and an end, and times, places and names that no two have in common.
#[test]
fn a_million_facts_take_at_most_40_mib() {
    let mut random = fastrand::Rng::with_seed(1);
    let (mut facts, mut count, mut now) = (Vec::new(), 0, 1_000_000_000_000);
    for call in 0..20_000_u32 {
        now += random.u64(1_000..200_000);
        let head = |kind, size: usize, at_ns| Head {
            kind,
            size: size as u32,
            tid: 4_000 + call % 8,
            pid: 4_000,
            at_ns,
            call_ns: now,
            op: profiler_common::fact::stay(4_000 + call % 8, now),
        };
        let request = RequestFacts {
            submitted_ns: now + random.u64(1_000..4_000),
            issued_ns: now + random.u64(4_000..8_000),
            completed_ns: now + random.u64(40_000..90_000),
            sector: random.u64(..1 << 30),
            owner_op: profiler_common::fact::stay(4_000 + call % 8, now),
            bytes: 4096,
            dev: 8 << 20,
            owner_tid: 4_000 + call % 8,
            owner_pid: 4_000,
            owner_comm: *b"reader\0\0\0\0\0\0\0\0\0\0",
            ..RequestFacts::default()
        };
        let at_ns = now + random.u64(90_000..100_000);
        facts.extend_from_slice(encode(&crate::ring::Fact::Request(Request {
            head: head(3, size_of::<Request>(), at_ns),
            request,
        })));
        facts.extend_from_slice(encode(&crate::ring::Fact::Wait(Wait {
            head: head(1, size_of::<Wait>(), at_ns + random.u64(..9_000)),
            out_ns: now + random.u64(5_000..9_000),
            woken_ns: at_ns,
            state: 2,
            stack: random.i32(..20),
            request,
            ..Wait::default()
        })));
        facts.extend_from_slice(encode(&crate::ring::Fact::Ended(Ended {
            head: head(
                KIND_ENDED,
                size_of::<Ended>(),
                at_ns + random.u64(9_000..20_000),
            ),
            requested: 4096,
            returned: 4096,
            offset: random.i64(..1 << 20) << 12,
            inode: 77,
            file_size: 1 << 32,
            ..Ended::default()
        })));
        count += 3;
    }
    let frames: Vec<_> = facts.chunks(1 << 18).map(|chunk| (5, chunk)).collect();
    let length = written(&[&frames]).len();
    let mib = length as f64 / f64::from(count) * 1e6 / f64::from(1 << 20);
    assert!(mib < 40.0, "{mib:.1} MiB per million facts");
}
