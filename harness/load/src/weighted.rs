//! One of several, each as often as its weight says.

use crate::draw::Draw;

/// Things with weights, at least one of which is above zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighted<T> {
    /// Each with the sum of the weights up to it; none has weight zero.
    options: Vec<(T, u64)>,
    total: u64,
}

/// There is nothing to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("choosing by weight: all weights are zero; give at least one a weight of 1 or more")]
pub struct NoWeight;

impl<T> Weighted<T> {
    /// `options`, each with its weight. Those of weight zero are left out.
    ///
    /// # Errors
    /// If nothing is left.
    pub fn new(options: impl IntoIterator<Item = (T, u32)>) -> Result<Self, NoWeight> {
        let mut total = 0;
        let mut kept = Vec::new();
        for (option, weight) in options {
            if weight > 0 {
                total += u64::from(weight);
                kept.push((option, total));
            }
        }
        if kept.is_empty() { Err(NoWeight) } else { Ok(Self { options: kept, total }) }
    }

    /// One that is always chosen.
    pub fn only(option: T) -> Self {
        Self { options: vec![(option, 1)], total: 1 }
    }

    /// What `draw` chooses: by bisection, since there may be thousands.
    pub fn pick(&self, draw: &mut Draw) -> &T {
        // With one option there is nothing to draw.
        let point = if self.options.len() == 1 { 0 } else { draw.below(self.total) };
        let index = self.options.partition_point(|(_, sum)| *sum <= point);
        &self.options[index.min(self.options.len() - 1)].0
    }

    /// The options and how often each is chosen, as a share of 1.
    #[allow(clippy::cast_precision_loss)] // sums of 32-bit weights
    pub fn shares(&self) -> impl Iterator<Item = (&T, f64)> {
        let mut before = 0;
        self.options.iter().map(move |(option, sum)| {
            let weight = sum - before;
            before = *sum;
            (option, weight as f64 / self.total as f64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draws;
    use crate::testing::chi_square;

    #[test]
    fn each_as_often_as_its_weight_says() {
        let weights = [7u32, 0, 1, 2];
        let weighted = Weighted::new((0..4usize).zip(weights)).unwrap();
        let draws = Draws::new(11, "weighted");
        let mut seen = [0u64; 4];
        (0..100_000).for_each(|i| seen[*weighted.pick(&mut draws.at(i))] += 1);
        assert_eq!(seen[1], 0);
        // 99.9th percentile of chi-square with two degrees of freedom.
        let expected = [70_000.0, 10_000.0, 20_000.0];
        assert!(chi_square(&[seen[0], seen[2], seen[3]], &expected) < 13.82);
        let shares: Vec<_> = weighted.shares().map(|(&option, share)| (option, share)).collect();
        assert_eq!(shares, [(0, 0.7), (2, 0.1), (3, 0.2)]);
    }

    #[test]
    fn no_weight_no_choice() {
        assert_eq!(Weighted::new([("a", 0)]), Err(NoWeight));
        assert_eq!(Weighted::<u8>::new([]), Err(NoWeight));
        assert_eq!(*Weighted::only("a").pick(&mut Draws::new(1, "x").at(0)), "a");
    }
}
