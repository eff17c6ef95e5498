//! The business's rules, as each means enforces them: the schema, the webhook,
//! the policy, and [`judge`], on the same cases, through a real apiserver.

// Helpers of tests are tests, to everybody but clippy.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use kab_backend::defect::Defect;
use kab_backend::entity::Todo;
use kab_backend::rules::{Broken, Content, LONGEST_MESSAGE, judge};
use kab_backend::system::Variant;
use kube::api::PostParams;
use serde_json::{Value, json};
use support::{Instance, Of};

/// A Todo, and what it becomes of.
struct Case {
    message: String,
    when: &'static str,
    old: Option<(&'static str, &'static str)>,
}

const GOOD: &str = "2030-03-06T23:52:48Z";

fn cases() -> Vec<Case> {
    let case = |message: &str, when, old| Case { message: message.to_owned(), when, old };
    let mut cases = vec![
        case("milk", GOOD, None),
        case("milk", "2000-01-01T00:00:00Z", None),
        case("milk", "2099-12-31T23:59:59.999999999Z", None),
        case("milk", "1999-12-31T23:59:59Z", None),
        case("milk", "2100-01-01T00:00:00Z", None),
        // In UTC these are in the other century.
        case("milk", "2100-01-01T00:30:00+01:00", None),
        case("milk", "2000-01-01T00:30:00+01:00", None),
        case("milk", "tomorrow", None),
        case("milk", "", None),
        case("milk", "2030-03-06", None),
        case("milk", "2030-03-06 23:52:48Z", None),
        case("milk", "2030-03-06t23:52:48z", None),
        case("milk", "2030-03-06T23:52:48", None),
        case("milk", "2030-02-30T00:00:00Z", None),
        case("milk", "2030-03-06T23:52:60Z", None),
        case("milk", "2030-03-06T24:00:00Z", None),
        case("milk", "2030-03-06T23:52:48.5+23:59", None),
        case("milk", "2030-03-06T23:52:48+24:00", None),
        case("milk", "0000-01-01T00:00:00Z", None),
        case("", GOOD, None),
        case(" \t\n\r\u{b}\u{c}", GOOD, None),
        case(
            "\u{85}\u{a0}\u{1680}\u{2000}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}",
            GOOD,
            None,
        ),
        // No white space, though nothing is seen of it.
        case("\u{200b}", GOOD, None),
        case("\u{3000}ä", GOOD, None),
        case(" \n", "never", None),
        // Exactly as long as may be, and a character more. Characters, not bytes.
        case(&"x".repeat(LONGEST_MESSAGE), GOOD, None),
        case(&"ä".repeat(LONGEST_MESSAGE), GOOD, None),
        case(&"x".repeat(LONGEST_MESSAGE + 1), GOOD, None),
        case(&" ".repeat(LONGEST_MESSAGE), GOOD, None),
    ];
    for when in [
        "2029-12-29T00:00:00Z",
        "2029-12-29T01:00:00+01:00",
        "2029-12-29T00:00:00.000000001Z",
        "2029-12-30T00:00:00Z",
        "2001-01-01T00:00:00Z",
        "2100-01-01T00:00:00Z",
        "no time",
    ] {
        // 3650 days later it is the 29th of December.
        cases.push(case("later", when, Some(("milk", "2020-01-01T00:00:00Z"))));
    }
    cases.push(case(" ", GOOD, Some(("milk", GOOD))));
    cases
}

/// Whether the apiserver takes it. Nothing of a new Todo is stored.
async fn takes(instance: &Instance, name: &str, spec: Value, old: Option<Value>) -> bool {
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let todos = instance.todos();
    let mut todo = Todo::default();
    todo.metadata.name = Some(name.to_owned());
    let answer = match old {
        None => {
            todo.spec = spec;
            todos.create(&dry_run, &todo).await
        }
        Some(old) => {
            todo.spec = old;
            let mut todo = todos.create(&PostParams::default(), &todo).await.unwrap();
            todo.spec = spec;
            todos.replace(name, &dry_run, &todo).await
        }
    };
    match answer {
        Ok(_) => true,
        Err(kube::Error::Api(status)) => {
            let refusals = [400, 403, 422];
            assert!(refusals.contains(&status.code), "{name}: {status:?}");
            false
        }
        Err(e) => panic!("{name}: {e}"),
    }
}

