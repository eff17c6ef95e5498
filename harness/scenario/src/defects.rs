//! Which of the origin's defects a system is to have, whatever it has by itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

/// A defect of the origin: its number in the description of the reference
/// system is its place here, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Defect {
    /// The apps' account is bound to `cluster-admin`.
    ClusterAdmin,
    /// The definition has no schema.
    NoSchema,
    /// The validator finds everything valid.
    AlwaysValid,
    /// With the webhook down, anything goes in.
    FailOpen,
    /// Each instance's webhook judges every instance's writes.
    SharedWebhook,
    /// A notification that fails is lost.
    NoRetry,
    /// Deletes are announced without an id.
    NamelessDeletes,
    /// The informer's process ends when a subscriber gives no answer.
    CrashOnSilence,
    /// Everything is announced again at every start.
    ReplayOnStart,
    /// Notifications are kept in the memory of one replica.
    ForgetfulReplicas,
    /// Every refusal has the same status.
    OneStatus,
    /// Every replica's informer notifies.
    EveryReplicaNotifies,
    /// A list has no limit.
    UnboundedList,
    /// The operator updates nothing and cleans up nothing.
    MakeOnceOperator,
    /// Instances share one certificate.
    SharedCertificate,
}

impl Defect {
    /// All of them, each with what it is, for editors.
    pub const ALL: [(Self, &'static str, &'static str); 15] = [
        (Self::ClusterAdmin, "clusterAdmin", "The apps' account is bound to `cluster-admin`."),
        (Self::NoSchema, "noSchema", "The definition has no schema: anything is stored."),
        (Self::AlwaysValid, "alwaysValid", "The validator finds everything valid."),
        (Self::FailOpen, "failOpen", "With the webhook down, anything goes in."),
        (
            Self::SharedWebhook,
            "sharedWebhook",
            "Each instance's webhook judges every instance's writes.",
        ),
        (Self::NoRetry, "noRetry", "A notification that fails is lost."),
        (Self::NamelessDeletes, "namelessDeletes", "Deletes are announced without an id."),
        (
            Self::CrashOnSilence,
            "crashOnSilence",
            "The informer's process ends when a subscriber gives no answer.",
        ),
        (Self::ReplayOnStart, "replayOnStart", "Everything is announced again at every start."),
        (
            Self::ForgetfulReplicas,
            "forgetfulReplicas",
            "Notifications are kept in the memory of one replica.",
        ),
        (Self::OneStatus, "oneStatus", "The gateway answers every refusal with the same status."),
        (Self::EveryReplicaNotifies, "everyReplicaNotifies", "Every replica's informer notifies."),
        (Self::UnboundedList, "unboundedList", "A list has no limit, and no pages."),
        (
            Self::MakeOnceOperator,
            "makeOnceOperator",
            "The operator updates nothing that it made, and cleans up nothing.",
        ),
        (Self::SharedCertificate, "sharedCertificate", "Instances share one certificate."),
    ];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(defect, ..)| *defect == self);
        found.map_or("", |(_, name, _)| name)
    }
}

/// Which defects a system is to have or not to have; what is not named stays as
/// the system has it by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Switches(pub BTreeMap<Defect, bool>);

impl Switches {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A mapping with the defects as its fields, so that editors complete them and
/// `--set` finds its way.
impl JsonSchema for Switches {
    fn schema_name() -> Cow<'static, str> {
        "Switches".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let fields: Map<_, _> = Defect::ALL
            .iter()
            .map(|(_, name, what)| {
                ((*name).to_owned(), json!({ "type": "boolean", "description": what }))
            })
            .collect();
        let mut schema = Schema::default();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert(
            "description".to_owned(),
            json!("Which defects a system is to have or not to have."),
        );
        schema.insert("properties".to_owned(), fields.into());
        schema.insert("additionalProperties".to_owned(), json!(false));
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_serde_reads() {
        for (defect, name, _) in Defect::ALL {
            assert_eq!(serde_json::to_value(defect).unwrap(), name);
            assert_eq!(defect.name(), name);
        }
    }
}
