//! How strongly neighbours depend on each other, and how long a block must be.
//!
//! The measure is the *statistical inefficiency* s: by how much the variance
//! of a mean exceeds that of as many independent samples. It is taken from
//! batch means, s = B var(mean of B neighbours) / var(sample), with B doubled
//! until B^3 > 2 n s^2 (Lee et al., Phys. Rev. E 83, 066706, 2011, after
//! Flyvbjerg and Petersen 1989); the block is the cube root of 2 n s^2. That is the n^(1/3) rule which also minimises
//! the error of a block bootstrap's variance (Hall, Horowitz and Jing 1995):
//! shorter blocks cut dependence off, longer ones leave too few.
//!
//! Batch means, and not an initial positive sequence of autocorrelations
//! (Geyer 1992), because they cost one pass for any reach of the dependence,
//! where a million samples with a reach of thousands would cost a billion
//! products, and because the batches are the very blocks that are resampled.

use crate::series::{Prefix, whole};

/// Fewer blocks than this say nothing about how much they differ: with 16, the
/// variance is known to within about a third.
pub const FEWEST_BLOCKS: usize = 16;

/// More blocks than this make nothing better, only slower: longer blocks take
/// their place.
pub const MOST_BLOCKS: usize = 1_000;

/// How strongly neighbours depend on each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dependence {
    /// How many neighbours must stay together.
    pub block: usize,
    /// The statistical inefficiency; 1 for independent samples.
    pub inefficiency: f64,
}

impl Dependence {
    /// How many independent samples are as good as `n` of these; never more
    /// than `n`, so that a lucky estimate claims nothing.
    pub fn effective(&self, n: usize) -> f64 {
        n as f64 / self.inefficiency.max(1.0)
    }
}

/// The dependence in `prefix`; none if there are too few samples, or if it
/// reaches too far to be told from a trend: then fewer than
/// [`FEWEST_BLOCKS`] blocks would be left.
pub(crate) fn dependence(prefix: &Prefix) -> Option<Dependence> {
    let n = prefix.len();
    let mut block = 1;
    // Half as many blocks are enough to see whether shorter ones would do.
    while n / block >= FEWEST_BLOCKS / 2 {
        let found = of_blocks(prefix, block);
        let enough = (2.0 * n as f64 * found.inefficiency.powi(2)).cbrt();
        if block as f64 > enough {
            let length = whole(enough.ceil()).max(n.div_ceil(MOST_BLOCKS)).max(1);
            let inefficiency = of_blocks(prefix, length).inefficiency.max(found.inefficiency);
            let chosen = Dependence { block: length, inefficiency };
            return (n / length >= FEWEST_BLOCKS).then_some(chosen);
        }
        block *= 2;
    }
    None
}

/// What blocks of one length show.
pub(crate) fn of_blocks(prefix: &Prefix, block: usize) -> Dependence {
    let count = prefix.len() / block;
    let squares: f64 = (0..count).map(|i| prefix.block(i * block, block).powi(2)).sum();
    // The influences' mean is 0 by construction, at the price of one degree of freedom.
    let of_sum = squares / (count.max(2) - 1) as f64;
    let independent = prefix.variance * block as f64;
    let inefficiency = if independent > 0.0 { of_sum / independent } else { 1.0 };
    Dependence { block, inefficiency }
}
