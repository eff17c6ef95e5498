//! Puts a system into a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;

use kab_lab::process::Supervisor;
use kube::Client;

use super::objects::roles;
use super::{Deployed, admission, ground, manager};
use crate::app::gateway::{GatewayConfig, StoreConfig};
use crate::app::webhook::WebhookConfig;
use crate::client::connect;
use crate::defect::Defect;
use crate::deploy::access::{Rule, grant, grant_everything, kubeconfig, token};
use crate::deploy::process::{Running, start};
use crate::deploy::{
    DeployError, DeploySpec, await_served, certificate, write_json, write_private,
};
use crate::system::Admission;

impl Deployed {
    /// Puts a system into a cluster: the gateway, and a judge of its writes (a
    /// webhook or a policy), in force. Informers come with their subscribers,
    /// by [`Deployed::add_informer`].
    ///
    /// The definition is the cluster's: of several instances the one deployed
    /// last decides whether it has a schema.
    ///
    /// # Errors
    /// If the cluster refuses something, an app does not start, or the judge
    /// does not come into force. What was made until then stays.
    pub async fn deploy(spec: &DeploySpec, supervisor: &Supervisor) -> Result<Self, DeployError> {
        let client = connect(&spec.kubeconfig).await?;
        let manager = manager(spec);
        let made = ground::lay(spec, &client, &manager).await?;
        let (gateway_access, informer_kubeconfig, ()) = tokio::try_join!(
            give_access(spec, &client, &manager, "gateway", roles::GATEWAY),
            give_access(spec, &client, &manager, "informer", roles::INFORMER),
            await_served(&client, &spec.namespace),
        )?;
        if ground::has_share(spec) {
            ground::reserve_share(spec, &client, &manager).await?;
            ground::limit_entities(spec, &client, &manager).await?;
        }
        let gateway = start_gateway(spec, supervisor, gateway_access).await?;
        let gateway_address = gateway.address()?;
        let mut children = vec![gateway.child];
        match spec.variant.admission() {
            Some(Admission::Webhook) => {
                let (webhook, authority) = start_webhook(spec, supervisor, gateway_address).await?;
                let address = webhook.address()?;
                admission::register(spec, &client, &manager, address, &authority).await?;
                admission::await_in_force(spec, &client, webhook.child.pid()).await?;
                children.push(webhook.child);
            }
            Some(Admission::Policy) => {
                admission::set_policy(spec, &client, &manager).await?;
                admission::await_judged(spec, &client).await?;
            }
            None => {}
        }
        let spec = spec.clone();
        Ok(Self { spec, client, informer_kubeconfig, gateway: gateway_address, children, made })
    }
}

impl Deployed {
    /// A system that somebody else has put into the cluster, whose gateway is at
    /// `gateway` and whose apps are `account`: what comes on top is made as for one
    /// of the lab's own, and informers have the same account.
    ///
    /// # Errors
    /// If the cluster refuses something.
    pub async fn attach(
        spec: &DeploySpec,
        gateway: SocketAddr,
        account: &str,
    ) -> Result<Self, DeployError> {
        let client = connect(&spec.kubeconfig).await?;
        let accounts = kube::Api::namespaced(client.clone(), &spec.namespace);
        let token = token(&accounts, account).await?;
        let kubeconfig = kubeconfig(&spec.kubeconfig, &spec.namespace, account, &token)?;
        for app in ["gateway", "informer"] {
            write_json(&spec.work_dir.join(format!("{app}.kubeconfig")), &kubeconfig)?;
        }
        Ok(Self {
            informer_kubeconfig: spec.work_dir.join("informer.kubeconfig"),
            spec: spec.clone(),
            client,
            gateway,
            children: Vec::new(),
            made: super::teardown::Made { namespace: false, definition: false },
        })
    }
}

/// An app's account: with what it needs, or with everything (defect 1).
async fn give_access(
    spec: &DeploySpec,
    client: &Client,
    manager: &str,
    name: &str,
    rules: &[Rule],
) -> Result<PathBuf, DeployError> {
    if spec.defects.has(Defect::ClusterAdmin) {
        grant_everything(spec, client, manager, name).await
    } else {
        grant(spec, client, manager, name, rules).await
    }
}

async fn start_gateway(
    spec: &DeploySpec,
    supervisor: &Supervisor,
    kubeconfig: PathBuf,
) -> Result<Running, DeployError> {
    let config = GatewayConfig {
        store: StoreConfig::Kubernetes { kubeconfig, namespace: spec.namespace.clone() },
        pod_name: "gateway-0".to_owned(),
        listen: crate::app::any_loopback_port(),
        defects: spec.defects.clone(),
    };
    start(spec, supervisor, "gateway", "gateway", &config).await
}

/// Starts the webhook; and the PEM of the authority that signed its
/// certificate, made for this instance alone. (That instances share one through
/// files, defect 15, is the operator's.)
async fn start_webhook(
    spec: &DeploySpec,
    supervisor: &Supervisor,
    gateway: SocketAddr,
) -> Result<(Running, String), DeployError> {
    let made = certificate::for_loopback(&format!("webhook of {}", spec.namespace))?;
    let config = WebhookConfig {
        gateway_url: format!("http://{gateway}"),
        certificate: spec.work_dir.join("webhook.crt"),
        key: spec.work_dir.join("webhook.key"),
        listen: crate::app::any_loopback_port(),
    };
    write_private(&config.certificate, made.certificate.as_bytes())?;
    write_private(&config.key, made.key.as_bytes())?;
    let running = start(spec, supervisor, "webhook", "webhook", &config).await?;
    Ok((running, made.authority))
}
