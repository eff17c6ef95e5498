//! Each defect by itself: found in the naive system and in the hardened one
//! that has it, and neither in the hardened system nor in the naive one without
//! it. A look that stops finding its defect fails here.

// Helpers of tests are tests, to everybody but clippy.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use k8s_openapi::api::core::v1::Secret;
use kab_backend::defect::Defect;
use kab_backend::entity::Todo;
use kab_backend::system::Variant;
use kab_evidence::id::OpId;
use kab_evidence::span::Span;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::json;
use support::{Instance, Of, Subscriber, todo};
use tokio::sync::Mutex;

/// One test at a time: with some defects, instances get in each other's way.
static TURN: Mutex<()> = Mutex::const_new(());

const WHEN: &str = "2026-01-02T03:04:05Z";

/// Looks for `defect` in the four systems that tell what its switch does.
async fn check(defect: Defect, look: impl AsyncFn(&mut Instance) -> bool) {
    let (naive, hardened) = (Of::variant(Variant::Naive), Of::variant(Variant::Hardened));
    let systems = [
        ("naive", naive.clone(), true),
        ("naive-but", naive.with(defect, false), false),
        ("hardened", hardened.clone(), false),
        ("hardened-with", hardened.with(defect, true), true),
    ];
    // Whoever waits for its turn keeps the control planes up for it.
    let mut planes = Vec::new();
    for (_, system, _) in &systems {
        planes.push(support::keep_up(system).await);
    }
    let _turn = TURN.lock().await;
    for (name, system, expected) in systems {
        let mut instance = Instance::of(&namespace(name, defect), system).await;
        let found = look(&mut instance).await;
        assert_eq!(found, expected, "{defect:?} in {name}");
        // Or its webhook would go on being asked by all who share with it.
        instance.deployed.teardown().await.unwrap();
    }
}

fn namespace(system: &str, defect: Defect) -> String {
    format!("{system}-{}", format!("{defect:?}").to_lowercase())
}

async fn write(instance: &Instance, name: &str) -> Result<Todo, kube::Error> {
    instance.todos().create(&PostParams::default(), &todo(name, "m", WHEN)).await
}

