//! Resampled deviations of a statistic, from whole blocks.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use crate::Z95;
use crate::series::{Prefix, below_bound};

/// How often a run is resampled. An end of a 95 % interval then lies between
/// the 2.2 % and the 2.8 % quantile two times of three.
pub const DRAWS: usize = 2_000;

/// Blocks may start at every eighth of their length: they overlap as moving
/// blocks do, and their sums are few enough for the processor's cache.
const STARTS_A_BLOCK: usize = 8;

/// Deviations of the mean influence in `prefix` when as many blocks of `block`
/// samples as fit are drawn with replacement, in the order drawn.
///
/// They are widened for a small number K of blocks by sqrt(K / (K - 1)) and by
/// Student's t over the normal quantile with K - 1 degrees of freedom.
pub(crate) fn deviations(prefix: &Prefix, block: usize, seed: u64) -> Vec<f64> {
    let n = prefix.len();
    let count = n / block;
    let step = (block / STARTS_A_BLOCK).max(1);
    let sums: Vec<f64> = (0..n).step_by(step).map(|start| prefix.block(start, block)).collect();
    let drawn = (count * block) as f64;
    // What is drawn is a little shorter than the run.
    let scale = (drawn / n as f64).sqrt() * few_blocks(count) / drawn;
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    let mut draw = || {
        let total: f64 = (0..count).map(|_| sums[below_bound(&mut random, sums.len())]).sum();
        total * scale
    };
    (0..DRAWS).map(|_| draw()).collect()
}

/// By how much `count` blocks understate the spread.
fn few_blocks(count: usize) -> f64 {
    let free = count.saturating_sub(1).max(1) as f64;
    // Student's quantile from the normal one: Abramowitz and Stegun 26.7.5.
    let z = Z95;
    let student = z
        + (z.powi(3) + z) / (4.0 * free)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * free.powi(2));
    (count as f64 / free).sqrt() * student / z
}

/// The value below which the share `share` of `sorted` lies, to the outside:
/// below one half the lower neighbour, above it the upper.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = share * last as f64;
    let index = crate::series::whole(if share < 0.5 { at.floor() } else { at.ceil() });
    sorted.get(index.min(last)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_blocks_are_widened_as_students_t_says() {
        // t(0.975, 15) = 2.131; 16 blocks.
        let expected = 2.131_45 / Z95 * (16.0f64 / 15.0).sqrt();
        assert!((few_blocks(16) - expected).abs() < 1e-3, "{}", few_blocks(16));
        assert!(few_blocks(1_000) < 1.002);
    }

    #[test]
    fn quantiles_are_taken_to_the_outside() {
        let values = [0.0, 1.0, 2.0, 3.0, 4.0];
        assert_eq!([0.1, 0.25, 0.9].map(|share| quantile(&values, share)), [0.0, 1.0, 4.0]);
    }
}
