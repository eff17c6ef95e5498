//! Which release files are taken, and what they must hash to.
//!
//! The digests are published ones, copied from (and compared between):
//!
//! - kube-apiserver, kube-controller-manager: kubernetes/kops at commit
//!   268927e26409f861634e18f3632c9dd483c350cf, file
//!   `pkg/assets/assetdata/k8s-1.36.yaml`, which lists the `.sha256` files that
//!   dl.k8s.io serves beside the programs.
//! - etcd: kubernetes-sigs/kubespray at commit
//!   46dbdd3994b32640bcd806b0097f50e8fdf1d514, file
//!   `roles/kubespray_defaults/vars/main/checksums.yml`, key
//!   `etcd_binary_checksums`: the digests of the release's `.tar.gz` files, as
//!   in the release's own SHA256SUMS.
//!
//! To move to another version, change it here and in `controlplane/` (see its
//! README), and take the new digests from the same two places, or from
//! `https://dl.k8s.io/VERSION/bin/linux/ARCH/PROGRAM.sha256` and the SHA256SUMS
//! of the etcd release.

use super::Component;

/// Version of Kubernetes that kab is made for.
pub const KUBERNETES_VERSION: &str = "v1.36.3";

/// Version of etcd that kab is made for.
pub const ETCD_VERSION: &str = "v3.6.8";

/// Architecture of this machine, as Go and the release files name it.
pub(super) const ARCH: &str = match std::env::consts::ARCH.as_bytes() {
    b"x86_64" => "amd64",
    b"aarch64" => "arm64",
    _ => std::env::consts::ARCH,
};

/// A release file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pin {
    /// The file below its mirror's base address.
    pub path: String,
    /// SHA-256 of the file as it is served, in hex.
    pub sha256: String,
    /// If it is a `.tar.gz`: the file in it that is wanted.
    pub member: Option<String>,
}

/// The release file of `component` for `arch`; none if none is pinned.
pub(super) fn pin(component: Component, arch: &str) -> Option<Pin> {
    let sha256 = match (component, arch) {
        (Component::Etcd, "amd64") => {
            "cf9cfe91a4856cb90eed9c99e6aee4b708db2c7888b88a6f116281f04b0ea693"
        }
        (Component::Etcd, "arm64") => {
            "438f56a700d17ce761510a3e63e6fa5c1d587b2dd4d7a22c179c09a649366760"
        }
        (Component::Apiserver, "amd64") => {
            "1f217d397234a6d065da663c6e086fdb02c0f0de97a0758ff3e6f3956f4ef8ab"
        }
        (Component::Apiserver, "arm64") => {
            "16001b9d35d23634c361a1e2b7b0fc7abe186984af697ef7a869c8c8cded78b7"
        }
        (Component::ControllerManager, "amd64") => {
            "7edfe976d5a06c7a702d653e914095f4a732a04bb2139115b6a6eba6a9b781c7"
        }
        (Component::ControllerManager, "arm64") => {
            "27868a5c822824945b93f2d8a724a5dcd99affc68b47230ae766bff8795bbb84"
        }
        _ => return None,
    };
    let sha256 = sha256.to_owned();
    Some(match component {
        Component::Etcd => {
            let folder = format!("etcd-{ETCD_VERSION}-linux-{arch}");
            Pin {
                path: format!("{ETCD_VERSION}/{folder}.tar.gz"),
                sha256,
                member: Some(format!("{folder}/etcd")),
            }
        }
        Component::Apiserver | Component::ControllerManager => Pin {
            path: format!("{KUBERNETES_VERSION}/bin/linux/{arch}/{component}"),
            sha256,
            member: None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_is_a_whole_digest_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for component in [Component::Etcd, Component::Apiserver, Component::ControllerManager] {
            for arch in ["amd64", "arm64"] {
                let pin = pin(component, arch).unwrap();
                assert!(pin.path.contains(arch) && pin.path.starts_with(component.version()));
                assert_eq!(pin.sha256.len(), 64);
                assert!(pin.sha256.bytes().all(|b| b.is_ascii_hexdigit()));
                assert!(seen.insert(pin.sha256), "{component} {arch} repeats a digest");
            }
            assert_eq!(pin(component, "riscv64"), None);
        }
    }

    #[test]
    fn the_build_pins_the_same_versions() {
        let module = super::super::build::CONTROL_PLANE.go_mod;
        assert!(module.contains(&format!("go.etcd.io/etcd/server/v3 {ETCD_VERSION}\n")));
        assert!(module.contains(&format!("k8s.io/kubernetes {KUBERNETES_VERSION}\n")));
    }
}
