//! Files that came to harm: what came before the damage is shown, and marked.

use fastrand::Rng;
use profiler::lab::proof::{self, Line, Part};
use profiler::recording::{MAGIC, MAX_PAYLOAD};

use crate::frames::{
    BEGINNING, CLOSING, ENDING, FACTS, Frame, OPENING, blocks, bytes, frames, is_marked, recording,
    replayed,
};

/// Small ones, each with facts, stacks and settled calls.
const SOME: [&str; 3] = ["run", "mapped", "readahead"];

fn kept(what: &str, provoked: &str, asked: u64) {
    proof::record(&Line::Witness {
        part: Part::Damage,
        what,
        provoked,
        witness: "an error, or a report that says so",
        asked,
        agreed: asked,
    })
    .expect("to be written down");
}

#[test]
fn cut_anywhere_it_is_an_error_or_marked() {
    let mut asked = 0;
    for name in SOME {
        let whole = recording(&frames(&bytes(name)));
        // Between blocks too: there a cut looks like an end.
        let step = if name == "run" { 1 } else { 41 };
        let mut cuts: Vec<usize> = (0..whole.len()).step_by(step).collect();
        for at in blocks(&whole) {
            cuts.extend([at, at + 1, at + 11, at + 12]);
        }
        let (mut errors, mut partial) = (0, 0);
        for cut in cuts {
            let result = replayed(&whole[..cut]);
            assert!(is_marked(&result), "{name} cut at {cut}: {result:?}");
            match result {
                Ok(_) => partial += 1,
                Err(_) => errors += 1,
            }
        }
        assert!(
            errors > 10 && partial > 10,
            "{errors} errors, {partial} reports"
        );
        asked += errors + partial;
    }
    kept("a recording cut short", "at every byte", asked);
}

#[test]
fn with_a_flipped_bit_it_is_an_error_or_marked() {
    let mut random = Rng::with_seed(1);
    for name in SOME {
        let whole = recording(&frames(&bytes(name)));
        for _ in 0..300 {
            let mut bytes = whole.clone();
            let bit = random.usize(..bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let result = replayed(&bytes);
            assert!(is_marked(&result), "{name}, bit {bit}: {result:?}");
        }
    }
}

#[test]
#[ignore = "long: half a minute"]
fn with_any_flipped_bit_it_is_an_error_or_marked() {
    let whole = recording(&frames(&bytes("run")));
    let bits = whole.len() * 8;
    for bit in 0..bits {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let result = replayed(&bytes);
        assert!(is_marked(&result), "bit {bit}: {result:?}");
    }
    kept(
        "a recording with a flipped bit",
        "each bit of it",
        bits as u64,
    );
}

/// Every length field claims more, or less, than there is.
#[test]
fn absurd_lengths_take_no_memory() {
    let whole = recording(&frames(&bytes("run")));
    for block in blocks(&whole) {
        for at in [block, block + 4] {
            let length = whole[at..at + 4].try_into().unwrap();
            let true_length = u32::from_le_bytes(length);
            for length in [
                0,
                1,
                true_length + 1,
                MAX_PAYLOAD,
                MAX_PAYLOAD + 1,
                u32::MAX,
            ] {
                let mut bytes = whole.clone();
                bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
                let result = replayed(&bytes);
                assert!(is_marked(&result), "length {length} at {at}: {result:?}");
            }
        }
    }
}

#[test]
fn other_tags_are_told() {
    let whole = frames(&bytes("run"));
    for n in 0..whole.len() {
        for tag in [0, 8, 255] {
            let mut frames = whole.clone();
            frames[n].0 = tag;
            let result = replayed(&recording(&frames));
            assert!(is_marked(&result), "frame {n} with tag {tag}: {result:?}");
        }
        // The tag of another kind: the payload does not fit it.
        for tag in OPENING..=CLOSING {
            let mut frames = whole.clone();
            if frames[n].0 == tag {
                continue;
            }
            frames[n].0 = tag;
            let result = replayed(&recording(&frames));
            assert!(is_marked(&result), "frame {n} with tag {tag}: {result:?}");
        }
    }
}

fn position(frames: &[Frame], tag: u8) -> usize {
    frames.iter().position(|(of, _)| *of == tag).unwrap()
}

/// What a session never does: the order in which entries come is checked.
#[test]
fn an_order_that_no_session_has_is_told() {
    let whole = frames(&bytes("run"));
    let [opening, beginning, facts, ending, closing] =
        [OPENING, BEGINNING, FACTS, ENDING, CLOSING].map(|tag| position(&whole, tag));
    let moved = |from: usize, to: usize| {
        let mut frames = whole.clone();
        let frame = frames.remove(from);
        frames.insert(to, frame);
        frames
    };
    let doubled = |n: usize| {
        let mut frames = whole.clone();
        frames.insert(n, frames[n].clone());
        frames
    };
    let without = |n: usize| {
        let mut frames = whole.clone();
        frames.remove(n);
        frames
    };
    for (what, frames) in [
        ("the opening last", moved(opening, closing)),
        ("the opening twice", doubled(opening)),
        ("no opening", without(opening)),
        ("a scenario inside another", doubled(beginning)),
        ("an end without a beginning", without(beginning)),
        ("a beginning without an end", without(ending)),
        ("the end before the facts", moved(ending, facts)),
        ("facts after the closing", moved(facts, closing)),
        ("an end after the closing", moved(ending, closing)),
        ("the closing twice", doubled(closing)),
        ("no closing", without(closing)),
        ("facts before the beginning", moved(facts, beginning)),
    ] {
        let result = replayed(&recording(&frames));
        assert!(is_marked(&result), "{what}: {result:?}");
    }
}

#[test]
fn any_order_of_frames_is_survived() {
    for seed in 0..200 {
        let mut random = Rng::with_seed(seed);
        let mut frames = frames(&bytes(SOME[random.usize(..SOME.len())]));
        random.shuffle(&mut frames);
        // Often enough what comes first lets the rest count.
        if random.bool() {
            let opening = position(&frames, OPENING);
            frames.swap(0, opening);
            let beginning = position(&frames, BEGINNING);
            frames.swap(1, beginning);
        }
        frames.truncate(random.usize(1..=frames.len()));
        let _ = replayed(&recording(&frames));
    }
}

#[test]
fn what_is_no_recording_is_said_to_be_none() {
    for bytes in [
        &b""[..],
        b"profiler",
        b"{}",
        b"profiler.recording/2\nand more",
        b"profiler.recording/3\nand more",
        &[0; 4096],
        &[0xff; 4096],
    ] {
        let error = replayed(bytes).unwrap_err();
        assert!(error.contains("recording"), "{error}");
    }
    // Nothing in it: not even an opening.
    let error = replayed(MAGIC).unwrap_err();
    assert!(error.contains("no opening"), "{error}");
}
