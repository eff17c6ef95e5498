//! What is wrong with the origin, each fault by a name, so that it can be
//! switched on and off by itself.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A defect of the origin's system, as read in its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Defect {
    /// 1: the apps' service account is bound to ClusterRole `cluster-admin`.
    ClusterAdmin,
    /// 2: the definition has no schema: anything is stored.
    NoSchema,
    /// 3: the validator answers "valid" to everything.
    AlwaysValid,
    /// 4: `failurePolicy` is `Ignore`: with the webhook down, anything goes in.
    FailOpen,
    /// 5: one configuration for the whole cluster, to which each instance adds
    /// a webhook without a namespaceSelector, for all operations.
    SharedWebhook,
    /// 6: the informer acts in the watch's callback: no queue, no retry, no
    /// resync. A notification that fails is lost.
    NoRetry,
    /// 7: of what was deleted the informer knows no id: deletes are announced
    /// with an empty one.
    NamelessDeletes,
    /// 8: the informer's process ends when the subscriber gives no answer.
    CrashOnSilence,
    /// 9: at every start, everything that exists is announced as new.
    ReplayOnStart,
    /// 10: notifications are kept in memory, by each replica for itself.
    ForgetfulReplicas,
    /// 11: the gateway answers 400 to every error of the apiserver.
    OneStatus,
    /// 12: every replica's informer notifies.
    EveryReplicaNotifies,
    /// 13: `GET /api/todo` lists everything, without a limit.
    UnboundedList,
    /// 14: what the operator has made it never updates, and it has no
    /// finalizer: what is not in the namespace outlives the instance.
    MakeOnceOperator,
    /// 15: instances share a certificate through files in a temporary folder.
    SharedCertificate,
}

impl Defect {
    /// All of them, in the order of the reference system's description.
    pub const ALL: [Self; 15] = [
        Self::ClusterAdmin,
        Self::NoSchema,
        Self::AlwaysValid,
        Self::FailOpen,
        Self::SharedWebhook,
        Self::NoRetry,
        Self::NamelessDeletes,
        Self::CrashOnSilence,
        Self::ReplayOnStart,
        Self::ForgetfulReplicas,
        Self::OneStatus,
        Self::EveryReplicaNotifies,
        Self::UnboundedList,
        Self::MakeOnceOperator,
        Self::SharedCertificate,
    ];
}

/// Which defects a system has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Defects(BTreeSet<Defect>);

impl Defects {
    /// All of the origin's.
    pub fn all() -> Self {
        Self(Defect::ALL.into())
    }

    /// None.
    pub const fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether `defect` is among them.
    pub fn has(&self, defect: Defect) -> bool {
        self.0.contains(&defect)
    }

    /// The same, with `defect` switched on or off.
    #[must_use]
    pub fn with(mut self, defect: Defect, on: bool) -> Self {
        if on {
            self.0.insert(defect)
        } else {
            self.0.remove(&defect)
        };
        self
    }
}

impl FromIterator<Defect> for Defects {
    fn from_iter<I: IntoIterator<Item = Defect>>(defects: I) -> Self {
        Self(defects.into_iter().collect())
    }
}
