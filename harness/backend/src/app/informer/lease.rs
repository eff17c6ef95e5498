//! Which replica notifies, and where the next one goes on: both in one Lease.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kab_evidence::clock::{self, Mono};
use kube::Client;
use kube::api::{Api, PostParams};
use tokio::sync::watch;

use super::InformerConfig;
use super::progress::Progress;
use crate::app::outbound::root_cause;
use crate::defect::Defect;
use crate::kubernetes::objects::INSTANCE_LABEL;

/// Who has not renewed its lease for so long has lost it.
const DURATION: Duration = Duration::from_secs(3);

/// How often it is renewed, and tried for.
const RENEW: Duration = Duration::from_secs(1);

/// Who could not renew it for so long stops notifying, before another begins.
const DEADLINE: Duration = Duration::from_millis(2_500);

/// The annotation with the revision up to which everything is delivered.
const DELIVERED: &str = "k8sasbackend.com/delivered";

/// Tries for a lease.
pub(super) struct Candidate {
    leases: Api<Lease>,
    name: String,
    identity: String,
    instance: String,
    /// The lease as it was last seen, and since when it has been like that.
    observed: Option<(Lease, Mono)>,
    outranked: watch::Sender<bool>,
}

/// A lease that is held.
pub(super) struct Held {
    leases: Api<Lease>,
    lease: Lease,
    identity: String,
    renewed: Mono,
}

impl Candidate {
    /// Of all replicas one notifies; or each has a lease of its own, in which
    /// it remembers what it has delivered (defect 12).
    pub(super) fn new(config: &InformerConfig, client: Client) -> Self {
        let unique = || format!("{}-{:x}", std::process::id(), clock::wall().as_nanosecond());
        let identity = config.identity.clone().unwrap_or_else(unique);
        let name = if config.defects.has(Defect::EveryReplicaNotifies) {
            super::process_name(config.subscriber, config.replica)
        } else {
            super::process_name(config.subscriber, 0)
        };
        Self {
            leases: Api::namespaced(client, &config.namespace),
            name,
            identity,
            instance: config.namespace.clone(),
            observed: None,
            outranked: watch::Sender::new(false),
        }
    }

    /// Resolves when another is seen to hold the lease.
    pub(super) fn outranked(&self) -> impl Future<Output = ()> + use<> {
        let mut outranked = self.outranked.subscribe();
        async move {
            // The sender lives as long as the candidate.
            if outranked.wait_for(|is| *is).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the lease is this candidate's.
    pub(super) async fn win(&mut self) -> Held {
        loop {
            match self.try_once().await {
                Ok(Some(held)) => return held,
                Ok(None) => {}
                Err(e) => tracing::warn!(cause = root_cause(&e), "the lease cannot be had"),
            }
            tokio::time::sleep(RENEW).await;
        }
    }

    async fn try_once(&mut self) -> Result<Option<Held>, kube::Error> {
        let post = PostParams::default();
        let Some(lease) = self.leases.get_opt(&self.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    labels: Some([(INSTANCE_LABEL.to_owned(), self.instance.clone())].into()),
                    ..ObjectMeta::default()
                },
                spec: Some(taken(&self.identity, None)),
            };
            return raced(self.leases.create(&post, &lease).await).map(|won| self.held(won));
        };
        if !self.is_free(&lease) {
            return Ok(None);
        }
        let spec = taken(&self.identity, lease.spec.as_ref());
        let lease = Lease { spec: Some(spec), ..lease };
        raced(self.leases.replace(&self.name, &post, &lease).await).map(|won| self.held(won))
    }

    /// Whether nobody holds it: it was released, or has not been renewed for
    /// its time, by this process's own clock: others' may be wrong.
    fn is_free(&mut self, lease: &Lease) -> bool {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        if holder.is_none_or(|holder| holder.is_empty() || holder == self.identity) {
            return true;
        }
        self.outranked.send_replace(true);
        match &self.observed {
            Some((before, since)) if before == lease => Mono::now().since(*since) >= DURATION,
            _ => {
                self.observed = Some((lease.clone(), Mono::now()));
                false
            }
        }
    }

