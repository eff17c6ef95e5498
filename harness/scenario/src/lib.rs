//! Scenario files: what to run, and what would confirm or refute what is claimed.
//!
//! ```text
//! file ─ read ─> text ─ yaml ─> tree ─ path (--set) ─> tree ─ shape, meaning, claim ─> Loaded ─ plan ─> Plan
//! ```

pub mod catalogue;
pub mod cost;
pub mod load;
pub mod measure;
pub mod model;
pub mod plan;
pub mod problem;
pub mod schema;
pub mod source;
pub mod unit;

mod attempt;
mod claim;
mod defects;
mod describe;
mod fault;
mod inside;
mod kind;
mod meaning;
mod nothing;
mod path;
mod read;
mod scalar;
mod search;
mod sense;
mod shape;
mod single;
mod step;
mod suggest;
mod traffic;
mod tree;
mod yaml;

pub use catalogue::{Entry, catalogue};
pub use load::{Loaded, load, load_text};
pub use plan::{Cell, Plan, PlanError};
pub use problem::{Problem, Problems, Style};
pub use schema::schema;
