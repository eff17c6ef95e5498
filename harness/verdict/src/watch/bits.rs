//! A set of small numbers.

/// A set of numbers below a bound, one bit each.
#[derive(Debug, Clone, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// Adds `n`; whether it is new.
    pub fn insert(&mut self, n: u32) -> bool {
        let (word, bit) = place(n);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let word = &mut self.0[word];
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Whether `n` is in it.
    pub fn contains(&self, n: u32) -> bool {
        let (word, bit) = place(n);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// How many numbers are in it.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

const fn place(n: u32) -> (usize, u64) {
    ((n / 64) as usize, 1 << (n % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(numbers in prop::collection::vec(0u32..500, 0..200), asked in 0u32..600) {
            let mut bits = Bits::default();
            let mut set = BTreeSet::new();
            for n in numbers {
                prop_assert_eq!(bits.insert(n), set.insert(n));
            }
            prop_assert_eq!(bits.count(), set.len() as u64);
            prop_assert_eq!(bits.contains(asked), set.contains(&asked));
        }
    }
}
