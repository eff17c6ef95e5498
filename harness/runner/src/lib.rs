//! Runs a plan against a lab, and writes evidence.
//!
//! | module | idea |
//! |---|---|
//! | [`run`](mod@run) | a whole plan, cell by cell |
//! | `arrivals` | from a scenario's load to the generator's |
//! | [`resume`](mod@resume) | a run that did not end, gone on with |
//! | `begin` | from nothing to a system on trial in a lab of its own |
//! | `cell` | what the steps of a cell share |
//! | [`share`] | a load shared by child processes |
//! | `steps` | one file a step verb |
//! | `target` | who is asked, and by whom |
//! | `instances` | instances of the system beside the first, and its defects |
//! | `faults` | what a scenario does to processes and subscribers |
//! | `ask` | one request, and what came of it |
//! | `deaths` | processes that ended although nobody asked them to |
//! | [`recorder`] | keeps the record true while the run is under way |
//! | `meters` | everything that is measured beside the operations |
//! | [`sampler`] | what the processes and the machine do meanwhile |
//! | `scrape` | what the apiserver and etcd tell of themselves |
//! | `otlp` | takes in the apiserver's own spans |
//! | [`stop`] | a request to stop |

pub mod arrivals;
mod ask;
mod begin;
mod cell;
mod deaths;
mod faults;
mod instances;
mod meters;
mod otlp;
pub mod recorder;
pub mod resume;
pub mod run;
pub mod sampler;
mod scrape;
pub mod share;
mod steps;
pub mod stop;
mod target;

pub use resume::{Reopened, ResumeError, resume};
pub use run::{Request, RunError, run};
pub use steps::StepError;
pub use stop::{Stop, Stopper, stop_pair};
