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
pub mod closed;
pub mod crew;
pub mod dialect;
pub mod draw;
mod engine;
mod flight;
pub mod generator;
pub mod keys;
pub mod payload;
mod pool;
pub mod schedule;
pub mod seed;
pub mod subscriber;
pub mod summary;
#[cfg(test)]
mod testing;
pub mod weighted;
pub mod work;
pub mod workload;
pub mod zipf;

pub use arrivals::Arrivals;
pub use closed::{Closed, ThinkTime, Until};
pub use dialect::{BuiltIn, CustomResource, Dialect, Gateway};
pub use generator::{LoadError, LoadSpec, Waiting, run_load};
pub use keys::{Keys, Popularity};
pub use payload::Todos;
pub use schedule::{Schedule, ScheduleError};
pub use seed::{SeedError, SeedSpec, seed};
pub use subscriber::{Behaviour, Subscriber, SubscriberError};
pub use summary::{Answers, LoadSummary, Outcomes};
pub use work::Work;
pub use workload::{Action, Deadlines, Identities, Mix};