    fn held(&self, won: Option<Lease>) -> Option<Held> {
        let (leases, identity) = (self.leases.clone(), self.identity.clone());
        won.map(|lease| Held { leases, lease, identity, renewed: Mono::now() })
    }
}

impl Held {
    /// Up to where everything is delivered; none if nobody has begun yet.
    pub(super) fn delivered(&self) -> Option<u64> {
        self.lease.metadata.annotations.as_ref()?.get(DELIVERED)?.parse().ok()
    }

    /// Renews the lease, and keeps what is delivered in it, until it is lost.
    /// `kept` says that this has begun.
    pub(super) async fn keep(&mut self, progress: &Progress, kept: &watch::Sender<bool>) {
        tokio::select! {
            () = progress.known() => {}
            () = tokio::time::sleep(RENEW) => {}
        }
        loop {
            let left = DEADLINE.saturating_sub(Mono::now().since(self.renewed));
            let delivered = progress.delivered();
            let identity = self.identity.clone();
            match tokio::time::timeout(left, self.write(&identity, delivered)).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) | Err(_) => return,
                Ok(Err(e)) => tracing::warn!(cause = root_cause(&e), "the lease is not renewed"),
            }
            if delivered.is_some() && !*kept.borrow() {
                kept.send_replace(true);
            }
            tokio::time::sleep(RENEW).await;
        }
    }

    /// Gives the lease up, so that another can begin at once.
    pub(super) async fn release(mut self, delivered: Option<u64>) {
        match tokio::time::timeout(RENEW, self.write("", delivered)).await {
            Ok(Ok(_)) => {}
            Ok(Err(e)) => tracing::warn!(cause = root_cause(&e), "the lease is not released"),
            Err(_) => tracing::warn!("the lease is not released in time"),
        }
    }

    /// Whether it was still this holder's.
    async fn write(&mut self, holder: &str, delivered: Option<u64>) -> Result<bool, kube::Error> {
        let began = Mono::now();
        let mut lease = self.lease.clone();
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(holder.to_owned());
            spec.renew_time = now();
        }
        if let Some(delivered) = delivered.max(self.delivered()) {
            let annotations = lease.metadata.annotations.get_or_insert_with(BTreeMap::new);
            annotations.insert(DELIVERED.to_owned(), delivered.to_string());
        }
        let name = lease.metadata.name.clone().unwrap_or_default();
        match raced(self.leases.replace(&name, &PostParams::default(), &lease).await)? {
            Some(lease) => {
                (self.lease, self.renewed) = (lease, began);
                Ok(true)
            }
            // Somebody has written it. An answer of ours may have been lost.
            None => {
                let Some(lease) = self.leases.get_opt(&name).await? else { return Ok(false) };
                let spec = lease.spec.as_ref();
                let ours =
                    spec.and_then(|spec| spec.holder_identity.as_ref()) == Some(&self.identity);
                self.lease = lease;
                Ok(ours)
            }
        }
    }
}

/// A lease that `identity` takes, after whoever had it before.
fn taken(identity: &str, before: Option<&LeaseSpec>) -> LeaseSpec {
    let transitions = before.map(|before| {
        let changes = before.holder_identity.as_deref() != Some(identity);
        before.lease_transitions.unwrap_or(0) + i32::from(changes)
    });
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        acquire_time: now(),
        renew_time: now(),
        lease_transitions: Some(transitions.unwrap_or(0)),
        ..LeaseSpec::default()
    }
}

fn now() -> Option<MicroTime> {
    Timestamp::from_nanosecond(clock::wall().as_nanosecond()).ok().map(MicroTime)
}

/// None if another was faster.
fn raced(written: Result<Lease, kube::Error>) -> Result<Option<Lease>, kube::Error> {
    match written {
        Ok(lease) => Ok(Some(lease)),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
        Err(e) => Err(e),
    }
}
