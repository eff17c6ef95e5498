//! How long messages are.

use crate::draw::Draw;
use crate::weighted::Weighted;

/// A distribution of sizes, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Sizes {
    /// Always the same.
    Fixed(u32),
    /// Each of a range is equally likely.
    Uniform(UniformSizes),
    /// Lognormal, cut at a largest.
    LogNormal(LogNormalSizes),
    /// One of several.
    Choice(Weighted<u32>),
}

/// Each size of a range is equally likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UniformSizes {
    least: u32,
    most: u32,
}

/// Many small ones, few large ones: the logarithm of the size is normally
/// distributed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogNormalSizes {
    median: u32,
    sigma: f64,
    most: u32,
}

/// Numbers that make no distribution of sizes.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SizesError {
    /// The wrong way round.
    #[error("making sizes from {least} to {most} bytes: the first must not be the larger one")]
    Range {
        /// The smallest.
        least: u32,
        /// The largest.
        most: u32,
    },
    /// No spread.
    #[error(
        "making lognormal sizes with sigma {sigma}: it must be from 0 to 5 (1 makes one in six more \
         than 2.7 times the median)"
    )]
    Sigma {
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
}

impl Sizes {
    /// From `least` to `most` bytes, both included.
    ///
    /// # Errors
    /// If `least` is larger.
    pub const fn uniform(least: u32, most: u32) -> Result<Self, SizesError> {
        if least > most {
            return Err(SizesError::Range { least, most });
        }
        Ok(Self::Uniform(UniformSizes { least, most }))
    }

    /// Half of them below `median` bytes, the logarithm spread by `sigma`; what
    /// is above `most` becomes `most`.
    ///
    /// # Errors
    /// If `sigma` is not from 0 to 5, or `median` above `most`.
    pub fn lognormal(median: u32, sigma: f64, most: u32) -> Result<Self, SizesError> {
        if !(0.0..=5.0).contains(&sigma) {
            return Err(SizesError::Sigma { sigma });
        }
        if median > most {
            return Err(SizesError::Range { least: median, most });
        }
        Ok(Self::LogNormal(LogNormalSizes { median, sigma, most }))
    }

    /// One of them.
    pub fn sample(&self, draw: &mut Draw) -> u32 {
        match self {
            Self::Fixed(size) => *size,
            Self::Uniform(UniformSizes { least, most }) => {
                let more = draw.below(u64::from(most - least) + 1);
                least.saturating_add(u32::try_from(more).unwrap_or(u32::MAX))
            }
            Self::LogNormal(LogNormalSizes { median, sigma, most }) => {
                // A float-to-integer cast saturates.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let size = draw.lognormal(f64::from(*median), *sigma).round() as u32;
                size.min(*most)
            }
            Self::Choice(sizes) => *sizes.pick(draw),
        }
    }

    /// The largest there can be.
    pub fn largest(&self) -> u32 {
        match self {
            Self::Fixed(size) => *size,
            Self::Uniform(range) => range.most,
            Self::LogNormal(lognormal) => lognormal.most,
            Self::Choice(sizes) => sizes.shares().map(|(&size, _)| size).max().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draws;
    use crate::testing::{chi_square, chi_square_limit};

    fn sample(sizes: &Sizes, seed: u64, n: u64) -> Vec<u32> {
        let draws = Draws::new(seed, "sizes");
        (0..n).map(|i| sizes.sample(&mut draws.at(i))).collect()
    }

    #[test]
    fn uniform_sizes_are_uniform() {
        let sizes = Sizes::uniform(100, 149).unwrap();
        let mut seen = [0u64; 50];
        sample(&sizes, 1, 50_000).iter().for_each(|&s| seen[(s - 100) as usize] += 1);
        assert!(chi_square(&seen, &[1000.0; 50]) < chi_square_limit(49));
        assert_eq!(Sizes::uniform(7, 7).unwrap().sample(&mut Draws::new(1, "x").at(0)), 7);
    }

    /// Shares below known quantiles of the normal distribution: 15.87 % below
    /// median / e, half below the median, 84.13 % below median · e.
    #[test]
    fn lognormal_sizes_have_their_quantiles_and_their_cap() {
        let sizes = Sizes::lognormal(10_000, 1.0, 1_000_000).unwrap();
        let found = sample(&sizes, 2, 100_000);
        for (limit, share) in [(3_679, 0.158_66), (10_000, 0.5), (27_183, 0.841_34)] {
            let below = found.iter().filter(|&&s| s < limit).count() as f64 / 1e5;
            assert!((below - share).abs() < 0.006, "{limit}: {below}");
        }
        let capped = Sizes::lognormal(10_000, 1.0, 20_000).unwrap();
        let found = sample(&capped, 2, 100_000);
        assert!(found.iter().all(|&s| s <= 20_000));
        // 1 - Φ(ln 2) = 24.4 % are cut.
        let cut = found.iter().filter(|&&s| s == 20_000).count() as f64 / 1e5;
        assert!((cut - 0.2441).abs() < 0.006, "{cut}");
        assert_eq!(capped.largest(), 20_000);
    }

    #[test]
    fn one_of_several() {
        let sizes = Sizes::Choice(Weighted::new([(100, 3), (5000, 1)]).unwrap());
        let small = sample(&sizes, 3, 40_000).iter().filter(|&&s| s == 100).count() as u64;
        assert!(chi_square(&[small, 40_000 - small], &[30_000.0, 10_000.0]) < 10.83);
        assert_eq!(sizes.largest(), 5000);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(Sizes::uniform(2, 1).is_err());
        assert!(Sizes::lognormal(2, 1.0, 1).is_err());
        for sigma in [-1.0, 6.0, f64::NAN] {
            assert!(Sizes::lognormal(1, sigma, 2).is_err(), "{sigma}");
        }
    }
}
