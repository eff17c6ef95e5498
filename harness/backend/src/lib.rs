//! The systems on trial: entity model, gateway, webhook, informer, and how they are deployed.
//!
//! | module | idea |
//! |---|---|
//! | [`entity`] | the one kind of entity, as every part sees it |
//! | [`client`] | how this workspace talks to an apiserver |
//! | [`app`] | the apps, each a process of its own |
//! | [`conformance`] | what every store must do, whatever keeps its entities |
//! | [`conventional`] | the one that keeps them in PostgreSQL, and tells by NATS |
//! | [`defect`] | what is wrong with the origin, fault by fault |
//! | [`deploy`] | what it takes to put a system into a cluster |
//! | [`operator`] | a system deployed by the operator |
//! | [`peer`] | a cluster as the load's own transport reaches it |
//! | [`rules`] | what a Todo must be |
//! | [`standin`] | processes in place of pods, where there are no nodes |
//! | [`store`] | the one interface to where entities are kept |
//! | [`system`] | the systems on trial, and what they have in common |
//! | [`kubernetes`] | those that keep entities in custom resources: naive and hardened |

pub mod app;
pub mod client;
pub mod conformance;
pub mod conventional;
pub mod defect;
pub mod deploy;
pub mod entity;
pub mod kubernetes;
pub mod operator;
pub mod peer;
pub mod rules;
pub mod standin;
pub mod store;
pub mod system;
