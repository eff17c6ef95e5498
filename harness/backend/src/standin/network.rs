//! Addresses of the cluster's network, in the configurations of pods that
//! have no such network.

use std::net::SocketAddr;
use std::path::PathBuf;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::Value;

use super::{Shared, StandInError};

/// What a pod sees around it.
pub(super) struct Surroundings<'a> {
    pub(super) namespace: &'a str,
    /// Where the pod listens, by the port that it thinks it does.
    pub(super) ports: Vec<(u16, SocketAddr)>,
}

impl Surroundings<'_> {
    /// A configuration with addresses and paths as they are here. What is not
    /// JSON stays as it is.
    pub(super) async fn localised(
        &self,
        shared: &Shared,
        text: &str,
        mounted: &[(String, PathBuf)],
    ) -> Result<String, StandInError> {
        let Ok(mut config) = serde_json::from_str::<Value>(text) else {
            return Ok(text.to_owned());
        };
        let mut strings = Vec::new();
        collect(&mut config, &mut strings);
        for string in strings {
            let local = local_path(string, mounted);
            *string = match local {
                Some(local) => local,
                None => self.address(shared, string).await?,
            };
        }
        Ok(config.to_string())
    }

    /// An address or a URL, as it is here.
    async fn address(&self, shared: &Shared, string: &str) -> Result<String, StandInError> {
        let (scheme, rest) = string
            .split_once("://")
            .map_or(("", string), |(scheme, rest)| (&string[..scheme.len() + 3], rest));
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let Some((host, port)) = authority.rsplit_once(':') else { return Ok(string.to_owned()) };
        let Ok(port) = port.parse::<u16>() else { return Ok(string.to_owned()) };
        let local = match host.split('.').collect::<Vec<_>>()[..] {
            [service, namespace, "svc"] => Some(resolve(shared, namespace, service, port).await?),
            _ if host == "0.0.0.0" || host == "127.0.0.1" => {
                self.ports.iter().find(|(own, _)| *own == port).map(|(_, address)| *address)
            }
            _ => None,
        };
        Ok(local.map_or_else(|| string.to_owned(), |local| format!("{scheme}{local}{path}")))
    }
}

fn collect<'a>(value: &'a mut Value, into: &mut Vec<&'a mut String>) {
    match value {
        Value::String(string) => into.push(string),
        Value::Array(items) => items.iter_mut().for_each(|item| collect(item, into)),
        Value::Object(fields) => fields.values_mut().for_each(|field| collect(field, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A path below one that is mounted, as it is here.
pub(super) fn local_path(path: &str, mounted: &[(String, PathBuf)]) -> Option<String> {
    mounted.iter().find_map(|(from, to)| {
        let below = path.strip_prefix(from.as_str())?.strip_prefix('/')?;
        Some(to.join(below).to_string_lossy().into_owned())
    })
}

/// Where the pods behind a Service listen.
async fn resolve(
    shared: &Shared,
    namespace: &str,
    name: &str,
    port: u16,
) -> Result<SocketAddr, StandInError> {
    let services: Api<Service> = Api::namespaced(shared.client.clone(), namespace);
    let action = format!("reading Service {namespace}/{name}");
    let service = services.get_opt(name).await.map_err(StandInError::api(action))?;
    let missing = || StandInError::Missing(format!("Service {namespace}/{name}"));
    let spec = service.and_then(|service| service.spec).ok_or_else(missing)?;
    let ports = spec.ports.unwrap_or_default();
    let found = ports.into_iter().find(|found| found.port == i32::from(port));
    let target = match found.and_then(|found| found.target_port) {
        Some(IntOrString::Int(target)) => u16::try_from(target).ok(),
        _ => None,
    };
    let target = target.ok_or_else(|| {
        StandInError::Beyond(format!("Service {name} leads port {port} to no number"))
    })?;
    let selector = spec.selector.unwrap_or_default();
    let deployments: Api<Deployment> = Api::namespaced(shared.client.clone(), namespace);
    let all = deployments.list(&ListParams::default()).await;
    let all = all.map_err(StandInError::api(format!("listing Deployments in {namespace}")))?;
    let selected = all.into_iter().find(|deployment| {
        let template = deployment.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
        let labels = template.and_then(|metadata| metadata.labels.as_ref());
        let has = |(key, value): (&String, &String)| {
            labels.is_some_and(|labels| labels.get(key) == Some(value))
        };
        !selector.is_empty() && selector.iter().all(has)
    });
    let missing = || StandInError::Missing(format!("a Deployment behind Service {name}"));
    let deployment = selected.ok_or_else(missing)?;
    shared.address(namespace, &deployment.name_any(), target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_a_mount_are_local() {
        let mounted = [("/etc/kab".to_owned(), PathBuf::from("here"))];
        let local = |path| local_path(path, &mounted);
        assert_eq!(local("/etc/kab/gateway.json").as_deref(), Some("here/gateway.json"));
        assert_eq!(local("/etc/kab-tls/tls.crt"), None);
        assert_eq!(local("/etc/kab"), None);
    }
}
