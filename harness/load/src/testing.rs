//! Tests of distributions: a statistic that is too large for its percentile
//! says that the draws are not what they ought to be. All seeds are fixed, so
//! that a test that passes once passes always.

/// Pearson's statistic: the sum of (seen - expected)² / expected.
pub fn chi_square(seen: &[u64], expected: &[f64]) -> f64 {
    assert_eq!(seen.len(), expected.len());
    assert!(expected.iter().all(|&e| e >= 5.0), "cells too small: {expected:?}");
    seen.iter().zip(expected).map(|(&s, &e)| (s as f64 - e).powi(2) / e).sum()
}

/// The statistic's 99.9th percentile for `freedom` degrees: Wilson and
/// Hilferty, PNAS 17 (1931); within 1 % from three degrees on.
pub fn chi_square_limit(freedom: usize) -> f64 {
    let n = freedom as f64;
    let ninth = 2.0 / (9.0 * n);
    n * (1.0 - ninth + 3.090_232 * ninth.sqrt()).powi(3)
}

/// Kolmogorov and Smirnov's statistic, times the root of the sample size: the
/// largest distance of the sample's distribution from `cdf`. Below 1.95 in 999
/// of 1,000 samples (Smirnov 1948: 2·exp(-2·1.95²) = 0.001).
pub fn kolmogorov(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let n = sample.len() as f64;
    let distance = |(i, &x): (usize, &f64)| {
        let at = cdf(x);
        (at - i as f64 / n).abs().max(((i + 1) as f64 / n - at).abs())
    };
    sample.iter().enumerate().map(distance).fold(0.0, f64::max) * n.sqrt()
}

/// What [`kolmogorov`] must stay below.
pub const KOLMOGOROV_LIMIT: f64 = 1.95;
