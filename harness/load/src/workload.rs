//! What each operation of a load is: its kind, the entity it is about, who
//! asks, and how long it may take. All of it follows from (seed, index), so
//! that any process can say it of any operation.

use std::num::NonZeroU16;
use std::time::Duration;

use kab_evidence::ledger::OpKind;

use crate::draw::Draws;
use crate::keys::Keys;
use crate::weighted::{NoWeight, Weighted};

/// What an operation does. Of the entities that exist, the index is that in
/// the step that made them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Makes a new entity.
    Create,
    /// Reads the collection.
    List,
    /// Reads this entity.
    Get(u64),
    /// Replaces this entity.
    Update(u64),
    /// Changes a part of this entity.
    Patch(u64),
    /// Removes this entity.
    Delete(u64),
}

impl Action {
    /// Its kind, as the ledger calls it.
    pub const fn kind(self) -> OpKind {
        match self {
            Self::Create => OpKind::Create,
            Self::List => OpKind::List,
            Self::Get(_) => OpKind::Get,
            Self::Update(_) => OpKind::Update,
            Self::Patch(_) => OpKind::Patch,
            Self::Delete(_) => OpKind::Delete,
        }
    }

    /// The existing entity that it is about.
    pub const fn entity(self) -> Option<u64> {
        match self {
            Self::Create | Self::List => None,
            Self::Get(entity)
            | Self::Update(entity)
            | Self::Patch(entity)
            | Self::Delete(entity) => Some(entity),
        }
    }
}

/// Kinds of operations that need no entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fresh {
    /// Makes one.
    Create,
    /// Reads all.
    List,
}

/// Kinds of operations that need an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Reads it.
    Get,
    /// Replaces it.
    Update,
    /// Changes a part of it.
    Patch,
    /// Removes it.
    Delete,
}

/// Weights of the kinds of operations.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    Fresh(Fresh),
    Existing(Existing),
}

/// Which operation is of which kind, about which entity.
///
/// Kinds that need an entity can only be named together with the [`Keys`] that
/// choose one.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    choices: Weighted<Choice>,
    keys: Option<Keys>,
    draws: Draws,
}

impl Mix {
    /// Nothing but creates.
    pub fn creates() -> Self {
        let choices = Weighted::only(Choice::Fresh(Fresh::Create));
        Self { choices, keys: None, draws: Draws::new(0, "") }
    }

    /// Kinds that need no entity, each with its weight.
    ///
    /// # Errors
    /// If all weights are zero.
    pub fn fresh(
        kinds: impl IntoIterator<Item = (Fresh, u32)>,
        draws: Draws,
    ) -> Result<Self, NoWeight> {
        let choices = kinds.into_iter().map(|(kind, weight)| (Choice::Fresh(kind), weight));
        Ok(Self { choices: Weighted::new(choices)?, keys: None, draws })
    }

    /// Kinds of both sorts, each with its weight; `keys` chooses entities.
    ///
    /// # Errors
    /// If all weights are zero.
    pub fn over(
        keys: Keys,
        fresh: impl IntoIterator<Item = (Fresh, u32)>,
        existing: impl IntoIterator<Item = (Existing, u32)>,
        draws: Draws,
    ) -> Result<Self, NoWeight> {
        let fresh = fresh.into_iter().map(|(kind, weight)| (Choice::Fresh(kind), weight));
        let existing = existing.into_iter().map(|(kind, weight)| (Choice::Existing(kind), weight));
        let choices = Weighted::new(fresh.chain(existing))?;
        Ok(Self { choices, keys: Some(keys), draws })
    }

    /// What operation `index` does.
    pub fn action(&self, index: u64) -> Action {
        let entity = || self.keys.as_ref().map_or(0, |keys| keys.entity(index));
        match self.choices.pick(&mut self.draws.at(index)) {
            Choice::Fresh(Fresh::Create) => Action::Create,
            Choice::Fresh(Fresh::List) => Action::List,
            Choice::Existing(Existing::Get) => Action::Get(entity()),
            Choice::Existing(Existing::Update) => Action::Update(entity()),
            Choice::Existing(Existing::Patch) => Action::Patch(entity()),
            Choice::Existing(Existing::Delete) => Action::Delete(entity()),
        }
    }
}

/// How long operations may take, counted from sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    others: Duration,
    own: [Option<Duration>; OpKind::ALL.len()],
}

impl Deadlines {
    /// The same for all.
    pub const fn all(deadline: Duration) -> Self {
        Self { others: deadline, own: [None; OpKind::ALL.len()] }
    }

    /// As this, but another one for `kind`.
    pub const fn with(mut self, kind: OpKind, deadline: Duration) -> Self {
        self.own[slot(kind)] = Some(deadline);
        self
    }

    /// That of operations of `kind`.
    pub const fn of(&self, kind: OpKind) -> Duration {
        match self.own[slot(kind)] {
            Some(own) => own,
            None => self.others,
        }
    }

    /// The longest of all.
    pub fn longest(&self) -> Duration {
        OpKind::ALL.into_iter().map(|kind| self.of(kind)).max().unwrap_or(self.others)
    }
}

const fn slot(kind: OpKind) -> usize {
    match kind {
        OpKind::Create => 0,
        OpKind::Get => 1,
        OpKind::List => 2,
        OpKind::Update => 3,
        OpKind::Patch => 4,
        OpKind::Delete => 5,
    }
}

