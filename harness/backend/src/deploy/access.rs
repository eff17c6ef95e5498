//! Who an app is, and what it may do: a service account with a role of its
//! own, and a kubeconfig with its token.

use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Client;
use kube::api::{Api, PostParams};
use kube::config::Kubeconfig;
use serde_json::json;

use super::{DeployError, DeploySpec, apply, poll_until, write_json};

/// How long a token is good for, in seconds: longer than any run.
const TOKEN_SECONDS: i64 = 7 * 24 * 3600;

/// Something an app may do in its namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The resource.
    pub resource: &'static str,
    /// What may be done with it.
    pub verbs: &'static [&'static str],
}

/// Makes the service account `name` with a role of `rules` and nothing else,
/// waits until the apiserver honours it, and writes a kubeconfig for it.
pub async fn grant(
    spec: &DeploySpec,
    client: &Client,
    manager: &str,
    name: &str,
    rules: &[Rule],
) -> Result<PathBuf, DeployError> {
    let namespace = &spec.namespace;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let roles: Api<Role> = Api::namespaced(client.clone(), namespace);
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), namespace);
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name },
    });
    let rule = |rule: &Rule| {
        json!({
            "apiGroups": [rule.group], "resources": [rule.resource], "verbs": rule.verbs,
        })
    };
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": { "name": name },
        "rules": rules.iter().map(rule).collect::<Vec<_>>(),
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": namespace }],
    });
    tokio::try_join!(
        apply(&accounts, manager, name, &account),
        apply(&roles, manager, name, &role),
        apply(&bindings, manager, name, &binding),
    )?;
    let token = token(&accounts, name).await?;
    await_honoured(client, namespace, name, rules).await?;
    let path = spec.work_dir.join(format!("{name}.kubeconfig"));
    write_json(&path, &kubeconfig(&spec.kubeconfig, &spec.namespace, name, &token)?)?;
    Ok(path)
}

/// A token of the account `name`.
pub(crate) async fn token(
    accounts: &Api<ServiceAccount>,
    name: &str,
) -> Result<String, DeployError> {
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            expiration_seconds: Some(TOKEN_SECONDS),
            ..TokenRequestSpec::default()
        }),
        ..TokenRequest::default()
    };
    let asked = accounts.create_token_request(name, &PostParams::default(), &request).await;
    let answer = asked
        .map_err(|e| DeployError::api(format!("asking for a token of ServiceAccount {name}"))(e))?;
    Ok(answer.status.and_then(|status| status.token).unwrap_or_default())
}

/// The authorizer learns of roles from a watch of its own: a moment later.
async fn await_honoured(
    client: &Client,
    namespace: &str,
    name: &str,
    rules: &[Rule],
) -> Result<(), DeployError> {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let user = format!("system:serviceaccount:{namespace}:{name}");
    for rule in rules {
        for verb in rule.verbs {
            let review = review(&user, namespace, rule, verb);
            let what = format!("{user} may {verb} {}", rule.resource);
            let allowed = async || {
                let asked = reviews.create(&PostParams::default(), &review).await;
                asked.is_ok_and(|review| review.status.is_some_and(|status| status.allowed))
            };
            poll_until(what, allowed).await?;
        }
    }
    Ok(())
}

fn review(user: &str, namespace: &str, rule: &Rule, verb: &str) -> SubjectAccessReview {
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user.to_owned()),
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                group: Some(rule.group.to_owned()),
                resource: Some(rule.resource.to_owned()),
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}

/// The cluster of the admin's kubeconfig at `path`, with other credentials. It
/// is written as JSON, which is YAML.
pub(crate) fn kubeconfig(
    path: &Path,
    namespace: &str,
    user: &str,
    token: &str,
) -> Result<serde_json::Value, DeployError> {
    let admin = Kubeconfig::read_from(path).map_err(|source| {
        let (path, source) = (path.to_owned(), Box::new(source));
        DeployError::Client(crate::client::ClientError::Kubeconfig { path, source })
    })?;
    let current = admin.contexts.iter().find(|c| Some(&c.name) == admin.current_context.as_ref());
    let name = current.and_then(|named| Some(&named.context.as_ref()?.cluster));
    let cluster = admin.clusters.iter().find(|cluster| Some(&cluster.name) == name);
    let (Some(name), Some(cluster)) = (name, cluster) else {
        return Err(DeployError::NoCluster(path.to_owned()));
    };
    Ok(json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [cluster],
        "users": [{ "name": user, "user": { "token": token } }],
        "contexts": [{
            "name": user,
            "context": { "cluster": name, "user": user, "namespace": namespace },
        }],
        "current-context": user,
    }))
}
