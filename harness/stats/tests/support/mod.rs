//! Synthetic series whose true quantiles and means are known.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::cast_possible_truncation)]

use std::f64::consts::TAU;

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

/// Samples are whole: so many to a unit.
pub const UNIT: f64 = 1e6;

pub struct Source(ChaCha12Rng);

impl Source {
    pub fn new(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// Evenly between 0 and 1, both excluded.
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u32() as f64 + 0.5) / 4_294_967_296.0
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (TAU * self.uniform()).cos()
    }
}

fn whole(values: impl Iterator<Item = f64>) -> Vec<i64> {
    values.map(|x| (x * UNIT).round() as i64).collect()
}

/// A kind of series, with its true values in its own unit.
pub struct Known {
    pub name: &'static str,
    pub make: fn(u64) -> Vec<i64>,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub mean: f64,
}

/// Standard normal quantiles.
const Z90: f64 = 1.281_551_566;
const Z99: f64 = 2.326_347_874;
const Z999: f64 = 3.090_232_306;

/// Independent, exponential with mean 1.
pub fn exponential() -> Known {
    let make = |seed| {
        let mut source = Source::new(seed);
        whole((0..5_000).map(|_| -source.uniform().ln()))
    };
    let tail = |beyond: f64| -beyond.ln();
    Known {
        name: "independent exponential",
        make,
        p50: tail(0.5),
        p90: tail(0.1),
        p99: tail(0.01),
        p999: tail(0.001),
        mean: 1.0,
    }
}

/// exp(sigma z): the true quantiles are those of z, carried over.
fn lognormal_of(name: &'static str, sigma: f64, make: fn(u64) -> Vec<i64>) -> Known {
    let at = |z: f64| (sigma * z).exp();
    Known {
        name,
        make,
        p50: 1.0,
        p90: at(Z90),
        p99: at(Z99),
        p999: at(Z999),
        mean: (sigma * sigma / 2.0).exp(),
    }
}

/// Independent, lognormal with sigma 0.8.
pub fn lognormal() -> Known {
    lognormal_of("independent lognormal", 0.8, |seed| {
        let mut source = Source::new(seed);
        whole((0..5_000).map(|_| (0.8 * source.normal()).exp()))
    })
}

/// A Gaussian AR(1) process with correlation 0.9, carried over to a lognormal
/// marginal with sigma 0.8 (a Gaussian copula).
pub fn autocorrelated() -> Known {
    lognormal_of("AR(1) 0.9, lognormal", 0.8, |seed| autocorrelated_of(seed, 20_000, 0.9))
}

pub fn autocorrelated_of(seed: u64, n: usize, rho: f64) -> Vec<i64> {
    let mut source = Source::new(seed);
    let mut z = source.normal();
    let fresh = (1.0 - rho * rho).sqrt();
    whole((0..n).map(|_| {
        let x = (0.8 * z).exp();
        z = rho * z + fresh * source.normal();
        x
    }))
}

/// Mostly lognormal around 1 with sigma 0.25; 4 % of the samples in stalls of
/// 20 on average (a two-state Markov chain), evenly between 20 and 80. The
/// 99th percentile is three quarters through the stalls: 65.
pub fn stalls() -> Known {
    let make = |seed| {
        let mut source = Source::new(seed);
        let (share, length) = (0.04, 20.0);
        let begin = share / (1.0 - share) / length;
        let mut stalled = source.uniform() < share;
        whole((0..30_000).map(|_| {
            let turn = if stalled { 1.0 / length } else { begin };
            if source.uniform() < turn {
                stalled = !stalled;
            }
            if stalled { 20.0 + 60.0 * source.uniform() } else { (0.25 * source.normal()).exp() }
        }))
    };
    Known {
        name: "bursts of stalls",
        make,
        // Quantiles of the quiet part at 0.5 / 0.96 and 0.9 / 0.96.
        p50: (0.25f64 * 0.052_244).exp(),
        p90: (0.25f64 * 1.534_121).exp(),
        p99: 65.0,
        p999: 78.5,
        mean: 0.96 * (0.25f64 * 0.25 / 2.0).exp() + 0.04 * 50.0,
    }
}
