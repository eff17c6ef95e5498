//! Intervals for autocorrelated latencies, and differences of two runs.
//!
//! Latencies of one run depend on each other: a stall of the disk makes a
//! hundred operations slow, not one. Formulas for independent samples then
//! claim far too much. Here the samples are taken in the order of their
//! intended starts, and everything is built on *blocks* of neighbours:
//!
//! ```text
//! Series ─ influence ─> Prefix ─ dependence ─> block length ─ draws ─> Estimate ─┐
//!                                                          the same of run B ──┴─> Difference
//! ```
//!
//! | module | idea |
//! |---|---|
//! | [`series`] | samples in time order and by size, and what each says about a statistic |
//! | [`dependence`] | how strongly neighbours depend, from batch means; how long a block must be |
//! | [`bootstrap`] | resampled deviations of a statistic, from whole blocks |
//! | [`estimate`] | a statistic with its 95 % interval, or why there is none |
//! | [`difference`] | two runs: difference, ratio, and the smallest effect that would have been seen |
//!
//! # Method
//! A statistic is turned into a mean: the mean itself, or for a percentile the
//! share of samples at or below it. The share's sampling error comes from a
//! circular moving-block bootstrap (Künsch 1989; Politis and Romano 1992), and
//! is carried over to time through the order statistics (Woodruff 1952). That
//! keeps the interval right where few samples lie beyond the percentile: the
//! usual bootstrap of the percentile itself ends too low there, and it costs
//! 2,000 sums of at most a thousand blocks instead of 2,000 sorts.
//!
//! # Limits
//! - The series is taken as stationary. A trend within the run (a store that
//!   fills up) widens the interval, or denies it, but is not modelled.
//! - Dependence that reaches further than about a sixteenth of the run cannot
//!   be told from a trend: there is no interval then.
//! - An interval speaks of the run it was taken from: how much *another* run
//!   differs, by page cache, placement or neighbours, only further runs show.

pub mod bootstrap;
pub mod dependence;
pub mod difference;
pub mod estimate;
pub mod series;

pub use difference::Difference;
pub use estimate::{Blocks, Estimate, Interval, NoInterval};
pub use series::{Percentile, Series, Statistic};

/// The level of every interval: in 95 of 100 runs it holds the true value.
pub const LEVEL: f64 = 0.95;

/// The standard normal's 97.5 % quantile: both ends of a 95 % interval.
pub(crate) const Z95: f64 = 1.959_963_985;

/// The standard normal's 80 % quantile: the power of a minimum detectable effect.
pub(crate) const Z80: f64 = 0.841_621_234;
