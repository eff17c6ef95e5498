//! An apiserver as kab-wire talks to it, from a kubeconfig.

use std::net::ToSocketAddrs;
use std::sync::Arc;

use kab_wire::{Peer, Protocol};
use kube::client::ConfigExt;
use kube::config::Config;
use secrecy::ExposeSecret;

use crate::watchers::WatchError;

/// The apiserver of `config`, with its token or client certificate.
///
/// # Errors
/// If its address or credentials cannot be used.
pub fn from_config(config: &Config, protocol: Protocol) -> Result<Peer, WatchError> {
    let bad = |what: String| WatchError::Config(what);
    let url = &config.cluster_url;
    let host = url.host().ok_or_else(|| bad(format!("{url} names no host")))?;
    let secure = url.scheme_str() == Some("https");
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let address = (host.trim_matches(['[', ']']), port).to_socket_addrs();
    let address = address.map_err(|e| bad(format!("finding {host}: {e}")))?.next();
    let address = address.ok_or_else(|| bad(format!("{host} has no address")))?;
    let mut peer = Peer::plain(address, protocol);
    peer.authority = format!("{host}:{port}");
    if secure {
        let tls = config.rustls_client_config().map_err(|e| bad(e.to_string()))?;
        peer = peer.with_tls(Arc::new(tls));
    }
    if let Some(token) = token(config)? {
        peer = peer.with_header("authorization", &format!("Bearer {token}"));
    }
    Ok(peer.with_header("user-agent", "kab-watch"))
}

fn token(config: &Config) -> Result<Option<String>, WatchError> {
    if let Some(token) = &config.auth_info.token {
        return Ok(Some(token.expose_secret().to_owned()));
    }
    let Some(file) = &config.auth_info.token_file else { return Ok(None) };
    let token = std::fs::read_to_string(file);
    let token = token.map_err(|e| WatchError::Config(format!("reading {file}: {e}")))?;
    Ok(Some(token.trim().to_owned()))
}
