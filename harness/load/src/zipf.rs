//! Zipf's law: the k-th most popular of n is chosen with a probability
//! proportional to k^-s.
//!
//! Rejection-inversion (Hörmann, Derflinger: Rejection-inversion to generate
//! variates from monotone discrete distributions, ACM TOMACS 6, 1996): no
//! table, constant time whatever n is, and exact but for the rounding of
//! floating point. On average fewer than 1.1 draws are needed.

use std::num::NonZeroU64;

use crate::draw::Draw;

/// Zipf's distribution over the ranks 0 to n - 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Zipf {
    ranks: NonZeroU64,
    exponent: f64,
    /// H(1.5) - h(1), and H(n + 0.5): between them u is drawn.
    least: f64,
    most: f64,
    /// Nearer to its rank than this, x is accepted without another look.
    sure: f64,
}

/// An exponent that makes no distribution here.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "making a Zipf distribution with exponent {exponent}: it must be above 0 and at most 10 (0.99 \
     is usual; 0 would be uniform)"
)]
pub struct BadExponent {
    exponent: f64,
}

impl Zipf {
    /// Over `ranks` ranks, with `exponent` s.
    ///
    /// # Errors
    /// If the exponent is not above 0 and at most 10.
    pub fn new(ranks: NonZeroU64, exponent: f64) -> Result<Self, BadExponent> {
        if !(exponent > 0.0 && exponent <= 10.0) {
            return Err(BadExponent { exponent });
        }
        let mut zipf = Self { ranks, exponent, least: 0.0, most: 0.0, sure: 0.0 };
        zipf.least = zipf.area(1.5) - 1.0;
        zipf.most = zipf.area(zipf.last() + 0.5);
        zipf.sure = 2.0 - zipf.inverse(zipf.area(2.5) - zipf.weight(2.0));
        Ok(zipf)
    }

    /// A rank, from 0: the lower, the more often.
    pub fn rank(&self, draw: &mut Draw) -> u64 {
        loop {
            let u = self.most + draw.unit() * (self.least - self.most);
            let x = self.inverse(u);
            // Ranks from 1, as in the paper.
            let k = x.round().clamp(1.0, self.last());
            if k - x <= self.sure || u >= self.area(k + 0.5) - self.weight(k) {
                // A float-to-integer cast saturates; k is a whole number >= 1.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let rank = k as u64 - 1;
                return rank.min(self.ranks.get() - 1);
            }
        }
    }

    #[allow(clippy::cast_precision_loss)] // keys are far fewer than 2^53
    const fn last(&self) -> f64 {
        self.ranks.get() as f64
    }

    /// h(x) = x^-s.
    fn weight(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// H(x), an antiderivative of h: (x^(1-s) - 1) / (1 - s), and ln x for
    /// s = 1. In a form that is exact near s = 1.
    fn area(&self, x: f64) -> f64 {
        let log = x.ln();
        let t = (1.0 - self.exponent) * log;
        log * if t.abs() > 1e-8 { t.exp_m1() / t } else { 1.0 + t / 2.0 * (1.0 + t / 3.0) }
    }

    /// The inverse of H.
    fn inverse(&self, area: f64) -> f64 {
        // Rounding may lead a hair below -1, where there is no logarithm.
        let t = ((1.0 - self.exponent) * area).max(-1.0);
        let log = if t.abs() > 1e-8 { t.ln_1p() / t } else { 1.0 - t * (0.5 - t / 3.0) };
        (area * log).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draws;
    use crate::testing::{chi_square, chi_square_limit};

    fn zipf(n: u64, s: f64) -> Zipf {
        Zipf::new(NonZeroU64::new(n).unwrap(), s).unwrap()
    }

    /// Against the definition, summed up: each of the first ranks, and the rest
    /// in cells of powers of two.
    fn agrees(n: u64, s: f64, seed: u64) {
        let draws = 200_000;
        let weights: Vec<f64> = (1..=n).map(|k| (k as f64).powf(-s)).collect();
        let whole: f64 = weights.iter().sum();
        let cell = |rank: u64| match rank {
            0..8 => usize::try_from(rank).unwrap(),
            _ => 5 + rank.ilog2() as usize,
        };
        let mut expected = vec![0.0; cell(n - 1) + 1];
        for (rank, weight) in weights.iter().enumerate() {
            expected[cell(rank as u64)] += draws as f64 * weight / whole;
        }
        let (zipf, source) = (zipf(n, s), Draws::new(seed, "zipf"));
        let mut seen = vec![0u64; expected.len()];
        (0..draws).for_each(|i| seen[cell(zipf.rank(&mut source.at(i)))] += 1);
        // The thin tail of a steep distribution into one cell.
        while expected.len() > 2 && expected[expected.len() - 1] < 5.0 {
            let (thin, few) = (expected.pop().unwrap(), seen.pop().unwrap());
            *expected.last_mut().unwrap() += thin;
            *seen.last_mut().unwrap() += few;
        }
        let found = chi_square(&seen, &expected);
        let limit = chi_square_limit(seen.len() - 1);
        assert!(found < limit, "n {n} s {s}: {found} >= {limit}: {seen:?} {expected:?}");
    }

    #[test]
    fn the_frequencies_are_those_of_the_law() {
        for (n, s) in [(2, 1.0), (10, 0.5), (1000, 0.99), (1000, 1.0), (1000, 1.3), (50, 3.0)] {
            for seed in [1, 2, 3] {
                agrees(n, s, seed);
            }
        }
        agrees(1_000_000, 0.99, 4);
        agrees(1_000_000, 1.0, 5);
    }

    /// The most popular of a million at s = 1 gets 1/H(1,000,000) of all, and
    /// that harmonic number is ln n + γ + 1/2n = 14.3927.
    #[test]
    fn a_known_answer() {
        let (zipf, draws) = (zipf(1_000_000, 1.0), Draws::new(9, "known"));
        let first = (0..400_000).filter(|&i| zipf.rank(&mut draws.at(i)) == 0).count() as f64;
        let share = 1.0f64 / 14.392_726_722_9;
        let error = (400_000.0 * share * (1.0 - share)).sqrt();
        assert!((first - 400_000.0 * share).abs() < 4.0 * error, "{first}");
    }

    #[test]
    fn one_key_is_always_the_one() {
        let zipf = zipf(1, 1.2);
        assert!((0..1000).all(|i| zipf.rank(&mut Draws::new(1, "one").at(i)) == 0));
    }

    #[test]
    fn exponents_without_sense_are_refused() {
        for bad in [0.0, -1.0, 11.0, f64::NAN, f64::INFINITY] {
            assert!(Zipf::new(NonZeroU64::MIN, bad).is_err(), "{bad}");
        }
    }

    /// Were the exponent another one, the test above would say so.
    #[test]
    #[should_panic(expected = "n 1000")]
    fn a_wrong_exponent_is_noticed() {
        let n = 1000;
        let weights: Vec<f64> = (1..=n).map(|k| f64::from(k).powf(-1.0)).collect();
        let whole: f64 = weights.iter().sum();
        let (zipf, draws) = (zipf(1000, 0.98), Draws::new(1, "zipf"));
        let mut seen = [0u64; 2];
        (0..200_000).for_each(|i| seen[usize::from(zipf.rank(&mut draws.at(i)) > 0)] += 1);
        let expected = [200_000.0 / whole, 200_000.0 * (1.0 - 1.0 / whole)];
        assert!(chi_square(&seen, &expected) < 10.83, "n {n}: {seen:?} {expected:?}");
    }
}