#[tokio::test]
async fn cluster_admin() {
    check(Defect::ClusterAdmin, async |instance| {
        let client = instance.as_app("gateway").await;
        let secrets: Api<Secret> = Api::namespaced(client, &instance.spec.namespace);
        secrets.list(&ListParams::default()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn no_schema() {
    check(Defect::NoSchema, async |instance| {
        let mut odd = todo("odd", "m", WHEN);
        odd.spec["anything"] = json!(1);
        let stored = instance.todos().create(&PostParams::default(), &odd).await.unwrap();
        stored.spec["anything"] == 1
    })
    .await;
}

#[tokio::test]
async fn always_valid() {
    check(Defect::AlwaysValid, async |instance| {
        let mut todo = write(instance, "put-off").await.unwrap();
        todo.spec["when"] = json!("2099-01-01T00:00:00Z");
        instance.todos().replace("put-off", &PostParams::default(), &todo).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn fail_open() {
    check(Defect::FailOpen, async |instance| {
        instance.stop("webhook").await;
        write(instance, "unjudged").await.is_ok()
    })
    .await;
}

/// Another instance's webhook judges this one's writes; and where it fails
/// closed, its death is this one's outage.
#[tokio::test]
async fn shared_webhook() {
    check(Defect::SharedWebhook, async |instance| {
        let of = Of {
            variant: instance.spec.variant,
            defects: instance.spec.defects.clone(),
            limits: instance.spec.limits.clone(),
        };
        let other = Instance::of(&format!("{}-other", instance.spec.namespace), of).await;
        let op = OpId::new(5, 5);
        assert!(instance.create("mine", Some(op)).await.0.is_success());
        other.stop("webhook").await;
        let judged =
            |span: &Span| matches!(span, Span::Webhook { op: Some(found), .. } if *found == op);
        let found = other.spans("webhook").iter().any(judged);
        let fails_closed = !instance.spec.defects.has(Defect::FailOpen);
        assert_eq!(write(instance, "alone").await.is_err(), found && fails_closed);
        other.deployed.teardown().await.unwrap();
        found
    })
    .await;
}

#[tokio::test]
async fn no_retry() {
    check(Defect::NoRetry, async |instance| {
        let mut subscriber = Subscriber::new().await;
        instance.add_informer(&subscriber.url).await;
        subscriber.answer(500);
        write(instance, "a").await.unwrap();
        let first = subscriber.next().await;
        subscriber.answer(200);
        write(instance, "marker").await.unwrap();
        // Tried again, or lost: then the marker is next.
        if subscriber.next().await.revision == first.revision {
            return false;
        }
        // Or it comes after the marker; the informer knows how it ended.
        instance.stop("informer-0").await;
        let lost = |span: &Span| {
            matches!(span, Span::Informer { status: Some(500), rv, .. } if *rv == first.revision)
        };
        instance.spans("informer-0").iter().any(lost)
    })
    .await;
}

#[tokio::test]
async fn nameless_deletes() {
    check(Defect::NamelessDeletes, async |instance| {
        let mut subscriber = Subscriber::new().await;
        instance.add_informer(&subscriber.url).await;
        let id = write(instance, "gone").await.unwrap().metadata.uid.unwrap();
        subscriber.next().await;
        instance.todos().delete("gone", &DeleteParams::default()).await.unwrap();
        subscriber.next().await.body["todoId"] != id.as_str()
    })
    .await;
}

#[tokio::test]
async fn crash_on_silence() {
    check(Defect::CrashOnSilence, async |instance| {
        let subscriber = Subscriber::new().await;
        instance.add_informer(&subscriber.url).await;
        let address = subscriber.url.trim_start_matches("http://").to_owned();
        subscriber.shut_down().await;
        write(instance, "silence").await.unwrap();
        let informer = instance.deployed.child("informer-0").unwrap().clone();
        // Either it ends, or it tells of something once there is somebody to tell.
        let told = async {
            let mut subscriber = Subscriber::at(&address).await;
            let mut told = std::pin::pin!(subscriber.next());
            for n in 0.. {
                write(instance, &format!("more-{n}")).await.unwrap();
                let soon = std::time::Duration::from_millis(100);
                if tokio::time::timeout(soon, &mut told).await.is_ok() {
                    break;
                }
            }
        };
        // Nobody listens until it has had its silence.
        let silent = async {
            loop {
                let log = std::fs::read_to_string(informer.log()).unwrap();
                if log.contains("refused") {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            biased;
            ended = informer.ended() => ended.status == Some(1),
            () = async { silent.await; told.await } => false,
        }
    })
    .await;
}

#[tokio::test]
async fn replay_on_start() {
    check(Defect::ReplayOnStart, async |instance| {
        let mut subscriber = Subscriber::new().await;
        instance.add_informer(&subscriber.url).await;
        write(instance, "old").await.unwrap();
        let old = subscriber.next().await;
        // It has its answer when it is told to end, or the change would be told
        // again with good reason.
        write(instance, "between").await.unwrap();
        subscriber.next().await;
        instance.add_informer(&subscriber.url).await;
        let marker = write(instance, "marker").await.unwrap().metadata.resource_version.unwrap();
        let mut replayed = false;
        loop {
            let told = subscriber.next().await;
            replayed |= told.revision == old.revision;
            if told.revision == marker {
                return replayed;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_replica_notifies() {
    check(Defect::EveryReplicaNotifies, async |instance| {
        let mut subscriber = Subscriber::new().await;
        instance.add_informers(2, &subscriber.url).await;
        let mut told = std::collections::BTreeSet::new();
        // One replica may be a little behind, but not for so long.
        for n in 0..20 {
            let written = write(instance, &format!("n-{n}")).await.unwrap();
            let revision = written.metadata.resource_version.unwrap();
            loop {
                let next = subscriber.next().await.revision;
                if !told.insert(next.clone()) {
                    return true;
                }
                if next == revision {
                    break;
                }
            }
        }
        for replica in ["informer-0", "informer-0-1"] {
            instance.stop(replica).await;
        }
        subscriber.untaken() > 0
    })
    .await;
}
