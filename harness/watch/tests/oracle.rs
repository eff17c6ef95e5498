//! Watchers of a real apiserver, directly and through a proxy with one fault:
//! the oracle says which guarantee broke, and no other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;

use kab_backend::peer::peer;
use kab_verdict::watch::{Guarantee, Standing, Watch};
use kab_watch::{Watchers, raw, runtime};
use kab_wire::{Peer, Protocol};
use kube::config::Config;
use support::proxy::{Fault, Proxy};
use support::{PATIENCE, Scene, broken};

/// Waits until all watchers have got past all writes, and ends them.
async fn finish(scene: &Scene, watchers: Watchers) {
    // The last one says enough: one may be missing on purpose.
    let last = &scene.ops()[scene.ops().len() - 1..];
    assert_eq!(watchers.await_delivered(last, PATIENCE).await, 0, "not delivered");
    watchers.stop().await.unwrap();
}

async fn opened(watchers: &Watchers, count: u32) {
    assert_eq!(watchers.await_opened(PATIENCE).await, count);
}

#[tokio::test]
async fn bare_streams_of_a_real_apiserver_keep_every_guarantee() {
    let mut scene = Scene::new("raw-direct").await;
    scene.create(3).await;
    let spec = scene.spec("listen", 300);
    let peer = peer(&scene.kubeconfig, Protocol::Auto).await.unwrap();
    let watchers = raw::start(&spec, peer).unwrap();
    opened(&watchers, 300).await;
    scene.create(20).await;
    finish(&scene, watchers).await;
    let watch = scene.judge();
    assert_eq!(broken(&watch), BTreeSet::new(), "{:#?}", watch.guarantees);
    assert_eq!((watch.account.expected, watch.account.delivered), (6_000, 6_000));
    assert_eq!((watch.coverage(), watch.lag.count, watch.negative_lags), (Some(1.0), 6_000, 0));
    assert_eq!((watch.streams.opened, watch.streams.ended_early), (300, 0));
    for guarantee in [Guarantee::Ordered, Guarantee::Unique, Guarantee::Reliable] {
        assert_eq!(watch.guarantee(guarantee).unwrap().standing, Standing::Held);
    }
}

#[tokio::test]
async fn runtime_clients_of_a_real_apiserver_keep_every_guarantee() {
    let mut scene = Scene::new("runtime-direct").await;
    scene.create(3).await;
    let config = kab_backend::client::config(&scene.kubeconfig).await.unwrap();
    let watchers = runtime::start(&scene.spec("listen", 90), &config).unwrap();
    opened(&watchers, 90).await;
    scene.create(10).await;
    finish(&scene, watchers).await;
    let watch = scene.judge();
    assert_eq!(broken(&watch), BTreeSet::new(), "{:#?}", watch.guarantees);
    // What was there before is in their first list, and not due as an event.
    assert_eq!((watch.account.expected, watch.account.delivered), (900, 900));
    assert_eq!((watch.streams.opened, watch.streams.relists), (90, 0));
}

enum Client {
    Raw,
    Runtime,
}

/// Six writes, seen by one watcher through a proxy with `fault`.
async fn through(fault: Fault, client: &Client, namespace: &str) -> Watch {
    let mut scene = Scene::new(namespace).await;
    let proxy = Proxy::start(scene.client.clone(), fault).await;
    let spec = scene.spec("listen", 1);
    let watchers = match client {
        Client::Raw => raw::start(&spec, Peer::plain(proxy.address, Protocol::Http1)).unwrap(),
        Client::Runtime => {
            let url = format!("http://{}", proxy.address).parse().unwrap();
            runtime::start(&spec, &Config::new(url)).unwrap()
        }
    };
    opened(&watchers, 1).await;
    if matches!(fault, Fault::Expire(_)) {
        scene.create(2).await;
        proxy.reopened().await;
        scene.create(2).await;
        proxy.release();
        assert_eq!(watchers.await_delivered(scene.ops(), PATIENCE).await, 0);
        scene.create(2).await;
    } else {
        scene.create(6).await;
    }
    if fault == Fault::Mute {
        // There is nothing to come that could be awaited.
        watchers.stop().await.unwrap();
        return scene.judge();
    }
    finish(&scene, watchers).await;
    scene.judge()
}

