//! Which of the existing entities an operation is about.

use std::num::NonZeroU64;

use crate::draw::Draws;
use crate::zipf::Zipf;

/// How popular the entities of a seeded step are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Popularity {
    /// All the same.
    Uniform,
    /// The k-th with a probability proportional to k^-exponent: entity 0 most
    /// often. Popular entities are those that were made first.
    Zipf {
        /// The exponent: above 0, at most 10; 0.99 is usual.
        exponent: f64,
    },
    /// The first `keys` together get `share` of all operations, the others the
    /// rest; within each of the two groups all are the same.
    Hot {
        /// How many are hot.
        keys: NonZeroU64,
        /// From 0 to 1: their share.
        share: f64,
    },
    /// Operation i is about entity i, and after the last the first comes again.
    /// With a mix, an operation that is about no entity leaves its one out.
    Sequential,
}

/// A choice of existing entities: of each operation, by its index alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Keys {
    entities: NonZeroU64,
    how: How,
    draws: Draws,
}

#[derive(Debug, Clone, PartialEq)]
enum How {
    Uniform,
    Zipf(Zipf),
    Hot { keys: u64, share: f64 },
    Sequential,
}

/// Keys cannot be chosen like that.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum KeysError {
    /// The exponent.
    #[error(transparent)]
    Exponent(#[from] crate::zipf::BadExponent),
    /// The share.
    #[error("giving hot keys a share of {share}: it must be from 0 to 1")]
    Share {
        /// The share.
        share: f64,
    },
    /// The number of hot keys.
    #[error("making {keys} of {entities} entities hot: some must be left that are not")]
    Hot {
        /// How many are hot.
        keys: u64,
        /// How many there are.
        entities: u64,
    },
}

impl Keys {
    /// Choices among `entities` entities.
    ///
    /// # Errors
    /// If `popularity` is none for so many.
    pub fn new(
        entities: NonZeroU64,
        popularity: Popularity,
        draws: Draws,
    ) -> Result<Self, KeysError> {
        let how = match popularity {
            Popularity::Uniform => How::Uniform,
            Popularity::Sequential => How::Sequential,
            Popularity::Zipf { exponent } => How::Zipf(Zipf::new(entities, exponent)?),
            Popularity::Hot { share, .. } if !(0.0..=1.0).contains(&share) => {
                return Err(KeysError::Share { share });
            }
            Popularity::Hot { keys, .. } if keys >= entities => {
                return Err(KeysError::Hot { keys: keys.get(), entities: entities.get() });
            }
            Popularity::Hot { keys, share } => How::Hot { keys: keys.get(), share },
        };
        Ok(Self { entities, how, draws })
    }

    /// How many entities there are.
    pub const fn entities(&self) -> NonZeroU64 {
        self.entities
    }

    /// The entity that operation `index` is about: its index in the step that
    /// made it.
    pub fn entity(&self, index: u64) -> u64 {
        let all = self.entities.get();
        match &self.how {
            How::Sequential => index % all,
            How::Uniform => self.draws.at(index).below(all),
            How::Zipf(zipf) => zipf.rank(&mut self.draws.at(index)),
            How::Hot { keys, share } => {
                let mut draw = self.draws.at(index);
                match draw.unit() <= *share {
                    true => draw.below(*keys),
                    false => keys + draw.below(all - keys),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{chi_square, chi_square_limit};
    use proptest::prelude::*;

    fn keys(entities: u64, popularity: Popularity, seed: u64) -> Keys {
        let entities = NonZeroU64::new(entities).unwrap();
        Keys::new(entities, popularity, Draws::new(seed, "keys")).unwrap()
    }

    fn seen(keys: &Keys, draws: u64) -> Vec<u64> {
        let mut seen = vec![0; usize::try_from(keys.entities().get()).unwrap()];
        (0..draws).for_each(|i| seen[usize::try_from(keys.entity(i)).unwrap()] += 1);
        seen
    }

    fn hot(keys: u64, share: f64) -> Popularity {
        Popularity::Hot { keys: NonZeroU64::new(keys).unwrap(), share }
    }

    #[test]
    fn uniform_is_uniform() {
        for seed in 1..=5 {
            let seen = seen(&keys(100, Popularity::Uniform, seed), 100_000);
            assert!(chi_square(&seen, &[1000.0; 100]) < chi_square_limit(99), "seed {seed}");
        }
    }

    #[test]
    fn hot_keys_get_their_share() {
        for seed in 1..=5 {
            let seen = seen(&keys(50, hot(5, 0.9), seed), 100_000);
            let expected: Vec<f64> =
                (0..50).map(|k| if k < 5 { 18_000.0 } else { 10_000.0 / 45.0 }).collect();
            assert!(chi_square(&seen, &expected) < chi_square_limit(49), "seed {seed}");
        }
        assert_eq!(seen(&keys(4, hot(1, 0.0), 1), 100)[0], 0);
        assert_eq!(seen(&keys(4, hot(1, 1.0), 1), 100), [100, 0, 0, 0]);
    }

    #[test]
    fn one_after_the_other() {
        let keys = keys(3, Popularity::Sequential, 1);
        assert_eq!([0, 1, 2, 3, 4].map(|i| keys.entity(i)), [0, 1, 2, 0, 1]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let ten = NonZeroU64::new(10).unwrap();
        for bad in [hot(10, 0.5), hot(1, 1.5), hot(1, f64::NAN), Popularity::Zipf { exponent: 0.0 }]
        {
            assert!(Keys::new(ten, bad, Draws::new(1, "keys")).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn an_entity_that_exists_and_the_same_again(
            entities in 1u64..2_000_000, exponent in 0.01f64..5.0, seed: u64, index: u64,
        ) {
            for popularity in
                [Popularity::Uniform, Popularity::Sequential, Popularity::Zipf { exponent }]
            {
                let keys = keys(entities, popularity, seed);
                prop_assert!(keys.entity(index) < entities);
                prop_assert_eq!(keys.entity(index), keys.clone().entity(index));
            }
        }
    }
}
