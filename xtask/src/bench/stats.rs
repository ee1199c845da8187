//! What rounds of two states in turn say, and whether they say anything.
//!
//! The two values of a round stand next to each other in time, so a slow drift of the machine is
//! in both: what counts is their difference. Whether its median is more than noise is asked of
//! the rounds themselves, drawn anew many times (a bootstrap), which assumes no distribution.

use serde::{Deserialize, Serialize};

/// Nanoseconds an operation takes, of one round.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Pair {
    pub(crate) without: f64,
    pub(crate) with: f64,
}

impl Pair {
    pub(crate) fn added(self) -> f64 {
        self.with - self.without
    }

    /// The part of the throughput that is lost, 0 to 1; less than 0 where it rose.
    pub(crate) fn lost(self) -> f64 {
        1.0 - self.without / self.with
    }
}

/// Where values lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) lower: f64,
    pub(crate) median: f64,
    pub(crate) upper: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let sorted = sorted(values);
        Some(Self {
            min: *sorted.first()?,
            lower: quantile(&sorted, 0.25)?,
            median: quantile(&sorted, 0.5)?,
            upper: quantile(&sorted, 0.75)?,
        })
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    More,
    Less,
    /// The median's interval has zero in it.
    Swallowed,
    TooFew,
}

impl Verdict {
    pub(crate) fn is_one(self) -> bool {
        matches!(self, Self::More | Self::Less)
    }

    /// In words, of a cost.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::More => "more",
            Self::Less => "less",
            Self::Swallowed => "no verdict: the spread swallows it",
            Self::TooFew => "no verdict: too few rounds",
        }
    }
}

/// With fewer, all of them on one side of zero is still likely by chance (five: 6 %).
pub(crate) const FEWEST: usize = 6;

/// Draws of a bootstrap, and the part of them that lies outside of the interval on each side.
const DRAWS: usize = 2000;
const OUTSIDE: f64 = 0.005;

/// Whether differences are more than noise: 99 draws of 100 have a median on one side of zero.
pub(crate) fn verdict(differences: &[f64]) -> Verdict {
    if differences.len() < FEWEST {
        return Verdict::TooFew;
    }
    match interval(differences) {
        Some((low, _)) if low > 0.0 => Verdict::More,
        Some((_, high)) if high < 0.0 => Verdict::Less,
        _ => Verdict::Swallowed,
    }
}

/// Where the median lies in 99 draws of 100. The same values always give the same.
fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let draw = |_| {
        let values = (0..values.len()).map(|_| values[random.below(values.len())]);
        quantile(&sorted(values), 0.5)
    };
    let medians = sorted((0..DRAWS).filter_map(draw));
    Some((
        quantile(&medians, OUTSIDE)?,
        quantile(&medians, 1.0 - OUTSIDE)?,
    ))
}

/// The larger divided by the smaller says nothing unless both are there.
pub(crate) fn ratio(ours: &[f64], theirs: &[f64]) -> Option<f64> {
    if !verdict(ours).is_one() || !verdict(theirs).is_one() {
        return None;
    }
    let median = |values: &[f64]| Spread::of(values.iter().copied()).map(|it| it.median);
    let (ours, theirs) = (median(ours)?, median(theirs)?);
    (ours > 0.0 && theirs > 0.0).then(|| ours / theirs)
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values = values.into_iter().collect::<Vec<_>>();
    values.sort_by(f64::total_cmp);
    values
}

/// Between two values, in proportion.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = part * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64))
}

/// xorshift64*: numbers to draw with, the same for the same seed, which is not 0.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_values() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0, 5.0]).unwrap();
        assert_eq!(
            spread,
            Spread {
                min: 1.0,
                lower: 2.0,
                median: 3.0,
                upper: 4.0
            }
        );
        assert_eq!(Spread::of([1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn what_is_lost_is_lost_of_the_rate() {
        let pair = Pair {
            without: 100.0,
            with: 125.0,
        };
        assert_eq!(pair.added(), 25.0);
        assert!((pair.lost() - 0.2).abs() < 1e-9);
    }

    #[test]
    fn a_difference_above_the_noise_is_one() {
        let steady = [9.0, 11.0, 10.0, 12.0, 8.0, 10.0, 11.0, 9.0];
        assert_eq!(verdict(&steady), Verdict::More);
        assert_eq!(verdict(&steady.map(|it: f64| -it)), Verdict::Less);
    }

    #[test]
    fn noise_is_no_difference() {
        let noise = [9.0, -11.0, 10.0, -12.0, 8.0, -10.0, 11.0, -9.0, 1.0];
        assert_eq!(verdict(&noise), Verdict::Swallowed);
        assert_eq!(verdict(&[0.0; 8]), Verdict::Swallowed);
        assert_eq!(verdict(&[9.0; FEWEST - 1]), Verdict::TooFew);
    }

    /// One round in which the machine did something else turns nothing round.
    #[test]
    fn an_outlier_does_not_decide() {
        let mut steady = [10.0; 12];
        steady[3] = -10_000.0;
        assert_eq!(verdict(&steady), Verdict::More);
    }

    #[test]
    fn there_is_no_ratio_of_noise() {
        let twice = [20.0, 21.0, 19.0, 20.0, 22.0, 18.0];
        let once = twice.map(|it: f64| it / 2.0);
        assert_eq!(ratio(&twice, &once), Some(2.0));
        assert_eq!(ratio(&twice, &[0.1, -0.1, 0.1, -0.1, 0.2, -0.2]), None);
    }

    /// How often noise alone gets a verdict: about as often as the interval allows.
    #[test]
    fn noise_rarely_gets_a_verdict() {
        let mut random = Random(7);
        let mut noise = || random.below(2001) as f64 - 1000.0;
        let wrong = (0..200)
            .filter(|_| verdict(&[(); 15].map(|()| noise())).is_one())
            .count();
        assert!(wrong <= 10, "{wrong} of 200");
    }
}
