//! The highest rate at which an objective holds.
//!
//! ```text
//! climb: from, twice that, ... until two in a row break ─> halve the gap ─> ask both ends again
//! ```
//!
//! A search is a state machine without a clock: [`Search::next`] says which
//! probe to run, [`Search::record`] is told what came of it, and
//! [`Search::capacity`] says what is known by then. Everything it says follows
//! from the list of probes alone.
//!
//! - **A level is a rate, probed `repeats` times**, always all of them. The
//!   majority says where the search goes on (a tie counts as broken), because a
//!   single hiccup of the machine would otherwise end the climb far below the
//!   capacity. But the majority is not enough for a result: an end of the
//!   interval is a level at which *all* repeats agree.
//! - **A break is believed only if the next rung breaks too** (or there is
//!   none): a search that stops at the first break can never find out that the
//!   objective holds above it.
//! - **Both ends are asked again**, the held one last: a server that does not
//!   recover from overload (hysteresis) held there only while it was fresh. If
//!   it does not hold any more, the search goes on below; what is found then is
//!   the capacity after overload.
//! - **A generator that was late is no answer.** Such a probe is repeated, and
//!   if it stays so, the rate is the generator's ceiling: the search looks
//!   below it, and never calls it broken.
//! - **Answers that contradict each other widen the interval**: its lower end
//!   has no broken level below it, its upper end no held level above it.

mod answer;
mod search;

#[cfg(test)]
mod tests;

pub use answer::{Capacity, Contradiction};
pub use search::{BadSearch, Search, SearchSpec};

/// Why a rate is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To find a rate that breaks, at twice the one before.
    Climb,
    /// To halve the gap between what held and what broke.
    Halve,
    /// To ask an end of the gap again.
    Confirm,
}

/// One probe: a load at a rate, once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// Operations a second.
    pub rate: f64,
    /// Which probe at this rate it is, counted from 1. Rate and number name it
    /// within the search.
    pub number: u32,
    /// Why it is made.
    pub purpose: Purpose,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// The objective held.
    Held,
    /// The objective did not hold.
    Broke {
        /// Which part of it, and by which value, in a sentence.
        reason: String,
    },
    /// The generator did not produce the load, so the server was not asked.
    Invalid {
        /// What it failed in, in a sentence.
        reason: String,
    },
}

/// A probe that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    /// The probe.
    pub probe: Probe,
    /// What came of it.
    pub outcome: ProbeOutcome,
}
