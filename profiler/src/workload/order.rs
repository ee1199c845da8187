//! Which offset is read when.

use super::spec::Spec;
use super::style::Pattern;

/// The offsets, in bytes, that `thread` reads, in their order.
pub fn offsets(spec: &Spec, thread: u32) -> impl Iterator<Item = u64> + use<> {
    let (blocks, stride, pattern) = (spec.blocks().max(1), spec.stride, spec.pattern);
    let shuffle = Permutation::new(blocks, spec.seed);
    spec.share(thread).map(move |nth| {
        let slot = nth % blocks;
        stride
            * match pattern {
                Pattern::Sequential => slot,
                Pattern::Random => shuffle.at(slot),
            }
    })
}

/// A permutation of `0..len` that needs no memory: a file of terabytes has more blocks
/// than one would want to shuffle in an array.
///
/// A Feistel network permutes the next even power of two; what falls outside of `len`
/// is put in again until it falls inside (at most four times on average).
#[derive(Clone, Copy, Debug)]
struct Permutation {
    len: u64,
    half_bits: u32,
    seed: u64,
}

impl Permutation {
    const ROUNDS: u64 = 6;

    fn new(len: u64, seed: u64) -> Self {
        let bits = u64::BITS - len.saturating_sub(1).leading_zeros();
        Self {
            len,
            half_bits: bits.div_ceil(2).max(1),
            seed,
        }
    }

    fn at(&self, index: u64) -> u64 {
        let mut value = index;
        loop {
            value = self.feistel(value);
            if value < self.len {
                return value;
            }
        }
    }

    fn feistel(&self, value: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits & mask, value & mask);
        for round in 0..Self::ROUNDS {
            let key = mix(self.seed.wrapping_mul(Self::ROUNDS).wrapping_add(round));
            (left, right) = (right, left ^ mix(right ^ key) & mask);
        }
        left << self.half_bits | right
    }
}

/// The finalizer of SplitMix64: every bit of the input reaches every bit of the output.
const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[cfg(test)]
mod tests {
    use super::super::style::{Advice, Style};
    use super::*;

    fn spec(pattern: Pattern, blocks: u64, reads: u64, threads: u32) -> Spec {
        Spec {
            path: "/f".into(),
            file_size: blocks * 4096 - 1,
            style: Style::Buffered,
            pattern,
            advice: Advice::Normal,
            block_size: 4096,
            stride: 4096,
            threads,
            reads,
            seed: 7,
        }
    }

    fn all(spec: &Spec) -> Vec<u64> {
        (0..spec.threads)
            .flat_map(|t| offsets(spec, t))
            .map(|o| o / 4096)
            .collect()
    }

    #[test]
    fn random_covers_each_block_once() {
        for blocks in [1, 2, 3, 5, 64, 1000, 65536, 65537] {
            for threads in [1, 3] {
                let mut got = all(&spec(Pattern::Random, blocks, blocks, threads));
                got.sort_unstable();
                assert!(
                    got.into_iter().eq(0..blocks),
                    "{blocks} blocks, {threads} threads"
                );
            }
        }
    }

    #[test]
    fn random_is_neither_in_order_nor_the_same_for_each_seed() {
        let one = spec(Pattern::Random, 65536, 65536, 1);
        let order = all(&one);
        // A fair shuffle has each of the n - 1 neighbours in order with chance 1/n:
        // about one in all.
        let neighbours = order.windows(2).filter(|w| w[0] + 1 == w[1]).count();
        assert!(neighbours < 16, "{neighbours} reads follow the one before");
        let low = order[..32768].iter().filter(|&&b| b < 32768).count();
        assert!(
            (16000..16800).contains(&low),
            "{low} of the first half are low"
        );
        assert_eq!(order, all(&one));
        assert_ne!(order, all(&Spec { seed: 8, ..one }));
    }

    #[test]
    fn sequential_begins_again_at_the_end() {
        assert_eq!(
            all(&spec(Pattern::Sequential, 3, 7, 2)),
            [0, 1, 2, 0, 1, 2, 0]
        );
    }
}
