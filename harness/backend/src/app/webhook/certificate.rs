//! The webhook's certificate, taken anew when its files change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;

use crate::app::{AppError, failed};

/// How often the files are looked at. Where they are those of a pod, its node
/// takes far longer to bring a change.
const LOOK: Duration = Duration::from_secs(1);

/// A certificate and its key, as their files have them.
type Files = (Vec<u8>, Vec<u8>);

/// Loads the certificate, and goes on to look for another. Connections that
/// are open keep what they began with.
pub(super) async fn load(certificate: &Path, key: &Path) -> Result<RustlsConfig, AppError> {
    let (first, second) = (read(certificate)?, read(key)?);
    let tls = RustlsConfig::from_pem(first.clone(), second.clone())
        .await
        .map_err(failed(format!("using the certificate {}", certificate.display())))?;
    let paths = (certificate.to_owned(), key.to_owned());
    tokio::spawn(follow(tls.clone(), paths, (first, second)));
    Ok(tls)
}

/// A pair of which only one is new is refused by rustls; it is then taken at
/// the next look.
async fn follow(tls: RustlsConfig, paths: (PathBuf, PathBuf), mut used: Files) {
    loop {
        tokio::time::sleep(LOOK).await;
        let found = match (read(&paths.0), read(&paths.1)) {
            (Ok(certificate), Ok(key)) => (certificate, key),
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(%error, "the certificate cannot be looked at");
                continue;
            }
        };
        if found == used {
            continue;
        }
        match tls.reload_from_pem(found.0.clone(), found.1.clone()).await {
            Ok(()) => {
                tracing::info!("another certificate is used from now on");
                used = found;
            }
            Err(error) => tracing::warn!(%error, "the new certificate cannot be used"),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AppError> {
    std::fs::read(path).map_err(failed(format!("reading {}", path.display())))
}