fn spec(message: &str, when: &str) -> Value {
    json!({ "message": message, "when": when })
}

/// Holds a system against [`judge`]; `knows` says which rules it knows.
async fn hold(namespace: &str, system: Of, knows: impl Fn(Broken) -> bool) {
    let instance = Instance::of(namespace, system).await;
    for (number, case) in cases().into_iter().enumerate() {
        let new = Content { message: &case.message, when: case.when };
        let old = case.old.map(|(message, when)| Content { message, when });
        let broken: Vec<_> = judge(new, old).into_iter().filter(|rule| knows(*rule)).collect();
        let name = format!("case-{number}");
        let old = case.old.map(|(message, when)| spec(message, when));
        let taken = takes(&instance, &name, spec(new.message, new.when), old).await;
        let start: String = new.message.chars().take(9).collect();
        assert_eq!(taken, broken.is_empty(), "{start:?} {} breaks {broken:?}", case.when);
    }
    // What is no Todo at all, nobody takes.
    for (number, odd) in [
        json!(null),
        json!({}),
        json!({ "message": "m" }),
        json!({ "when": GOOD }),
        json!({ "message": 1, "when": GOOD }),
        json!({ "message": "m", "when": [GOOD] }),
        json!({ "message": "m", "when": 5 }),
    ]
    .into_iter()
    .enumerate()
    {
        let taken = takes(&instance, &format!("odd-{number}"), odd.clone(), None).await;
        assert!(!taken, "{odd}");
    }
}

/// The table fires: it has cases that break each rule, and some that break none.
#[test]
fn the_cases_break_every_rule_and_none() {
    let mut broken = Vec::new();
    for case in cases() {
        let old = case.old.map(|(message, when)| Content { message, when });
        let found = judge(Content { message: &case.message, when: case.when }, old);
        broken.push(found);
    }
    assert!(broken.iter().any(Vec::is_empty));
    for rule in [
        Broken::BlankMessage,
        Broken::LongMessage,
        Broken::NoTime,
        Broken::OtherCentury,
        Broken::PutOffTooFar,
    ] {
        assert!(broken.iter().any(|broken| broken == &[rule]), "{rule:?}");
    }
}

#[tokio::test]
async fn the_schema_knows_every_rule_about_one_state() {
    let schema_alone = Of::variant(Variant::Hardened).with(Defect::AlwaysValid, true);
    hold("rules-schema", schema_alone, |rule| rule != Broken::PutOffTooFar).await;
}

#[tokio::test]
async fn the_webhook_knows_every_rule() {
    let webhook_alone = Of::variant(Variant::Hardened).with(Defect::NoSchema, true);
    hold("rules-webhook", webhook_alone, |_| true).await;
}

#[tokio::test]
async fn the_policy_knows_every_rule() {
    let policy_alone = Of::variant(Variant::HardenedPolicy).with(Defect::NoSchema, true);
    hold("rules-policy", policy_alone, |_| true).await;
}

#[tokio::test]
async fn together_they_know_every_rule() {
    hold("rules-hardened", Of::variant(Variant::Hardened), |_| true).await;
    hold("rules-hardened-policy", Of::variant(Variant::HardenedPolicy), |_| true).await;
}

/// A refusal says which rule is broken, in the same words everywhere.
#[tokio::test]
async fn a_refusal_names_the_rule() {
    for (namespace, variant) in
        [("says-webhook", Variant::Hardened), ("says-policy", Variant::HardenedPolicy)]
    {
        let instance = Instance::of(namespace, Of::variant(variant)).await;
        let todos = instance.todos();
        let mut todo = Todo::default();
        todo.metadata.name = Some("a".into());
        todo.spec = spec("m", "2020-01-01T00:00:00Z");
        let mut todo = todos.create(&PostParams::default(), &todo).await.unwrap();
        for (when, said) in [
            ("2040-01-01T00:00:00Z", Broken::PutOffTooFar.to_string()),
            ("2140-01-01T00:00:00Z", format!("{}, not after", Broken::OtherCentury)),
        ] {
            todo.spec = spec("m", when);
            let refused = todos.replace("a", &PostParams::default(), &todo).await.unwrap_err();
            assert!(refused.to_string().contains(&said), "{refused}");
        }
    }
}
