//! A load shared by several processes: the protocol, and what it comes to.
//!
//! A *coordinator* and each of its *workers* are joined by one stream of bytes
//! in each direction, and by nothing else: today the worker is a child process
//! and the streams are its stdin and stdout; as a pod of an Indexed Job the
//! worker's index is the pod's, and the streams are one TCP connection. A
//! message is one line of JSON, and says which version of the protocol it is
//! of; an unknown one is refused.
//!
//! ```text
//! coordinator                          worker k of n
//!   assign {worker, of, job}  ───────>   takes slice k of the job's schedule,
//!                                        connects, prepares
//!              <───────  ready {clock, scheduled}
//!   (once all are ready)
//!   start {at}                ───────>   first operation due at `at` + offset
//!   stop                      ───────>   sends nothing more, awaits what is in flight
//!              <───────  done {report}   or   failed {reason}
//! ```
//!
//! - **One schedule.** Operation i of the schedule belongs to worker i mod n,
//!   keeps its index, and so its id and its payload: n workers send what one
//!   would have sent, at the same instants.
//! - **One start**, an instant of `CLOCK_MONOTONIC`. It means the same only to
//!   processes of one boot of one kernel, so each worker names its boot with
//!   `ready`, and a coordinator refuses workers of another. Workers on several
//!   hosts need an offset for each, measured by the coordinator, and a version
//!   of the protocol that has it.
//! - **One summary.** A report carries whole HDR histograms; merged, they equal
//!   what one process would have recorded, bucket by bucket.
//! - **Evidence stays where it was written**: each worker appends to a ledger of
//!   its own as it goes. Its path is part of the job, which the protocol passes
//!   on unread; a child writes into the cell's folder. A pod writes to its own
//!   disk, and sends the file's lines after `done`, on the same stream; they are
//!   JSON already, and the report says how many there are.
//! - **End of stream** means the other side is gone, at whatever point. A worker
//!   then stops as if told to. A coordinator counts the worker as lost: before
//!   the start the load is called off; after it the others go on, what the lost
//!   one owed is accounted for, and the measurement is invalid.

mod message;
mod report;
mod state;

pub use message::{News, Order, PROTOCOL, ProtocolError, read, write};
pub use report::{Indices, Report};
pub use state::{Crew, Lost, Merged, Next};
