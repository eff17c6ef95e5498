//! Load for kab: what is asked, when, and of whom; the generator; subscribers.
//!
//! | module | idea |
//! |---|---|
//! | [`schedule`] | when each operation is due, fixed before the first is sent |
//! | [`closed`] | clients that wait for an answer and think: not open loop |
//! | [`arrivals`] | one of the two, under way |
//! | [`workload`] | what each operation does, who asks, how long it may take |
//! | [`keys`] | which of the existing entities it is about |
//! | [`payload`] | what is written, determined by step, seed and index |
//! | [`draw`] | random numbers by (seed, purpose, index) |
//! | [`dialect`] | how a system is spoken to |
//! | [`work`] | all of that together: an operation made ready |
//! | [`generator`] | a load on a thread of its own |
//! | `engine` | the loop in that thread |
//! | `flight` | operations under way |
//! | `pool` | the connections of one identity |
//! | [`seed`](mod@seed) | a closed loop that must succeed |
//! | [`summary`] | what it came to, and whether the generator kept up |
//! | [`crew`] | a load shared by several processes |
//! | [`capacity`] | the highest rate at which an objective holds |
//! | [`subscriber`] | who is notified of the changes |

pub mod arrivals;
pub mod capacity;
