//! kubectl as a writer: whatever is promised must hold for it too. Where there
//! is no kubectl, there is nothing to be shown.

// Helpers of tests are tests, to everybody but clippy.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use kab_backend::rules::Broken;
use kab_backend::system::Variant;
use serde_json::{Value, json};
use support::{Instance, Of, Subscriber};

fn object(name: &str, message: &str, when: &str) -> Value {
    json!({
        "apiVersion": "k8sasbackend.com/v1", "kind": "Todo",
        "metadata": { "name": name }, "spec": { "message": message, "when": when },
    })
}

const WHEN: &str = "2020-01-01T00:00:00Z";
const TOO_LATE: &str = "2040-01-01T00:00:00Z";

/// Asserts that kubectl is refused, in words that name `rule`.
async fn refused(instance: &Instance, args: &[&str], input: &Value, rule: Broken) {
    let output = instance.kubectl(args, input).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{args:?}");
    // The schema has words of its own for some.
    let words = match rule {
        Broken::BlankMessage => "spec.message in body should match",
        Broken::NoTime => "spec.when in body must be of type date-time",
        _ => &rule.to_string(),
    };
    assert!(said.contains(words), "{args:?}: {said}");
}

async fn taken(instance: &Instance, args: &[&str], input: &Value) -> String {
    let output = instance.kubectl(args, input).await.unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn kubectl_is_held_to_the_same_rules() {
    for (namespace, variant) in
        [("kubectl-webhook", Variant::Hardened), ("kubectl-policy", Variant::HardenedPolicy)]
    {
        let mut subscriber = Subscriber::new().await;
        let mut instance = Instance::of(namespace, Of::variant(variant)).await;
        if instance.kubectl(&["version", "--client"], &Value::Null).await.is_none() {
            return;
        }
        instance.add_informer(&subscriber.url).await;
        let instance = &instance;
        for verb in [&["create"][..], &["apply"], &["apply", "--server-side"]] {
            for (bad, rule) in [
                (object("bad", " ", WHEN), Broken::BlankMessage),
                (object("bad", "m", "tomorrow"), Broken::NoTime),
                (object("bad", "m", "2140-01-01T00:00:00Z"), Broken::OtherCentury),
            ] {
                refused(instance, verb, &bad, rule).await;
            }
        }
        assert_eq!(instance.deployed.stored().await.unwrap(), []);

        taken(instance, &["create"], &object("a", "m", WHEN)).await;
        let told = subscriber.next().await;
        assert_eq!((told.op, &told.body["change"]), (None, &json!("created")));
        let null = &Value::Null;
        let late = object("a", "m", TOO_LATE);
        refused(instance, &["replace"], &late, Broken::PutOffTooFar).await;
        refused(instance, &["apply"], &late, Broken::PutOffTooFar).await;
        let patch = format!(r#"{{"spec":{{"when":"{TOO_LATE}"}}}}"#);
        let patch = ["patch", "todo", "a", "--type=merge", "-p", &patch];
        refused(instance, &patch, null, Broken::PutOffTooFar).await;
        let json_patch = r#"[{"op":"replace","path":"/spec/message","value":" "}]"#;
        let json_patch = ["patch", "td", "a", "--type=json", "-p", json_patch];
        refused(instance, &json_patch, null, Broken::BlankMessage).await;

        taken(instance, &["replace"], &object("a", "other", WHEN)).await;
        assert_eq!(subscriber.next().await.body["change"], "updated");
        let table = taken(instance, &["get", "todos", "-o", "wide"], null).await;
        assert!(table.contains("WHEN") && table.contains("other"), "{table}");
        let field = format!("--field-selector=spec.when={WHEN}");
        let names = taken(instance, &["get", "todos", &field, "-o", "name"], null).await;
        assert_eq!(names.trim(), "todo.k8sasbackend.com/a");
        // A stale replace is a conflict.
        let mut stale = object("a", "stale", WHEN);
        stale["metadata"]["resourceVersion"] = json!("1");
        let output = instance.kubectl(&["replace"], &stale).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("Conflict"), "{said}");

        taken(instance, &["delete", "todo", "a"], null).await;
        let told = subscriber.next().await;
        assert_eq!(told.body["change"], "deleted");
        assert_ne!(told.body["todoId"], "");
    }
}
