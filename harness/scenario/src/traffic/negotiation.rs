//! Which kind of objects a load is about, and how they are encoded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Resource {
    /// The system's own entity, a custom resource.
    #[default]
    Todo,
    /// ConfigMaps: built in, and in no one's way.
    ConfigMap,
    /// Leases of `coordination.k8s.io/v1`: built in, as controllers and nodes
    /// renew them.
    Lease,
}

impl Resource {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::ConfigMap => "configMap",
            Self::Lease => "lease",
        }
    }

    /// Whether it is what the system under test is about.
    pub fn is_todo(&self) -> bool {
        *self == Self::Todo
    }
}

/// How answers are asked to be encoded. Where the server does not offer it, it
/// answers in JSON: `STEP.media` says what came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Encoding {
    /// JSON.
    #[default]
    Json,
    /// CBOR: offered by apiservers with the feature gate
    /// `CBORServingAndStorage`.
    Cbor,
    /// Kubernetes' protobuf: offered for built-in kinds, never for custom
    /// resources.
    Protobuf,
}

impl Encoding {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Cbor => "cbor",
            Self::Protobuf => "protobuf",
        }
    }

    /// The `Accept` header that asks for it.
    pub const fn accept(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Cbor => "application/cbor, application/json;q=0.9",
            Self::Protobuf => "application/vnd.kubernetes.protobuf, application/json;q=0.9",
        }
    }

    /// Whether nothing is negotiated.
    pub fn is_json(&self) -> bool {
        *self == Self::Json
    }
}