/// Who asks: service accounts, so that the apiserver's priority and fairness
/// sees as many flows as there are identities (a flow is told by its user,
/// unless a FlowSchema says otherwise).
#[derive(Debug, Clone, PartialEq)]
pub enum Identities {
    /// Operation i is asked by identity i modulo their number.
    RoundRobin(NonZeroU16),
    /// Each identity asks as often as its weight says.
    Weighted {
        /// Identities by their index.
        weights: Weighted<u16>,
        /// What the choice is drawn from.
        draws: Draws,
    },
}

impl Identities {
    /// Everything is asked by one.
    pub const ONE: Self = Self::RoundRobin(NonZeroU16::MIN);

    /// Who asks for operation `index`.
    pub fn identity(&self, index: u64) -> u16 {
        match self {
            // Below a u16, so it is one.
            Self::RoundRobin(count) => {
                u16::try_from(index % u64::from(count.get())).unwrap_or(u16::MAX)
            }
            Self::Weighted { weights, draws } => *weights.pick(&mut draws.at(index)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::keys::Popularity;
    use crate::testing::{chi_square, chi_square_limit};
    use proptest::prelude::*;

    fn keys(seed: u64) -> Keys {
        let entities = NonZeroU64::new(20).unwrap();
        Keys::new(entities, Popularity::Uniform, Draws::new(seed, "write/keys")).unwrap()
    }

    fn mix(seed: u64) -> Mix {
        let existing = [(Existing::Get, 50), (Existing::Update, 10), (Existing::Patch, 5)];
        let existing = existing.into_iter().chain([(Existing::Delete, 5)]);
        let fresh = [(Fresh::Create, 20), (Fresh::List, 10)];
        Mix::over(keys(seed), fresh, existing, Draws::new(seed, "write/mix")).unwrap()
    }

    #[test]
    fn kinds_come_as_often_as_they_are_weighted() {
        for seed in 1..=5 {
            let mix = mix(seed);
            let mut seen = [0u64; 6];
            (0..100_000).for_each(|i| seen[slot(mix.action(i).kind())] += 1);
            let expected = [20e3, 50e3, 10e3, 10e3, 5e3, 5e3];
            assert!(chi_square(&seen, &expected) < chi_square_limit(5), "{seed}: {seen:?}");
        }
    }

    /// What is asked for says nothing of whom it is asked of: a table of kind
    /// and entity, with the degrees of freedom of independence.
    #[test]
    fn kind_and_entity_are_independent() {
        let mix = mix(77);
        let mut seen = vec![0u64; 4 * 20];
        let mut all = 0.0;
        for i in 0..200_000 {
            let action = mix.action(i);
            let row = match action.kind() {
                OpKind::Get => 0,
                OpKind::Update => 1,
                OpKind::Patch => 2,
                OpKind::Delete => 3,
                _ => continue,
            };
            all += 1.0;
            seen[row * 20 + usize::try_from(action.entity().unwrap()).unwrap()] += 1;
        }
        let rows: Vec<f64> = seen.chunks(20).map(|row| row.iter().sum::<u64>() as f64).collect();
        let column = |c: usize| (0..4).map(|r| seen[r * 20 + c]).sum::<u64>() as f64;
        let columns: Vec<f64> = (0..20).map(column).collect();
        let cell = |i: usize| rows[i / 20] * columns[i % 20] / all;
        let expected: Vec<f64> = (0..80).map(cell).collect();
        assert!(chi_square(&seen, &expected) < chi_square_limit(3 * 19));
    }

    #[test]
    fn creates_are_all_creates() {
        assert!((0..1000).all(|i| Mix::creates().action(i) == Action::Create));
        let none = Mix::fresh([(Fresh::List, 0)], Draws::new(1, "mix"));
        assert_eq!(none, Err(NoWeight));
    }

    #[test]
    fn a_kind_has_its_own_deadline_or_that_of_all() {
        let second = Duration::from_secs(1);
        let deadlines = Deadlines::all(second).with(OpKind::List, second * 5);
        assert_eq!(deadlines.of(OpKind::List), second * 5);
        assert_eq!(deadlines.of(OpKind::Get), second);
        assert_eq!(deadlines.longest(), second * 5);
        let slots: std::collections::HashSet<_> = OpKind::ALL.into_iter().map(slot).collect();
        assert_eq!(slots.len(), OpKind::ALL.len());
    }

    #[test]
    fn identities_take_turns_or_are_weighted() {
        let three = Identities::RoundRobin(NonZeroU16::new(3).unwrap());
        assert_eq!([0, 1, 2, 3].map(|i| three.identity(i)), [0, 1, 2, 0]);
        let weights = Weighted::new([(0, 9), (1, 1)]).unwrap();
        let two = Identities::Weighted { weights, draws: Draws::new(3, "write/identity") };
        let mut seen = [0u64; 2];
        (0..50_000).for_each(|i| seen[usize::from(two.identity(i))] += 1);
        assert!(chi_square(&seen, &[45_000.0, 5_000.0]) < 10.83);
    }

    proptest! {
        #[test]
        fn an_operation_is_the_same_whoever_asks(seed: u64, index: u64) {
            prop_assert_eq!(mix(seed).action(index), mix(seed).action(index));
            let action = mix(seed).action(index);
            let about_one = !matches!(action.kind(), OpKind::Create | OpKind::List);
            prop_assert_eq!(action.entity().is_some(), about_one);
        }
    }
}
