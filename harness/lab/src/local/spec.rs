//! What a local control plane is to be like.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::LabError;
use crate::assets::Component;

/// Flags without the leading dashes, and their values.
pub type Flags = BTreeMap<String, String>;

/// What a local control plane is to be like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalSpec {
    /// The store.
    pub etcd: EtcdSpec,
    /// The API server.
    pub apiserver: ComponentSpec,
    /// The controller manager; none for a control plane without.
    pub controller_manager: Option<ComponentSpec>,
    /// Where the apiserver is to send spans of all its requests (OTLP over
    /// gRPC, without TLS); none for no tracing.
    pub tracing: Option<SocketAddr>,
    /// Folder for the components' logs; by default `logs` in the lab's own.
    pub logs: Option<PathBuf>,
}

/// What etcd is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdSpec {
    /// Size at which it refuses writes, in bytes.
    pub quota_bytes: u64,
    /// Whether it waits for the disk before it acknowledges.
    pub fsync: bool,
    /// Flags that add to the lab's, or replace them.
    pub flags: Flags,
}

impl Default for EtcdSpec {
    /// etcd's own defaults: 2 GiB, fsync on.
    fn default() -> Self {
        Self { quota_bytes: 2 << 30, fsync: true, flags: Flags::new() }
    }
}

/// What another component is to be like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComponentSpec {
    /// Flags that add to the lab's, or replace them.
    pub flags: Flags,
}

/// Flags that are the lab's own: it chooses addresses and folders, and two of
/// etcd's settings have fields, so that the record of conditions is true.
const OWN: [(Component, &[&str]); 3] = [
    (
        Component::Etcd,
        &[
            "advertise-client-urls",
            "data-dir",
            "initial-advertise-peer-urls",
            "initial-cluster",
            "listen-client-urls",
            "listen-peer-urls",
            "quota-backend-bytes",
            "unsafe-no-fsync",
        ],
    ),
    (Component::Apiserver, &["bind-address", "etcd-servers", "secure-port", "tracing-config-file"]),
    (Component::ControllerManager, &["bind-address", "kubeconfig", "secure-port"]),
];

impl LocalSpec {
    /// Refuses flags that are the lab's own.
    pub(super) fn check(&self) -> Result<(), LabError> {
        let none = Flags::new();
        for (component, own) in OWN {
            let flags = match component {
                Component::Etcd => &self.etcd.flags,
                Component::Apiserver => &self.apiserver.flags,
                Component::ControllerManager => {
                    self.controller_manager.as_ref().map_or(&none, |manager| &manager.flags)
                }
            };
            if let Some(flag) = flags.keys().find(|flag| own.contains(&flag.as_str())) {
                return Err(LabError::OwnFlag { component, flag: flag.clone() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labs_own_flags_are_refused_and_others_are_not() {
        let mut spec = LocalSpec::default();
        spec.etcd.flags.insert("snapshot-count".into(), "1000".into());
        spec.controller_manager = Some(ComponentSpec::default());
        assert!(spec.check().is_ok());
        spec.apiserver.flags.insert("secure-port".into(), "6443".into());
        let error = spec.check().unwrap_err().to_string();
        assert!(error.contains("--secure-port") && error.contains("kube-apiserver"), "{error}");
    }
}
