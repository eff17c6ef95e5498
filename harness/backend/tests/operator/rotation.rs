//! Certificates change while writes go on.

use std::collections::BTreeSet;

use kab_backend::defect::Defects;
use kab_backend::operator::{FIRST, Options};
use kab_backend::system::Variant;
use kab_evidence::id::OpId;
use kab_evidence::span::Span;
use kube::api::DynamicObject;
use serde_json::Value;

use super::ground::{Ground, PATIENCE, create, hasty};

fn certificate(secret: &DynamicObject) -> Value {
    secret.data["data"]["tls.crt"].clone()
}

#[tokio::test]
async fn no_write_is_refused_while_certificates_change() {
    let ground = Ground::new("rotation", Variant::Hardened, Defects::none()).await;
    let options = Options { certificates: hasty(), ..Options::default() };
    let deployed = ground.deploy_with(&options).await;
    let server = deployed.child(FIRST, "webhook").unwrap().pid();
    let secrets = ground.api("", "secrets").await;
    let mut seen = vec![certificate(&secrets.get("kab01-tls").await.unwrap())];
    let gateway = deployed.gateway_url().to_owned();
    let mut written = 0;
    let writing = async {
        loop {
            let (code, answer) =
                create(&gateway, &format!("todo-{written}"), "m", OpId::new(11, written)).await;
            // The policy is Fail: a webhook that is not believed refuses.
            assert!(code.is_success(), "{code} {answer}");
            written += 1;
        }
    };
    let changing = async {
        for _ in 0..3 {
            let last = seen.last().unwrap().clone();
            let other = |secret: &DynamicObject| certificate(secret) != last;
            let changed = ground.becomes(&secrets, "kab01-tls", "another", other).await;
            seen.push(certificate(&changed));
        }
    };
    tokio::select! {
        () = writing => {}
        () = changing => {}
    }
    let kinds: BTreeSet<String> = seen.iter().map(ToString::to_string).collect();
    assert_eq!(kinds.len(), 4);
    assert!(written > 0);
    // The same server all the time: it took the new ones as they came.
    assert_eq!(deployed.child(FIRST, "webhook").unwrap().pid(), server);
    deployed.delete_instance("rotation", FIRST).await.unwrap();
    deployed.stop(PATIENCE).await;
    let judged = ground.spans("webhook").into_iter().filter(|span| {
        matches!(span, Span::Webhook { op: Some(op), .. } if (0..written).any(|n| *op == OpId::new(11, n)))
    });
    assert_eq!(judged.count(), usize::try_from(written).unwrap());
}
