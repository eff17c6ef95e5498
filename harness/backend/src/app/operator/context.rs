//! What all reconciliations of an operator share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::Store;

use super::OperatorConfig;
use super::resource::K8sAsBackend;

/// How soon an instance is tried again after a first failure, and at most.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(60);

pub(super) struct Context {
    pub(super) client: Client,
    pub(super) config: OperatorConfig,
    pub(super) recorder: Recorder,
    /// All instances that this operator sees.
    pub(super) instances: Store<K8sAsBackend>,
    /// Failures in a row of each instance, by its UID.
    failures: Mutex<HashMap<String, u32>>,
    writes: AtomicU32,
}

impl Context {
    pub(super) fn new(
        client: Client,
        config: OperatorConfig,
        recorder: Recorder,
        instances: Store<K8sAsBackend>,
    ) -> Self {
        Self {
            client,
            config,
            recorder,
            instances,
            failures: Mutex::default(),
            writes: AtomicU32::new(0),
        }
    }

    /// An object was made, changed or deleted. If that is where this operator
    /// is to die, it does, with nothing written and nobody told.
    pub(super) fn wrote(&self) {
        let writes = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        if self.config.die_after == Some(writes) {
            std::process::abort();
        }
    }

    /// An instance is as it should be.
    pub(super) fn succeeded(&self, uid: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// It is not; how long to wait before it is tried again.
    pub(super) fn failed(&self, uid: &str) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(uid.to_owned()).or_default();
        let wait = FIRST_RETRY.saturating_mul(1 << (*count).min(16));
        *count += 1;
        wait.min(LAST_RETRY)
    }
}
