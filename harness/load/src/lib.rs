//! Load for kab: schedules, the open-loop generator, subscribers.
//!
//! | module | idea |
//! |---|---|
//! | [`schedule`] | when each operation is due, fixed before the first is sent |
//! | [`closed`] | clients that wait for an answer and think: not open loop |
//! | [`workload`] | what each operation does, who asks, how long it may take |
//! | [`keys`] | which of the existing entities it is about |
//! | [`draw`] | random numbers by (seed, purpose, index) |
//! | [`pace`] | waiting for an instant to some ten microseconds |
//! | [`payload`] | what is written, determined by step, seed and index |
//! | [`transport`] | an HTTP client that tells "not applied" from "perhaps applied" |
//! | [`operation`] | one operation, from being due to its line in the ledger |
//! | [`generator`] | the open loop |
//! | [`seed`](mod@seed) | a closed loop that must succeed |
//! | [`summary`] | what it came to, and whether the generator kept up |
//! | [`subscriber`] | who is notified of the changes |

pub mod closed;
mod connection;
pub mod draw;
pub mod generator;
pub mod keys;
pub mod operation;
pub mod pace;
pub mod payload;
pub mod schedule;
pub mod seed;
pub mod subscriber;
pub mod summary;
#[cfg(test)]
mod testing;
pub mod transport;
pub mod weighted;
pub mod workload;
pub mod zipf;

pub use closed::{Closed, ThinkTime, Until};
pub use generator::{LoadError, LoadSpec, open_loop};
pub use keys::{Keys, Popularity};
pub use operation::Work;
pub use payload::Todos;
pub use schedule::{Schedule, ScheduleError};
pub use seed::{SeedError, SeedSpec, seed};
pub use subscriber::{Subscriber, SubscriberError};
pub use summary::{LoadSummary, Outcomes};
pub use transport::Target;
pub use workload::{Action, Deadlines, Identities, Mix};
