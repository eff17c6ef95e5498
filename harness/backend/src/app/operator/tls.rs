//! The Secret with the webhook server's certificate.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kab_evidence::clock;
use kube::api::DynamicObject;
use serde_json::json;

use super::certificates::{Chain, Next, Schedule, last_day};
use super::hash::hash;
use super::kinds;
use super::objects::{Desired, Plan, WEBHOOK};
use crate::deploy::certificate::{ServerCertificate, for_hosts};

/// Why a certificate could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    /// It could not be made.
    #[error("making the webhook's certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// The folder that instances share could not be read or written.
    #[error("using the shared certificate in {}: {source}", path.display())]
    Shared { path: PathBuf, source: std::io::Error },
}

/// The chain in a Secret; none if there is nothing in it that was sealed by
/// an operator: somebody else wrote it.
pub(super) fn read(secret: &DynamicObject) -> Option<Chain> {
    let value = serde_json::to_value(secret).ok()?;
    let data = serde_json::from_value::<Secret>(value).ok()?.data?;
    let text = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
    let time = |key: &str| text(key)?.parse::<Timestamp>().ok();
    let next = match (text("next.crt"), text("next.key"), time("staged")) {
        (Some(certificate), Some(key), Some(staged)) => Some(Next { certificate, key, staged }),
        _ => None,
    };
    let chain = Chain {
        certificate: text("tls.crt")?,
        key: text("tls.key")?,
        authorities: text("ca.crt")?,
        issued: time("issued")?,
        next,
    };
    (text("seal")? == seal(&chain)).then_some(chain)
}

/// The authorities in a Secret, whoever wrote it.
pub(super) fn authorities(secret: &DynamicObject) -> Option<String> {
    let value = serde_json::to_value(secret).ok()?;
    let data = serde_json::from_value::<Secret>(value).ok()?.data?;
    String::from_utf8(data.get("ca.crt")?.0.clone()).ok()
}

fn seal(chain: &Chain) -> String {
    let Chain { certificate, key, authorities, issued, next } = chain;
    let next = next.as_ref().map(|next| (&next.certificate, &next.key, next.staged));
    hash(&json!([certificate, key, authorities, issued, next]))
}

impl Plan<'_> {
    /// The Secret that holds `chain`.
    pub(super) fn secret(&self, chain: &Chain) -> Desired {
        let bytes = |text: &str| json!(ByteString(text.as_bytes().to_vec()));
        let mut data = json!({
            "tls.crt": bytes(&chain.certificate),
            "tls.key": bytes(&chain.key),
            "ca.crt": bytes(&chain.authorities),
            "issued": bytes(&chain.issued.to_string()),
            "seal": bytes(&seal(chain)),
        });
        if let Some(next) = &chain.next {
            data["next.crt"] = bytes(&next.certificate);
            data["next.key"] = bytes(&next.key);
            data["staged"] = bytes(&next.staged.to_string());
        }
        Desired {
            kind: &kinds::SECRET,
            name: self.names.local("tls"),
            body: json!({ "type": "kubernetes.io/tls", "data": data }),
            labels: self.names.labels(WEBHOOK),
            shared: false,
        }
    }

    /// A certificate for this instance's webhook server, wherever it runs.
    pub(super) fn certificate(
        &self,
        schedule: Schedule,
    ) -> Result<ServerCertificate, CertificateError> {
        let host = self.names.host(WEBHOOK);
        let hosts = vec![format!("{host}.cluster.local"), host, "127.0.0.1".to_owned()];
        let name = format!("webhook of {}/{}", self.names.namespace, self.names.instance);
        Ok(for_hosts(&name, hosts, last_day(schedule, clock::wall()))?)
    }

    /// The certificate in `folder`: whoever comes first makes it, for itself
    /// (defect 15).
    pub(super) fn shared_certificate(
        &self,
        folder: &Path,
        schedule: Schedule,
    ) -> Result<ServerCertificate, CertificateError> {
        let file = |name: &str| folder.join(name);
        let read = |name: &str| std::fs::read_to_string(file(name));
        if let (Ok(authority), Ok(certificate), Ok(key)) =
            (read("ca.crt"), read("tls.crt"), read("tls.key"))
        {
            return Ok(ServerCertificate { authority, certificate, key });
        }
        let made = self.certificate(schedule)?;
        let parts =
            [("ca.crt", &made.authority), ("tls.crt", &made.certificate), ("tls.key", &made.key)];
        let path = |name| file(name);
        for (name, text) in parts {
            let written = std::fs::create_dir_all(folder)
                .and_then(|()| crate::deploy::write_owned(&path(name), text.as_bytes()));
            written.map_err(|source| CertificateError::Shared { path: path(name), source })?;
        }
        Ok(made)
    }
}
