//! kube clients over HTTP/2 with `TCP_NODELAY`.
//!
//! kube's own connector speaks HTTP/1.1 and leaves Nagle's algorithm on.
//! hyper's HTTP/2 client keeps to one connection, where streams beyond the
//! server's limit would wait unseen; so every so many watchers get one of
//! their own. kube's retries of 429, 503 and 504 are not in this stack.

use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kab_evidence::watch::Watcher;
use kube::Client;
use kube::client::{Body, ConfigExt};
use kube::config::Config;
use tower::util::option_layer;
use tower::{BoxError, Layer, ServiceExt};

use super::observe::{Observed, Observing};
use crate::watchers::WatchError;

/// Watchers on one connection. An apiserver allows at least 100 streams.
const ON_ONE: u32 = 80;

/// How long a TCP connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

type Http = hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Body>;

/// Makes clients of one apiserver.
pub(super) struct Connector {
    config: Config,
    tls: rustls_config::Tls,
    http: std::sync::Mutex<Vec<Http>>,
}

/// The TLS configuration, kept as the connector wants it.
mod rustls_config {
    use super::{Config, ConfigExt, HttpConnector, HttpsConnector, WatchError};

    #[derive(Clone)]
    pub struct Tls(HttpsConnector<HttpConnector>);

    impl Tls {
        pub fn new(config: &Config, tcp: HttpConnector) -> Result<Self, WatchError> {
            let tls = config.rustls_client_config();
            let tls = tls.map_err(|e| WatchError::Config(e.to_string()))?;
            let connector = hyper_rustls::HttpsConnectorBuilder::new()
                .with_tls_config(tls)
                .https_or_http()
                .enable_http2()
                .wrap_connector(tcp);
            Ok(Self(connector))
        }

        pub fn connector(&self) -> HttpsConnector<HttpConnector> {
            self.0.clone()
        }
    }
}

impl Connector {
    pub fn new(config: &Config) -> Result<Self, WatchError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let tls = rustls_config::Tls::new(config, tcp)?;
        let connector = Self { config: config.clone(), tls, http: std::sync::Mutex::default() };
        // What cannot be used is found now, not in a thread.
        connector.config.auth_layer().map_err(|e| WatchError::Config(e.to_string()))?;
        Ok(connector)
    }

    /// The client of watcher `w`, whose requests `seat` sees.
    pub fn client(&self, w: Watcher, seat: &Arc<Observed>) -> Client {
        let stack = self.http(w).map_err(BoxError::from);
        // Tried when the connector was made.
        let auth = self.config.auth_layer().ok().flatten();
        let stack = option_layer(auth).layer(stack);
        let stack = self.config.base_uri_layer().layer(stack);
        let stack = Observing { inner: stack, seat: Arc::clone(seat) };
        Client::new(stack, self.config.default_namespace.clone())
    }

    fn http(&self, w: Watcher) -> Http {
        let mut all = self.http.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let wanted = (w / ON_ONE) as usize;
        while all.len() <= wanted {
            let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .http2_only(true)
                .build(self.tls.connector());
            all.push(http);
        }
        all[wanted].clone()
    }
}
