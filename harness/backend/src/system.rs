//! The systems on trial, and what they have in common.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::defect::Defects;
use crate::store::Difference;

mod deployed;

pub use deployed::Deployed;

/// A system on trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Variant {
    /// Entities in custom resources, as the origin built it.
    Naive,
    /// The same architecture, as well as Kubernetes allows today.
    Hardened,
    /// Hardened, with a ValidatingAdmissionPolicy in place of the webhook.
    HardenedPolicy,
    /// PostgreSQL and NATS behind the same gateway.
    Conventional,
}

/// How a write is judged beyond what a schema can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Admission {
    /// By a webhook, which asks the gateway.
    Webhook,
    /// By a ValidatingAdmissionPolicy, in the apiserver itself.
    Policy,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Naive, Self::Hardened, Self::HardenedPolicy, Self::Conventional];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Hardened => "hardened",
            Self::HardenedPolicy => "hardenedPolicy",
            Self::Conventional => "conventional",
        }
    }

    /// What is wrong with it, unless a scenario says otherwise.
    pub fn defects(self) -> Defects {
        match self {
            Self::Naive => Defects::all(),
            Self::Hardened | Self::HardenedPolicy | Self::Conventional => Defects::none(),
        }
    }

    /// What it cannot do of what the interface to a store has: what its store
    /// declares, and what the conformance suite holds it to.
    pub fn differences(self) -> Vec<Difference> {
        use Difference::{
            NoPage, NoPrecondition, NoQuery, NoRules, NoTransaction, OneRefusal, PositionsExpire,
        };
        match self {
            Self::Naive => vec![
                NoTransaction,
                NoQuery,
                NoPage,
                NoPrecondition,
                OneRefusal,
                NoRules,
                PositionsExpire,
            ],
            Self::Hardened | Self::HardenedPolicy => vec![NoTransaction, PositionsExpire],
            Self::Conventional => Vec::new(),
        }
    }

    /// How its writes are judged, if it keeps entities in custom resources.
    pub const fn admission(self) -> Option<Admission> {
        match self {
            Self::Naive | Self::Hardened => Some(Admission::Webhook),
            Self::HardenedPolicy => Some(Admission::Policy),
            Self::Conventional => None,
        }
    }

    /// Whether its entities are custom resources.
    pub const fn on_kubernetes(self) -> bool {
        self.admission().is_some()
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no system {0:?}; the systems are {known}", known = Variant::ALL.map(Variant::name).join(", "))]
pub struct NoSuchSystem(String);

impl FromStr for Variant {
    type Err = NoSuchSystem;

    fn from_str(name: &str) -> Result<Self, NoSuchSystem> {
        let found = Self::ALL.into_iter().find(|variant| variant.name() == name);
        found.ok_or_else(|| NoSuchSystem(name.to_owned()))
    }
}
