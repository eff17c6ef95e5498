//! Products of 192 bits, for comparing areas without rounding.

/// A number below 2^192.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wide {
    high: u128,
    low: u64,
}

impl Wide {
    /// `a` · `b`, exactly.
    pub const fn product(a: u128, b: u64) -> Self {
        // Neither can overflow: (2^64 - 1)² + 2^64 - 1 is below 2^128.
        let lower = (a & u64::MAX as u128) * b as u128;
        let upper = (a >> 64) * b as u128 + (lower >> 64);
        Self { high: upper, low: low(lower) }
    }

    /// The sum, if it is below 2^192: of two products it is as long as one of
    /// them is below 2^191.
    pub const fn plus(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        Self { high: self.high.saturating_add(other.high).saturating_add(carry as u128), low }
    }
}

#[allow(clippy::cast_possible_truncation)] // the lower half is what is meant
const fn low(wide: u128) -> u64 {
    wide as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_u128_does_it_where_it_can(a: u64, b: u64, c: u64, d: u64) {
            let (ab, cd) = (Wide::product(a.into(), b), Wide::product(c.into(), d));
            let (x, y) = (u128::from(a) * u128::from(b), u128::from(c) * u128::from(d));
            prop_assert_eq!(ab.cmp(&cd), x.cmp(&y));
            prop_assert_eq!(ab.plus(cd), Wide { high: x / (1 << 64) + y / (1 << 64), low: low(x) }
                .plus(Wide { high: 0, low: low(y) }));
        }

        /// (a · 2^64) · b is a · b moved by one limb.
        #[test]
        fn the_upper_half_counts(a: u64, b: u64) {
            let moved = Wide::product(u128::from(a) << 64, b);
            prop_assert_eq!(moved, Wide { high: u128::from(a) * u128::from(b), low: 0 });
        }
    }
}
