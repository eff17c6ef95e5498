//! Who judges writes, and how to know that it does.

use std::net::SocketAddr;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration,
};
use kab_evidence::clock::Mono;
use kab_evidence::id::{OP_ANNOTATION, OpId};
use kab_evidence::jsonl;
use kab_evidence::span::Span;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::json;

use super::objects::policy::{self, PROBE_ANNOTATION, PROBE_REFUSED};
use super::objects::{cluster_name, webhook};
use crate::deploy::{DeployError, DeploySpec, PATIENCE, POLL, apply, poll_until};
use crate::entity::Todo;

/// Registers this instance's webhook: in a configuration of its own, or in the
/// one that all share.
pub(super) async fn register(
    spec: &DeploySpec,
    client: &Client,
    manager: &str,
    address: SocketAddr,
    authority: &str,
) -> Result<(), DeployError> {
    let (namespace, defects) = (&spec.namespace, &spec.defects);
    let at = webhook::at_url(&format!("https://{address}/crd"), authority);
    let hook = webhook::webhook(namespace, namespace, defects, at);
    let name = webhook::configuration_name(namespace, defects);
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    apply(&configurations, manager, &name, &webhook::configuration(&name, &[hook])).await
}

/// Makes this instance's policy, and binds it.
pub(super) async fn set_policy(
    spec: &DeploySpec,
    client: &Client,
    manager: &str,
) -> Result<(), DeployError> {
    let (namespace, defects) = (&spec.namespace, &spec.defects);
    let name = cluster_name(namespace);
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    apply(&policies, manager, &name, &policy::policy(namespace, defects)).await?;
    apply(&bindings, manager, &name, &policy::binding(namespace, namespace, defects)).await
}

/// A Todo that breaks no rule.
pub(super) fn probe() -> Todo {
    let mut probe = Todo::default();
    probe.metadata.name = Some("kab-probe".to_owned());
    probe.spec = json!({ "message": "probe", "when": "2030-01-01T00:00:00Z" });
    probe
}

fn annotated(key: &str, value: String) -> Todo {
    let mut probe = probe();
    probe.metadata.annotations = Some([(key.to_owned(), value)].into());
    probe
}

/// Waits until the webhook with process id `pid` is really called: the
/// apiserver learns of a configuration from a watch of its own, a moment
/// later, and until then lets everything in unjudged.
///
/// Creates without storing (dry run), each with an operation id of its own,
/// until the webhook's spans show one of them.
pub(crate) async fn await_in_force(
    spec: &DeploySpec,
    client: &Client,
    pid: u32,
) -> Result<(), DeployError> {
    let spans = spec.spans_dir.join(format!("{}webhook-{pid}.jsonl", spec.prefix));
    let todos: Api<Todo> = Api::namespaced(client.clone(), &spec.namespace);
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let nonce = Mono::now().nanos();
    let probing = async {
        for sequence in 0.. {
            let op = OpId::new(nonce, sequence);
            let probe = annotated(OP_ANNOTATION, op.to_string());
            let created = todos.create(&dry_run, &probe).await;
            created.map_err(|e| DeployError::api("creating a Todo in a dry run")(e))?;
            // Spans are written a moment after the answer.
            tokio::time::sleep(POLL).await;
            let mut seen = false;
            jsonl::for_each(&spans, |span: Span| {
                let probes = |op: OpId| (0..=sequence).any(|n| op == OpId::new(nonce, n));
                seen |= matches!(span, Span::Webhook { op: Some(op), .. } if probes(op));
            })?;
            if seen {
                break;
            }
        }
        Ok(())
    };
    let what = || format!("the webhook of {} is in force", spec.namespace);
    let in_time = tokio::time::timeout(PATIENCE, probing).await;
    in_time.unwrap_or_else(|_| Err(DeployError::InVain { what: what() }))
}

/// Waits until the policy judges: until a dry run that it must refuse is
/// refused. And then one that it must not is taken.
pub(crate) async fn await_judged(spec: &DeploySpec, client: &Client) -> Result<(), DeployError> {
    let todos: Api<Todo> = Api::namespaced(client.clone(), &spec.namespace);
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let forbidden = annotated(PROBE_ANNOTATION, "true".to_owned());
    poll_until(format!("the policy of {} is in force", spec.namespace), async || {
        let created = todos.create(&dry_run, &forbidden).await;
        matches!(created, Err(kube::Error::Api(status)) if status.message.contains(PROBE_REFUSED))
    })
    .await?;
    let created = todos.create(&dry_run, &probe()).await;
    created.map(drop).map_err(|e| DeployError::api("creating a good Todo in a dry run")(e))
}
