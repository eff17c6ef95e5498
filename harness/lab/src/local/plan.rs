//! The command line of each component.

use std::path::{Path, PathBuf};

use super::flags::{command_line, merged};
use super::pki::Pki;
use super::{Flags, LabError, LocalSpec, tracing};
use crate::assets::{Asset, Assets, Component};
use crate::process::ChildSpec;

/// Where services get their addresses; nothing routes them in a local lab.
const SERVICE_RANGE: &str = "10.0.0.0/24";

/// The first of them, which is the apiserver's.
pub(super) const SERVICE_IP: &str = "10.0.0.1";

/// Controllers that clean up after applications. The others look after pods,
/// nodes and volumes, which a local lab does not have.
const CONTROLLERS: &str =
    "namespace-controller,garbage-collector-controller,serviceaccount-controller";

/// How many ports a lab takes.
pub(super) const PORTS: usize = 4;

/// Everything that is settled before a component starts.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub spec: &'a LocalSpec,
    pub assets: &'a Assets,
    pub dir: &'a Path,
    pub logs: PathBuf,
    pub pki: &'a Pki,
    pub ports: [u16; PORTS],
}

impl Plan<'_> {
    pub(super) fn etcd_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[0])
    }

    pub(super) fn server(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[2])
    }

    pub(super) fn controller_manager_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[3])
    }

    pub(super) fn etcd_data(&self) -> PathBuf {
        self.dir.join("etcd")
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    pub(super) fn controller_manager_kubeconfig(&self) -> PathBuf {
        self.dir.join("kube-controller-manager.kubeconfig")
    }

    /// The apiserver's tracing configuration, if it traces.
    pub(super) fn tracing_config(&self) -> PathBuf {
        self.dir.join("tracing.yaml")
    }

    /// The command line of each component of this lab, in starting order.
    pub(super) fn command_lines(&self) -> Result<Vec<(&Asset, Vec<String>)>, LabError> {
        let etcd = (&self.assets.etcd, self.etcd());
        let apiserver = (&self.assets.apiserver, self.apiserver());
        let mut all = vec![etcd, apiserver];
        if let Some(manager) = &self.spec.controller_manager {
            let asset = self.assets.controller_manager.as_ref();
            let asset = asset.ok_or(LabError::NoControllerManager)?;
            all.push((asset, self.controller_manager(&manager.flags)));
        }
        let line = |(asset, flags): (_, _)| {
            let asset: &Asset = asset;
            (asset, command_line(&asset.leading_args, &flags))
        };
        Ok(all.into_iter().map(line).collect())
    }

    /// A child to be. Its death is announced once the lab is ready.
    pub(super) fn child(&self, asset: &Asset, args: Vec<String>) -> ChildSpec {
        let log = self.logs.join(format!("{}.log", asset.name));
        let child =
            ChildSpec::new(&asset.name, &asset.program, log).args(args).dir(self.dir).unannounced();
        match self.spec.tracing {
            Some(_) if asset.name == Component::Apiserver.name() => tracing::paced(child),
            _ => child,
        }
    }

    /// Whether the controller manager is part of this lab.
    pub(super) fn is_manager(asset: &Asset) -> bool {
        asset.name == Component::ControllerManager.name()
    }

    fn etcd(&self) -> Flags {
        let (server, url) = (&self.pki.etcd_server, self.etcd_url());
        let peer = format!("https://127.0.0.1:{}", self.ports[1]);
        let (ca, cert, key) =
            (text(server.ca_file()), text(server.cert_file()), text(server.key_file()));
        let mut flags = merged(
            [
                ("name", "etcd-0".into()),
                ("data-dir", text(self.etcd_data())),
                ("listen-client-urls", url.clone()),
                ("advertise-client-urls", url),
                ("listen-peer-urls", peer.clone()),
                ("initial-advertise-peer-urls", peer.clone()),
                ("initial-cluster", format!("etcd-0={peer}")),
                ("cert-file", cert.clone()),
                ("key-file", key.clone()),
                ("trusted-ca-file", ca.clone()),
                ("client-cert-auth", "true".into()),
                ("peer-cert-file", cert),
                ("peer-key-file", key),
                ("peer-trusted-ca-file", ca),
                ("peer-client-cert-auth", "true".into()),
                ("quota-backend-bytes", self.spec.etcd.quota_bytes.to_string()),
            ],
            &self.spec.etcd.flags,
        );
        if !self.spec.etcd.fsync {
            flags.insert("unsafe-no-fsync".into(), "true".into());
        }
        flags
    }

    fn apiserver(&self) -> Flags {
        let (server, etcd) = (&self.pki.apiserver, &self.pki.etcd_client);
        let mut flags = merged(
            [
                ("etcd-servers", self.etcd_url()),
                ("etcd-cafile", text(etcd.ca_file())),
                ("etcd-certfile", text(etcd.cert_file())),
                ("etcd-keyfile", text(etcd.key_file())),
                ("bind-address", "127.0.0.1".into()),
                ("secure-port", self.ports[2].to_string()),
                ("tls-cert-file", text(server.cert_file())),
                ("tls-private-key-file", text(server.key_file())),
                ("client-ca-file", text(server.ca_file())),
                ("cert-dir", text(self.dir.join("apiserver-certs"))),
                ("authorization-mode", "RBAC".into()),
                ("service-account-issuer", "https://kubernetes.default.svc".into()),
                ("service-account-key-file", text(self.pki.service_accounts_public.clone())),
                ("service-account-signing-key-file", text(self.pki.service_accounts.clone())),
                ("service-cluster-ip-range", SERVICE_RANGE.into()),
                // Loopback may not be the endpoint of a service, and on a
                // machine without a network there is no other address: so
                // the service `kubernetes` has no endpoints here.
                ("advertise-address", "127.0.0.1".into()),
                ("endpoint-reconciler-type", "none".into()),
            ],
            &self.spec.apiserver.flags,
        );
        if self.spec.tracing.is_some() {
            flags.insert("tracing-config-file".into(), text(self.tracing_config()));
        }
        flags
    }

    fn controller_manager(&self, users: &Flags) -> Flags {
        let identity = &self.pki.controller_manager;
        let kubeconfig = text(self.controller_manager_kubeconfig());
        merged(
            [
                ("kubeconfig", kubeconfig.clone()),
                ("authentication-kubeconfig", kubeconfig.clone()),
                ("authorization-kubeconfig", kubeconfig),
                ("bind-address", "127.0.0.1".into()),
                ("secure-port", self.ports[3].to_string()),
                ("tls-cert-file", text(identity.cert_file())),
                ("tls-private-key-file", text(identity.key_file())),
                ("client-ca-file", text(identity.ca_file())),
                ("root-ca-file", text(identity.ca_file())),
                ("service-account-private-key-file", text(self.pki.service_accounts.clone())),
                ("controllers", CONTROLLERS.into()),
                ("leader-elect", "false".into()),
            ],
            users,
        )
    }
}

fn text(path: PathBuf) -> String {
    path.to_string_lossy().into_owned()
}
