//! Certificates of a lab: one authority for the cluster and another one for
//! etcd, so that a client of the apiserver is none of etcd.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};

/// A certificate could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// It could not be made.
    #[error("making a certificate for {name}: {source}")]
    Make {
        /// For what.
        name: String,
        /// What the library said.
        source: rcgen::Error,
    },
    /// Its file could not be written.
    #[error("writing {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A certificate with its key, and the authority of the other side, as PEM
/// texts and as files.
#[derive(Debug, Clone)]
pub struct Identity {
    folder: PathBuf,
    ca_name: &'static str,
    name: &'static str,
    ca_pem: String,
    cert_pem: String,
    key_pem: String,
}

impl Identity {
    /// The authority that vouches for the other side, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The certificate, as PEM.
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The private key, as PEM (PKCS #8).
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The file with the authority's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join(format!("{}.crt", self.ca_name))
    }

    /// The file with the certificate.
    pub fn cert_file(&self) -> PathBuf {
        self.folder.join(format!("{}.crt", self.name))
    }

    /// The file with the private key, which only its owner may read.
    pub fn key_file(&self) -> PathBuf {
        self.folder.join(format!("{}.key", self.name))
    }
}

/// All of a lab's certificates.
#[derive(Debug)]
pub(super) struct Pki {
    pub etcd_server: Identity,
    pub etcd_client: Identity,
    pub apiserver: Identity,
    pub controller_manager: Identity,
    pub admin: Identity,
    /// The private key that signs service account tokens.
    pub service_accounts: PathBuf,
    /// The public key that says which of them are good.
    pub service_accounts_public: PathBuf,
}

impl Pki {
    /// Makes all of them, in `folder`.
    pub(super) fn make(folder: &Path, service_ip: &str) -> Result<Self, PkiError> {
        fs::create_dir_all(folder)
            .map_err(|source| PkiError::Write { path: folder.to_owned(), source })?;
        let etcd = Authority::make(folder, "etcd-ca")?;
        let cluster = Authority::make(folder, "ca")?;
        let service_accounts = folder.join("service-accounts.key");
        let service_accounts_public = folder.join("service-accounts.pub");
        let signing = key("service accounts")?;
        write_secret(&service_accounts, &signing.serialize_pem())?;
        write(&service_accounts_public, &signing.public_key_pem(), 0o644)?;
        let loopback = ["localhost", "127.0.0.1"];
        let apiserver = [
            "localhost",
            "127.0.0.1",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            service_ip,
        ];
        Ok(Self {
            // Between etcd's members each is a client of the others.
            etcd_server: etcd.issue("etcd", "etcd", None, &loopback)?,
            etcd_client: etcd.issue("etcd-client", "kab", None, &[])?,
            apiserver: cluster.issue("kube-apiserver", "kube-apiserver", None, &apiserver)?,
            controller_manager: cluster.issue(
                "kube-controller-manager",
                "system:kube-controller-manager",
                None,
                &loopback,
            )?,
            admin: cluster.issue("admin", "kab-admin", Some("system:masters"), &[])?,
            service_accounts,
            service_accounts_public,
        })
    }
}

struct Authority<'a> {
    folder: &'a Path,
    name: &'static str,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl<'a> Authority<'a> {
    fn make(folder: &'a Path, name: &'static str) -> Result<Self, PkiError> {
        let mut params = params(name, None, &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, key(name)?).map_err(make(name))?;
        write(&folder.join(format!("{name}.crt")), &issuer.pem(), 0o644)?;
        Ok(Self { folder, name, issuer })
    }

    /// A certificate for clients, and for a server if it has names.
    fn issue(
        &self,
        name: &'static str,
        common_name: &str,
        organisation: Option<&str>,
        names: &[&str],
    ) -> Result<Identity, PkiError> {
        let mut params = params(common_name, organisation, names)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !names.is_empty() {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let key = key(name)?;
        let cert = params.signed_by(&key, &self.issuer).map_err(make(name))?;
        let identity = Identity {
            folder: self.folder.to_owned(),
            ca_name: self.name,
            name,
            ca_pem: self.issuer.pem(),
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
        };
        write(&identity.cert_file(), &identity.cert_pem, 0o644)?;
        write_secret(&identity.key_file(), &identity.key_pem)?;
        Ok(identity)
    }
}

fn params(
    common_name: &str,
    organisation: Option<&str>,
    names: &[&str],
) -> Result<CertificateParams, PkiError> {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(make(common_name))?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    if let Some(organisation) = organisation {
        params.distinguished_name.push(DnType::OrganizationName, organisation);
    }
    Ok(params)
}

fn key(name: &str) -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(make(name))
}

fn make(name: &str) -> impl FnOnce(rcgen::Error) -> PkiError {
    let name = name.to_owned();
    move |source| PkiError::Make { name, source }
}

/// Writes a file that only its owner may read.
pub(super) fn write_secret(path: &Path, text: &str) -> Result<(), PkiError> {
    write(path, text, 0o600)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), PkiError> {
    // Never into a file that is there: it may have another mode.
    let _ = fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| PkiError::Write { path: path.to_owned(), source })
}
