//! The systems on trial: entity model, gateway, webhook, informer, and how they are deployed.
//!
//! | module | idea |
//! |---|---|
//! | [`entity`] | the one kind of entity, as every part sees it |
//! | [`client`] | how this workspace talks to an apiserver |
//! | [`app`] | the apps, each a process of its own |
//! | [`deploy`] | what it takes to put a system into a cluster |
//! | [`peer`] | a cluster as the load's own transport reaches it |
//! | [`naive`] | the system as its origin built it |

pub mod app;
pub mod client;
pub mod deploy;
pub mod entity;
pub mod naive;
pub mod peer;
