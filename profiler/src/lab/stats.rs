//! What repeated measurements say, and whether they say anything.
//!
//! Two states are measured in turn, in rounds. The two values of a round are close in time, so a
//! slow drift of the machine is in both, and what counts is their difference. Whether the median
//! of the differences is more than noise is decided by drawing the rounds anew many times (a
//! bootstrap), which assumes no distribution.

use serde::{Deserialize, Serialize};

use crate::report::units;

/// Nanoseconds that an operation takes in each of two states, of one round.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Pair {
    /// In the state to compare with.
    pub without: f64,
    /// In the state that is measured.
    pub with: f64,
}

impl Pair {
    /// The difference.
    #[must_use]
    pub fn added(self) -> f64 {
        self.with - self.without
    }

    /// The share of the throughput that is lost, at most 1; less than 0 where it rose.
    #[must_use]
    pub fn lost(self) -> f64 {
        1.0 - self.without / self.with
    }
}

/// The least of some values, and their quartiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// A quarter of the values are at most this.
    pub lower: f64,
    /// Half of the values are at most this.
    pub median: f64,
    /// Three quarters of the values are at most this.
    pub upper: f64,
}

impl Spread {
    /// None of no values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let sorted = sorted(values);
        Some(Self {
            min: *sorted.first()?,
            lower: quantile(&sorted, 0.25)?,
            median: quantile(&sorted, 0.5)?,
            upper: quantile(&sorted, 0.75)?,
        })
    }
}

/// Whether differences are more than noise.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The median of the differences is above zero.
    More,
    /// It is below zero.
    Less,
    /// Its interval contains zero.
    Swallowed,
    /// There are less than [`FEWEST`].
    TooFew,
}

impl Verdict {
    /// There is a difference.
    #[must_use]
    pub fn is_one(self) -> bool {
        matches!(self, Self::More | Self::Less)
    }

    /// In words, of a cost.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::More => "more",
            Self::Less => "less",
            Self::Swallowed => "no verdict: the spread swallows it",
            Self::TooFew => "no verdict: too few rounds",
        }
    }
}

/// Fewer rounds are too likely to lie on one side of zero by chance (five: 6 %).
pub const FEWEST: usize = 6;

/// Draws of a bootstrap, and the share of them outside of the interval on each side.
const DRAWS: usize = 2000;
const OUTSIDE: f64 = 0.005;

/// Whether differences are more than noise: 99 draws of 100 have a median on one side of zero.
#[must_use]
pub fn verdict(differences: &[f64]) -> Verdict {
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
    let mut random = fastrand::Rng::with_seed(4711);
    let draw = |_| {
        let values = (0..values.len()).map(|_| values[random.usize(..values.len())]);
        quantile(&sorted(values), 0.5)
    };
    let medians = sorted((0..DRAWS).filter_map(draw));
    Some((
        quantile(&medians, OUTSIDE)?,
        quantile(&medians, 1.0 - OUTSIDE)?,
    ))
}

/// The median of our differences divided by the median of theirs. None unless both are more than
/// noise and above zero: the quotient of two numbers that may be zero says nothing.
#[must_use]
pub fn ratio(ours: &[f64], theirs: &[f64]) -> Option<f64> {
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

/// A time in nanoseconds, or a difference of times, with three significant digits.
#[must_use]
pub fn time(ns: f64) -> String {
    let size = ns.abs().round();
    let sign = if ns < 0.0 && size > 0.0 { "-" } else { "" };
    format!("{sign}{}", units::time(size as u64))
}

/// How many, and how many of them are as they should be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Share {
    /// Those that are.
    pub good: u64,
    /// All of them.
    pub all: u64,
}

impl Share {
    /// 0 to 1. Of nothing it is 0: nothing asked is nothing proved.
    fn part(self) -> f64 {
        if self.all == 0 {
            0.0
        } else {
            self.good as f64 / self.all as f64
        }
    }

    /// The smallest one.
    #[must_use]
    pub fn worst(shares: impl Iterator<Item = Self>) -> Self {
        shares
            .min_by(|a, b| a.part().total_cmp(&b.part()))
            .unwrap_or_default()
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

    #[test]
    fn times_have_three_digits() {
        let times = [0.4, -0.3, 999.0, 1234.0, 45_600.0, -2.5e6, 1.5e9].map(time);
        let wanted = [
            "0 ns", "0 ns", "999 ns", "1.23 µs", "45.6 µs", "-2.50 ms", "1.50 s",
        ];
        assert_eq!(times, wanted);
    }

    #[test]
    fn the_worst_run_is_the_one_with_the_smallest_share() {
        let share = |good, all| Share { good, all };
        let runs = [share(9, 9), share(98, 100), share(7, 7)];
        assert_eq!(Share::worst(runs.into_iter()), share(98, 100));
        assert_eq!(
            Share::worst([share(1, 1), share(0, 0)].into_iter()),
            share(0, 0),
            "nothing asked is nothing proved"
        );
    }

    /// How often noise alone gets a verdict: about as often as the interval allows.
    #[test]
    fn noise_rarely_gets_a_verdict() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut noise = || random.usize(..2001) as f64 - 1000.0;
        let wrong = (0..200)
            .filter(|_| verdict(&[(); 15].map(|()| noise())).is_one())
            .count();
        assert!(wrong <= 10, "{wrong} of 200");
    }
}
