//! The one way in which this workspace talks to an apiserver.
//!
//! kube's own stack does two things that a measurement must not: it retries
//! 429, 503 and 504, which turns overload into latency, and it leaves Nagle's
//! algorithm on. Both are off here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::Client;
use kube::client::{Body, ConfigExt};
use kube::config::{AuthInfo, Config, KubeConfigOptions, Kubeconfig};
use tower::{BoxError, Layer, ServiceExt, util::option_layer};

/// How long a TCP connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The kubeconfig does not tell how to reach a cluster.
    #[error("reading kubeconfig {}: {source}; is it a kubeconfig with a current context?", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<kube::config::KubeconfigError>,
    },
    /// No kubeconfig is named, and this is no pod either.
    #[error(
        "no kubeconfig is named, and this is no pod with an account of its own: {0}; name one in the configuration, or in KUBECONFIG"
    )]
    NotInPod(Box<kube::config::InClusterError>),
    /// Its credentials or certificates cannot be used.
    #[error("using the credentials in kubeconfig {}: {source}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: Box<kube::Error>,
    },
}

/// A client for the current context of the kubeconfig at `path`.
///
/// HTTP/1.1, one connection for each request in flight. hyper's HTTP/2 client
/// keeps to one connection, and what exceeds the server's limit of streams
/// would wait inside this process, where it looks like slowness of its own.
/// Neither was seen to be faster than the other at 1, 16 and 200 in flight,
/// on a machine too busy to tell small differences.
/// Needs a default rustls provider: see [`install_tls_provider`].
///
/// Without a path, as in a pod: for the cluster and the account that the
/// environment tells of, by `KUBECONFIG` or as Kubernetes tells its pods.
pub async fn connect(path: &Path) -> Result<Client, ClientError> {
    if path.as_os_str().is_empty() {
        return match std::env::var_os("KUBECONFIG") {
            Some(named) => Box::pin(connect_to(Path::new(&named))).await,
            None => in_cluster(),
        };
    }
    connect_to(path).await
}

/// A client for the cluster that this pod is in, as the pod's own account.
fn in_cluster() -> Result<Client, ClientError> {
    let config = Config::incluster().map_err(|e| ClientError::NotInPod(Box::new(e)))?;
    let account = PathBuf::from("the pod's service account");
    client(&config)
        .map_err(|source| ClientError::Credentials { path: account, source: Box::new(source) })
}

async fn connect_to(path: &Path) -> Result<Client, ClientError> {
    let config = config(path).await?;
    client(&config).map_err(|source| ClientError::Credentials {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

/// A client of the same cluster without any credentials.
///
/// # Errors
/// As [`connect`].
pub async fn connect_as_nobody(path: &Path) -> Result<Client, ClientError> {
    let mut config = config(path).await?;
    config.auth_info = AuthInfo::default();
    client(&config).map_err(|source| ClientError::Credentials {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

/// A client of the plain HTTP server at `base`, with the same habits: nothing is
/// tried again.
///
/// # Errors
/// If no TLS provider is installed, which it is made of.
pub fn connect_plain(base: Uri) -> Result<Client, Box<kube::Error>> {
    client(&Config::new(base)).map_err(Box::new)
}

/// The current context of the kubeconfig at `path`.
///
/// # Errors
/// If there is none.
pub async fn config(path: &Path) -> Result<Config, ClientError> {
    let kubeconfig_error = |source: kube::config::KubeconfigError| ClientError::Kubeconfig {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(kubeconfig_error)?;
    current(kubeconfig).await.map_err(kubeconfig_error)
}

/// The current context of the kubeconfig `text`, called `name` in messages.
///
/// # Errors
/// If there is none.
pub async fn config_of(name: &Path, text: &str) -> Result<Config, ClientError> {
    let kubeconfig_error = |source: kube::config::KubeconfigError| ClientError::Kubeconfig {
        path: name.to_owned(),
        source: Box::new(source),
    };
    current(Kubeconfig::from_yaml(text).map_err(kubeconfig_error)?).await.map_err(kubeconfig_error)
}

async fn current(kubeconfig: Kubeconfig) -> Result<Config, kube::config::KubeconfigError> {
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await
}

fn client(config: &Config) -> Result<Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build::<_, Body>(https);
    let stack = http.map_err(BoxError::from);
    let stack = option_layer(config.auth_layer()?).layer(stack);
    let stack = config.base_uri_layer().layer(stack);
    Ok(Client::new(stack, config.default_namespace.clone()))
}

/// Makes *ring* the process's TLS provider. Does nothing if there is one.
pub fn install_tls_provider() {
    // The only error is that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
