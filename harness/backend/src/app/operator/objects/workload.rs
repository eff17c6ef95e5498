//! The pods: the app with its informer beside it, and the webhook server.

use serde_json::{Value, json};

use super::{Desired, Plan};
use crate::app::operator::hash::hash;
use crate::app::operator::kinds;

/// The component of gateway and informer, which share pods.
pub(in crate::app::operator) const APP: &str = "app";
/// The component of the webhook server.
pub(in crate::app::operator) const WEBHOOK: &str = "webhook";

/// Where the gateway listens in its pod.
pub(super) const APP_PORT: u16 = 8080;
/// Where the webhook server listens in its pod.
pub(super) const WEBHOOK_PORT: u16 = 8443;

/// Where the containers find their configurations...
const CONFIG_DIR: &str = "/etc/kab";
/// ... and the webhook server its certificate.
const TLS_DIR: &str = "/etc/kab-tls";

impl Plan<'_> {
    /// The configurations of gateway and informer. Neither names a
    /// kubeconfig: in a pod, its account's token is at hand.
    pub(super) fn app_config(&self) -> Desired {
        let gateway = json!({
            "store": { "kubernetes": { "namespace": self.names.namespace } },
            "defects": self.defects,
            "podName": "$(POD_NAME)",
            "listen": format!("0.0.0.0:{APP_PORT}"),
        });
        let own = format!("http://127.0.0.1:{APP_PORT}");
        let informer = json!({
            "namespace": self.names.namespace,
            "subscriber": 0,
            "subscriberUrl": self.spec.subscriber_url.as_ref().unwrap_or(&own),
            "identity": "$(POD_NAME)",
            "defects": self.defects,
        });
        let body = json!({ "data": {
            "gateway.json": gateway.to_string(), "informer.json": informer.to_string(),
        } });
        self.own(&kinds::CONFIG_MAP, self.names.local(APP), APP, body)
    }

    /// The configuration of the webhook server.
    pub(super) fn webhook_config(&self) -> Desired {
        let webhook = json!({
            "gatewayUrl": format!("http://{}:80", self.names.host(APP)),
            "certificate": format!("{TLS_DIR}/tls.crt"),
            "key": format!("{TLS_DIR}/tls.key"),
            "listen": format!("0.0.0.0:{WEBHOOK_PORT}"),
        });
        let body = json!({ "data": { "webhook.json": webhook.to_string() } });
        self.own(&kinds::CONFIG_MAP, self.names.local(WEBHOOK), WEBHOOK, body)
    }

    /// Gateway and informer, as many times as the instance is large.
    pub(super) fn app(&self) -> Desired {
        let mut gateway = self.container("gateway", &[("config", CONFIG_DIR)]);
        gateway["ports"] =
            json!([{ "name": "http", "containerPort": APP_PORT, "protocol": "TCP" }]);
        gateway["readinessProbe"] = json!({ "tcpSocket": { "port": "http" }, "periodSeconds": 2 });
        let informer = self.container("informer", &[("config", CONFIG_DIR)]);
        let volumes = json!([self.config_volume(APP)]);
        let config = hash(&self.app_config().body);
        self.deployment(APP, self.spec.size, &json!([gateway, informer]), &volumes, &config)
    }

    /// The webhook server: one, as in the origin.
    pub(super) fn webhook_server(&self) -> Desired {
        let mounts = [("config", CONFIG_DIR), ("tls", TLS_DIR)];
        let mut webhook = self.container("webhook", &mounts);
        webhook["ports"] =
            json!([{ "name": "https", "containerPort": WEBHOOK_PORT, "protocol": "TCP" }]);
        webhook["readinessProbe"] = json!({ "tcpSocket": { "port": "https" }, "periodSeconds": 2 });
        let tls = json!({ "name": "tls", "secret": { "secretName": self.names.local("tls") } });
        let volumes = json!([self.config_volume(WEBHOOK), tls]);
        let config = hash(&self.webhook_config().body);
        self.deployment(WEBHOOK, 1, &json!([webhook]), &volumes, &config)
    }

    fn config_volume(&self, component: &str) -> Value {
        json!({ "name": "config", "configMap": { "name": self.names.local(component) } })
    }

    /// A container that runs `app`: the image's program is `kab`.
    fn container(&self, app: &str, mounts: &[(&str, &str)]) -> Value {
        let mount = |(name, path): &(&str, &str)| json!({ "name": name, "mountPath": path, "readOnly": true });
        json!({
            "name": app,
            "image": self.spec.image(),
            "imagePullPolicy": "IfNotPresent",
            "args": ["app", app, "--config", format!("{CONFIG_DIR}/{app}.json")],
            "env": [{
                "name": "POD_NAME",
                "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.name" } },
            }],
            "volumeMounts": mounts.iter().map(mount).collect::<Vec<_>>(),
        })
    }

    /// A changed configuration is a changed template, and so rolls the pods:
    /// the apps read it only once.
    fn deployment(
        &self,
        component: &str,
        replicas: i32,
        containers: &Value,
        volumes: &Value,
        config: &str,
    ) -> Desired {
        let mut labels = self.names.labels(component);
        labels["app.kubernetes.io/version"] = json!(self.spec.product_version);
        let body = json!({ "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": self.names.selector(component) },
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 },
            },
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": { "k8s-as-backend.example.com/config-hash": config },
                },
                "spec": {
                    "serviceAccountName": self.names.local(component),
                    "automountServiceAccountToken": component == APP,
                    "containers": containers,
                    "volumes": volumes,
                },
            },
        } });
        self.own(&kinds::DEPLOYMENT, self.names.local(component), component, body)
    }
}
