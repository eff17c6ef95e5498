//! How the pods are reached.

use serde_json::json;

use super::workload::{APP, APP_PORT, WEBHOOK, WEBHOOK_PORT};
use super::{Desired, Plan};
use crate::app::operator::kinds;

impl Plan<'_> {
    /// The gateway, at port 80.
    pub(super) fn app_service(&self) -> Desired {
        self.service(APP, "http", 80, APP_PORT)
    }

    /// The webhook server, at the port that apiservers ask unless told
    /// otherwise.
    pub(super) fn webhook_service(&self) -> Desired {
        self.service(WEBHOOK, "https", 443, WEBHOOK_PORT)
    }

    fn service(&self, component: &str, port_name: &str, port: u16, target: u16) -> Desired {
        let body = json!({ "spec": {
            "selector": self.names.selector(component),
            "ports": [{
                "name": port_name, "protocol": "TCP", "port": port, "targetPort": target,
            }],
        } });
        self.own(&kinds::SERVICE, self.names.local(component), component, body)
    }

    /// The gateway from outside, by a host name of the instance's own.
    pub(super) fn ingress(&self) -> Desired {
        let service =
            json!({ "service": { "name": self.names.local(APP), "port": { "name": "http" } } });
        let body = json!({ "spec": { "rules": [{
            "host": format!("{}.{}.example.com", self.names.instance, self.names.namespace),
            "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": service }] },
        }] } });
        self.own(&kinds::INGRESS, self.names.local(APP), APP, body)
    }
}
