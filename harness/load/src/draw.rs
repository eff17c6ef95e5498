//! Random numbers that depend on (seed, purpose, index) alone, so that
//! operation `i` is the same whoever asks for it, and in whatever order.
//!
//! SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
//! Generators, OOPSLA 2014; the constants are those of its reference
//! implementation). It is no cipher: it decides who is asked what and when;
//! what entities contain is drawn in [`crate::payload`].

/// The increment: 2^64 / golden ratio, odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// 2^-53: the distance of the numbers that [`Draw::unit`] returns.
const ULP: f64 = 1.0 / (1u64 << 53) as f64;

/// The draws of one purpose: one [`Draw`] an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draws {
    key: u64,
}

impl Draws {
    /// Draws from `seed` for `purpose`. Two purposes of a seed, such as
    /// `write/mix` and `write/keys`, have nothing to do with one another.
    pub fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a, 64 bits: tells purposes apart, with no need to resist anyone.
        let hash = purpose.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { key: mixed(seed.wrapping_add(mixed(hash))) }
    }

    /// The draw of `index`: always the same.
    pub const fn at(&self, index: u64) -> Draw {
        Draw { state: mixed(self.key.wrapping_add(index.wrapping_mul(GAMMA))) }
    }
}

/// A sequence of random numbers.
#[derive(Debug, Clone)]
pub struct Draw {
    state: u64,
}

impl Draw {
    /// 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mixed(self.state)
    }

    /// A number in (0, 1], of 2^53 that are equally likely. Never zero, so that
    /// its logarithm is a number.
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 * ULP
    }

    /// A number below `bound`, each equally likely; 0 if `bound` is 0.
    ///
    /// Lemire, Fast Random Integer Generation in an Interval, ACM TOMACS 29
    /// (2019), algorithm 5.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = |bits: u64| u128::from(bits) * u128::from(bound);
        let mut wide = product(self.bits());
        if low(wide) < bound {
            let least = bound.wrapping_neg() % bound;
            while low(wide) < least {
                wide = product(self.bits());
            }
        }
        u64::try_from(wide >> 64).unwrap_or(u64::MAX)
    }

    /// An exponentially distributed number with mean 1: inversion, -ln U.
    pub fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// A normally distributed number with mean 0 and variance 1: Box and Muller,
    /// Annals of Mathematical Statistics 29 (1958); the sine half is not used.
    pub fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// A lognormally distributed number: the logarithm has mean ln `median` and
    /// standard deviation `sigma`. Its own mean is `median` · exp(sigma²/2).
    pub fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }
}

#[allow(clippy::cast_possible_truncation)] // the lower half is what is meant
const fn low(wide: u128) -> u64 {
    wide as u64
}

/// The output function of SplitMix64: a bijection in which each bit of the
/// input reaches each of the output.
const fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of the reference implementation for state 0.
    #[test]
    fn it_is_splitmix64() {
        let mut draw = Draw { state: 0 };
        assert_eq!(
            [draw.bits(), draw.bits(), draw.bits()],
            [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]
        );
    }

    #[test]
    fn seed_purpose_and_index_all_matter() {
        let first = |seed, purpose, index| Draws::new(seed, purpose).at(index).bits();
        let base = first(1, "write/mix", 5);
        assert_eq!(base, first(1, "write/mix", 5));
        assert_ne!(base, first(2, "write/mix", 5));
        assert_ne!(base, first(1, "write/key", 5));
        assert_ne!(base, first(1, "write/mix", 6));
    }

    /// Mean and variance of 200,000 draws, one an index, within five standard
    /// errors of what theory says.
    #[test]
    fn moments_are_those_of_the_distributions() {
        let draws = Draws::new(7, "moments");
        let n = 200_000;
        let near = |what: &str,
                    pick: &dyn Fn(&mut Draw) -> f64,
                    mean: f64,
                    variance: f64,
                    fourth: f64| {
            let values: Vec<f64> = (0..n).map(|i| pick(&mut draws.at(i))).collect();
            let count = n as f64;
            let found = values.iter().sum::<f64>() / count;
            let spread = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
            assert!((found - mean).abs() < 5.0 * (variance / count).sqrt(), "{what}: mean {found}");
            let error = ((fourth - variance * variance) / count).sqrt();
            assert!((spread - variance).abs() < 5.0 * error, "{what}: variance {spread}");
        };
        near("unit", &Draw::unit, 0.5, 1.0 / 12.0, 1.0 / 80.0);
        near("exponential", &Draw::exponential, 1.0, 1.0, 9.0);
        near("normal", &Draw::normal, 0.0, 1.0, 3.0);
        // Of die rolls: variance 35/12, fourth central moment 707/48.
        near("below", &|d| d.below(6) as f64, 2.5, 35.0 / 12.0, 707.0 / 48.0);
    }

    #[test]
    fn below_stays_below() {
        let mut draw = Draws::new(3, "below").at(0);
        assert_eq!(draw.below(0), 0);
        assert_eq!(draw.below(1), 0);
        for bound in [2, 3, 1 << 40, u64::MAX] {
            assert!((0..1000).all(|_| draw.below(bound) < bound));
        }
    }
}
