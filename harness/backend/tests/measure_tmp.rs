#![allow(clippy::all, clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs, dead_code)]
mod support;
use futures::StreamExt;
use http_body_util::BodyExt;
use kab_evidence::clock::Mono;
use kab_evidence::span::Span;
use kube::client::{Body, ConfigExt};
use support::{Instance, Subscriber};
use tower::Layer;

async fn stack(path: &std::path::Path, h2: bool) -> kube::Client {
    let k = kube::config::Kubeconfig::read_from(path).unwrap();
    let config = kube::Config::from_custom_kubeconfig(k, &Default::default()).await.unwrap();
    let mut tcp = hyper_util::client::legacy::connect::HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let https = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config.rustls_client_config().unwrap()).https_or_http();
    let https = if h2 { https.enable_http2().wrap_connector(tcp) } else { https.enable_http1().wrap_connector(tcp) };
    let http = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).http2_only(h2).build::<_, Body>(https);
    let s = tower::ServiceExt::map_err(http, tower::BoxError::from);
    let s = tower::util::option_layer(config.auth_layer().unwrap()).layer(s);
    kube::Client::new(config.base_uri_layer().layer(s), "default")
}

#[tokio::test(flavor = "multi_thread")]
async fn measure() {
    let instance = Instance::new("measure").await;
    let kc = instance.spec.work_dir.join("gateway.kubeconfig");
    let clients = [("h1", stack(&kc, false).await), ("h2", stack(&kc, true).await)];
    for round in 0..3 {
        for (conc, n) in [(1usize, 150usize), (16, 400), (200, 800)] {
            for (tag, client) in &clients {
                let began = Mono::now();
                let mut t: Vec<i64> = futures::stream::iter(0..n).map(|i| {
                    let body = serde_json::json!({"apiVersion":"k8sasbackend.com/v1","kind":"Todo","metadata":{"name":format!("{tag}-{round}-{conc}-{i}")},"spec":{"message":"x".repeat(256),"when":"w"}});
                    let req = http::Request::post("/apis/k8sasbackend.com/v1/namespaces/measure/todos").header("content-type","application/json").body(Body::from(body.to_string().into_bytes())).unwrap();
                    let client = client.clone();
                    async move { let s = Mono::now(); let r = client.send(req).await.unwrap(); assert_eq!(r.status(), 201); r.into_body().collect().await.unwrap(); Mono::now().signed_since(s) / 1000 }
                }).buffer_unordered(conc).collect().await;
                let took = Mono::now().since(began).as_secs_f64();
                t.sort();
                println!("{tag} conc {conc:3}: {:5.0}/s p50 {:7}us p99 {:7}us", n as f64 / took, t[n/2], t[n*99/100]);
            }
        }
    }
    drop(instance);
    let mut subscriber = Subscriber::new().await;
    let mut instance = Instance::new("measure2").await;
    instance.add_informer(&subscriber.url).await;
    for i in 0..200 { assert_eq!(instance.create(&format!("g{i}"), None).await.0, 200); }
    for _ in 0..200 { subscriber.next().await; }
    instance.stop("gateway").await; instance.stop("informer-0").await;
    let (mut own, mut api) = (vec![], vec![]);
    for s in instance.spans("gateway") { if let Span::Gateway { start, api_sent, api_done, end, .. } = s { own.push((api_sent.signed_since(start) + end.signed_since(api_done))/1000); api.push(api_done.signed_since(api_sent)/1000); } }
    own.sort(); api.sort();
    println!("gateway own p50 {}us p99 {}us; api p50 {}us p99 {}us", own[100], own[197], api[100], api[197]);
    let mut lag: Vec<i64> = instance.spans("informer-0").into_iter().filter_map(|s| match s { Span::Informer { seen, posted: Some(p), .. } => Some(p.signed_since(seen)/1000), _ => None }).collect();
    lag.sort(); println!("seen->posted p50 {}us p99 {}us", lag[100], lag[197]);
}
