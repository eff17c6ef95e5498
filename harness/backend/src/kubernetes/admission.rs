//! The webhook's registration, and how to know that it is in force.

use std::net::SocketAddr;

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kab_evidence::clock::Mono;
use kab_evidence::id::{OP_ANNOTATION, OpId};
use kab_evidence::jsonl;
use kab_evidence::span::Span;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::json;

use crate::deploy::{DeployError, DeploySpec, PATIENCE, POLL, apply};
use crate::entity::{GROUP, PLURAL, Todo, VERSION};

/// The one configuration that all instances share, each with a webhook of its
/// own in it (defect 5).
pub(super) const CONFIGURATION: &str = "todos.k8sasbackend.com";

/// How long the apiserver waits for a webhook, in seconds, as the origin sets
/// it.
const TIMEOUT_SECONDS: i32 = 5;

/// Adds this instance's webhook to the configuration.
pub(super) async fn register(
    spec: &DeploySpec,
    client: &Client,
    manager: &str,
    address: SocketAddr,
    authority: &str,
) -> Result<(), DeployError> {
    let webhook = json!({
        "name": format!("{}.todos.k8sasbackend.com", spec.namespace),
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        // What v1beta1 takes if nothing is said, as the origin does: a webhook
        // that is down lets everything in (defect 4).
        "failurePolicy": "Ignore",
        "matchPolicy": "Exact",
        "timeoutSeconds": TIMEOUT_SECONDS,
        // No namespaceSelector: it judges every instance's writes (defect 5).
        "rules": [{
            "apiGroups": [GROUP], "apiVersions": [VERSION], "resources": [PLURAL],
            "operations": ["*"], "scope": "Namespaced",
        }],
        "clientConfig": {
            "url": format!("https://{address}/crd"),
            "caBundle": ByteString(authority.as_bytes().to_vec()),
        },
    });
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    apply(&configurations, manager, CONFIGURATION, &configuration(&[webhook])).await
}

/// A configuration with these webhooks. Applied by one manager, it leaves
/// those of others alone.
pub(super) fn configuration(webhooks: &[serde_json::Value]) -> serde_json::Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": CONFIGURATION },
        "webhooks": webhooks,
    })
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
    let spans = spec.spans_dir.join(format!("webhook-{pid}.jsonl"));
    let todos: Api<Todo> = Api::namespaced(client.clone(), &spec.namespace);
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let nonce = Mono::now().nanos();
    let probing = async {
        for sequence in 0.. {
            let op = OpId::new(nonce, sequence);
            let mut probe = Todo::default();
            probe.metadata.name = Some("kab-probe".to_owned());
            probe.metadata.annotations = Some([(OP_ANNOTATION.to_owned(), op.to_string())].into());
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
