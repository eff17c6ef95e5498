//! A webhook's certificate, signed by an authority made for it alone: the
//! key of that authority is gone when this function returns.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// A server's certificate, its key and who vouches for it, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCertificate {
    /// The authority's certificate.
    pub authority: String,
    /// The server's certificate.
    pub certificate: String,
    /// The server's key.
    pub key: String,
}

/// Makes a certificate for a server on the loopback address 127.0.0.1.
///
/// # Errors
/// If the system has no randomness to give.
pub fn for_loopback(name: &str) -> Result<ServerCertificate, rcgen::Error> {
    for_hosts(name, vec!["127.0.0.1".to_owned()], None)
}

/// Makes a certificate for a server that is reached by these names and
/// addresses; with `last_day`, good until that day's beginning.
///
/// # Errors
/// If a name is none, or the system has no randomness to give.
pub fn for_hosts(
    name: &str,
    hosts: Vec<String>,
    last_day: Option<jiff::civil::Date>,
) -> Result<ServerCertificate, rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, format!("{name} authority"));
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];

    let mut server = CertificateParams::new(hosts)?;
    server.distinguished_name.push(DnType::CommonName, name);
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    if let Some(day) = last_day {
        let month = u8::try_from(day.month()).unwrap_or(1);
        let number = u8::try_from(day.day()).unwrap_or(1);
        let end = rcgen::date_time_ymd(day.year().into(), month, number);
        authority.not_after = end;
        server.not_after = end;
    }
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &authority)?;
    Ok(ServerCertificate {
        authority: authority.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}