#[tokio::test]
async fn a_proxy_without_fault_breaks_nothing() {
    for (n, client) in [Client::Raw, Client::Runtime].iter().enumerate() {
        let watch = through(Fault::None, client, &format!("proxy-none-{n}")).await;
        assert_eq!(broken(&watch), BTreeSet::new());
        assert_eq!((watch.account.expected, watch.account.delivered), (6, 6));
        assert_eq!((watch.account.silent, watch.streams.silent_watchers), (0, 0));
    }
}

#[tokio::test]
async fn each_fault_of_a_proxy_is_named() {
    let cases = [
        (Fault::Drop(2), Guarantee::Reliable, 1),
        (Fault::Drop(0), Guarantee::Resumable, 1),
        (Fault::Duplicate(2), Guarantee::Unique, 0),
        (Fault::Swap(2), Guarantee::Ordered, 0),
        (Fault::PastBookmark(2), Guarantee::Bookmarkable, 0),
        (Fault::Repeat(3), Guarantee::Resumable, 0),
        (Fault::Skip(3), Guarantee::Resumable, 1),
    ];
    for (n, (fault, guarantee, lost)) in cases.into_iter().enumerate() {
        let watch = through(fault, &Client::Raw, &format!("proxy-fault-{n}")).await;
        assert_eq!(broken(&watch), BTreeSet::from([guarantee]), "{fault:?}");
        assert_eq!(watch.guarantee(guarantee).unwrap().broken, 1, "{fault:?}");
        assert_eq!(watch.account.lost, lost, "{fault:?}");
        assert!(watch.account.is_balanced(), "{fault:?}");
    }
}

#[tokio::test]
async fn faults_show_in_what_a_runtime_client_received_as_well() {
    for (n, (fault, guarantee)) in [
        (Fault::Drop(2), Guarantee::Reliable),
        (Fault::Duplicate(2), Guarantee::Unique),
        (Fault::Swap(2), Guarantee::Ordered),
    ]
    .into_iter()
    .enumerate()
    {
        let watch = through(fault, &Client::Runtime, &format!("proxy-runtime-{n}")).await;
        assert_eq!(broken(&watch), BTreeSet::from([guarantee]), "{fault:?}");
    }
}

#[tokio::test]
async fn a_stream_on_which_nothing_comes_makes_a_silent_watcher() {
    for (n, client) in [Client::Raw, Client::Runtime].iter().enumerate() {
        let watch = through(Fault::Mute, client, &format!("proxy-mute-{n}")).await;
        assert_eq!(broken(&watch), BTreeSet::new());
        let account = &watch.account;
        assert_eq!((account.expected, account.silent, account.pending), (6, 6, 0));
        assert_eq!((watch.streams.silent_watchers, watch.streams.opened_watchers), (1, 1));
    }
}

#[tokio::test]
async fn a_cut_stream_is_taken_up_again_and_nothing_is_lost() {
    for (n, client) in [Client::Raw, Client::Runtime].iter().enumerate() {
        let watch = through(Fault::Cut(3), client, &format!("proxy-cut-{n}")).await;
        assert_eq!(broken(&watch), BTreeSet::new());
        assert_eq!((watch.account.delivered, watch.account.duplicated), (6, 0));
        let streams = &watch.streams;
        assert_eq!((streams.reconnects, streams.ended_early, streams.relists), (1, 1, 0));
    }
}

#[tokio::test]
async fn after_410_the_list_accounts_for_what_no_event_brought() {
    for (n, client) in [Client::Raw, Client::Runtime].iter().enumerate() {
        let watch = through(Fault::Expire(2), client, &format!("proxy-expire-{n}")).await;
        assert_eq!(broken(&watch), BTreeSet::new());
        let account = &watch.account;
        assert_eq!((account.expected, account.delivered, account.relisted), (6, 4, 2));
        assert_eq!((watch.streams.expired, watch.streams.relists), (1, 1));
    }
}
