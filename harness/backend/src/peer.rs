//! A cluster as the load's own transport reaches it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kab_wire::{Peer, Protocol};
use kube::client::ConfigExt;
use kube::config::Config;
use rustls::pki_types::ServerName;

use crate::client::{ClientError, config, config_of};

/// What answers are asked to be encoded in, unless somebody wants another.
const JSON: &str = "application/json";

/// A peer could not be made of a kubeconfig.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The kubeconfig cannot be used.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Its server has no address.
    #[error("finding the address of {server}, the server in kubeconfig {}: {why}", path.display())]
    Address {
        /// The file.
        path: PathBuf,
        /// The server.
        server: String,
        /// What is wrong.
        why: String,
    },
    /// Its credentials are of a kind that only kube's own client understands.
    #[error(
        "using the credentials in kubeconfig {}: {why}; a load needs a certificate or a token in \
         the file", path.display()
    )]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The apiserver of the kubeconfig at `path`, as its user: with the user's
/// certificate, or its token in a header. Answers are asked for in JSON.
///
/// # Errors
/// If the file is none, its server has no address, or its user neither
/// certificate nor token.
pub async fn peer(path: &Path, protocol: Protocol) -> Result<Peer, PeerError> {
    accepting(path, protocol, JSON).await
}

/// The same, asked for answers of the media types `accept`, in every request.
///
/// # Errors
/// As [`peer`].
pub async fn accepting(path: &Path, protocol: Protocol, accept: &str) -> Result<Peer, PeerError> {
    peer_with(path, &config(path).await?, protocol, accept)
}

/// The same for the kubeconfig `text`, called `name` in messages: for whoever
/// was sent it.
///
/// # Errors
/// As [`peer`].
pub async fn peer_of(
    name: &Path,
    text: &str,
    protocol: Protocol,
    accept: &str,
) -> Result<Peer, PeerError> {
    peer_with(name, &config_of(name, text).await?, protocol, accept)
}

fn peer_with(
    path: &Path,
    config: &Config,
    protocol: Protocol,
    accept: &str,
) -> Result<Peer, PeerError> {
    let credentials = |why: String| PeerError::Credentials { path: path.to_owned(), why };
    let tls = config.rustls_client_config().map_err(|e| credentials(e.to_string()))?;
    let address = address(path, config)?;
    let host = config.cluster_url.host().unwrap_or_default().trim_matches(['[', ']']);
    let name = match &config.tls_server_name {
        Some(name) => name.as_str(),
        None => host,
    };
    let name = ServerName::try_from(name.to_owned()).map_err(|e| credentials(e.to_string()))?;
    let mut peer = Peer::plain(address, protocol).with_header("accept", accept);
    peer.authority =
        config.cluster_url.authority().map_or_else(|| address.to_string(), ToString::to_string);
    peer.tls = Some((Arc::new(tls), name));
    if let Some(token) = token(path, config)? {
        peer = peer.with_header("authorization", &format!("Bearer {token}"));
    }
    Ok(peer)
}

fn address(path: &Path, config: &Config) -> Result<SocketAddr, PeerError> {
    let server = config.cluster_url.to_string();
    let bad =
        |why: String| PeerError::Address { path: path.to_owned(), server: server.clone(), why };
    let host = config.cluster_url.host().ok_or_else(|| bad("it names no host".to_owned()))?;
    let port = config.cluster_url.port_u16().unwrap_or(443);
    let mut found = (host.trim_matches(['[', ']']), port)
        .to_socket_addrs()
        .map_err(|error| bad(error.to_string()))?;
    found.next().ok_or_else(|| bad("it has no address".to_owned()))
}

fn token(path: &Path, config: &Config) -> Result<Option<String>, PeerError> {
    use secrecy::ExposeSecret;
    let user = &config.auth_info;
    if let Some(token) = &user.token {
        return Ok(Some(token.expose_secret().to_owned()));
    }
    let Some(file) = &user.token_file else { return Ok(None) };
    let why = |error: std::io::Error| PeerError::Credentials {
        path: path.to_owned(),
        why: format!("reading {file}: {error}"),
    };
    Ok(Some(std::fs::read_to_string(file).map_err(why)?.trim().to_owned()))
}
