//! Where each operation of a list stands in it.

use std::collections::HashMap;

use crate::id::OpId;

/// Finds operations by their id. Ids of a run are a nonce and numbers that
/// follow each other, so that a table by number does for nearly all of them.
#[derive(Debug, Default)]
pub struct OpIndex {
    /// One for each nonce that has a table.
    tables: Vec<Table>,
    /// Ids that are too scattered for one.
    scattered: HashMap<OpId, u32>,
}

#[derive(Debug)]
struct Table {
    nonce: u64,
    first: u64,
    /// [`ABSENT`] where there is none.
    places: Vec<u32>,
}

const ABSENT: u32 = u32::MAX;

/// A table may be so many times as long as it has entries.
const SPARSEST: u64 = 4;
/// More nonces than this are not worth tables.
const MOST_TABLES: usize = 16;

/// The numbers that go with a nonce: the least, the greatest, and how many.
struct Range {
    nonce: u64,
    first: u64,
    last: u64,
    count: u64,
}

impl OpIndex {
    /// Where `op` stands in the list; the last place if it is there repeatedly.
    pub fn get(&self, op: OpId) -> Option<u32> {
        match self.tables.iter().find(|table| table.nonce == op.nonce()) {
            Some(table) => {
                let number = usize::try_from(op.sequence().checked_sub(table.first)?).ok()?;
                table.places.get(number).copied().filter(|place| *place != ABSENT)
            }
            None => self.scattered.get(&op).copied(),
        }
    }

    /// Whether `op` is in the list.
    pub fn contains(&self, op: OpId) -> bool {
        self.get(op).is_some()
    }
}

impl FromIterator<OpId> for OpIndex {
    fn from_iter<I: IntoIterator<Item = OpId>>(ops: I) -> Self {
        Self::of(&ops.into_iter().collect::<Vec<_>>())
    }
}

impl OpIndex {
    fn of(ops: &[OpId]) -> Self {
        let dense = |range: &Range| (range.last - range.first) / SPARSEST <= range.count;
        let tables = ranges(ops).into_iter().filter(dense).map(|range| Table {
            nonce: range.nonce,
            first: range.first,
            places: vec![ABSENT; usize::try_from(range.last - range.first).map_or(0, |n| n + 1)],
        });
        let mut index = Self { tables: tables.collect(), scattered: HashMap::new() };
        for (op, place) in ops.iter().zip(0u32..) {
            match index.tables.iter_mut().find(|table| table.nonce == op.nonce()) {
                Some(table) => {
                    let number = usize::try_from(op.sequence() - table.first).ok();
                    if let Some(entry) = number.and_then(|number| table.places.get_mut(number)) {
                        *entry = place;
                    }
                }
                None => {
                    index.scattered.insert(*op, place);
                }
            }
        }
        index
    }
}

fn ranges(ops: &[OpId]) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for op in ops {
        let (nonce, number) = (op.nonce(), op.sequence());
        if let Some(range) = ranges.iter_mut().find(|range| range.nonce == nonce) {
            range.first = range.first.min(number);
            range.last = range.last.max(number);
            range.count += 1;
        } else if ranges.len() < MOST_TABLES {
            ranges.push(Range { nonce, first: number, last: number, count: 1 });
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_of_a_run_need_no_hashing() {
        let index: OpIndex = (5..1000).map(|n| OpId::new(7, n)).collect();
        assert!(index.scattered.is_empty());
        assert_eq!(index.get(OpId::new(7, 5)), Some(0));
        assert_eq!(index.get(OpId::new(7, 4)), None);
        assert_eq!(index.get(OpId::new(8, 5)), None);
        let far: OpIndex = [0, u64::MAX - 1].into_iter().map(|n| OpId::new(7, n)).collect();
        assert_eq!((far.tables.len(), far.scattered.len()), (0, 2));
    }

    proptest! {
        #[test]
        fn the_same_is_found_as_by_hashing(
            ids in prop::collection::vec((0u64..40, prop_oneof![0u64..50, any::<u64>()]), 0..80),
            asked in (0u64..40, 0u64..50),
        ) {
            let ids: Vec<OpId> = ids.into_iter().map(|(a, b)| OpId::new(a, b)).collect();
            let index: OpIndex = ids.iter().copied().collect();
            let hashed: HashMap<OpId, u32> = ids.iter().copied().zip(0..).collect();
            for op in ids.into_iter().chain([OpId::new(asked.0, asked.1)]) {
                prop_assert_eq!(index.get(op), hashed.get(&op).copied());
            }
        }
    }
}
