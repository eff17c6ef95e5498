#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use kab_load::Action;
use serde_json::{Value, json};

use super::*;

fn load(fields: Value) -> model::Load {
    serde_json::from_value(fields).unwrap()
}

fn open(arrivals: Value) -> Schedule {
    match super::arrivals("write", 7, &load(json!({ "arrivals": arrivals })).arrivals).unwrap() {
        Arrivals::Open(schedule) => schedule,
        closed @ Arrivals::Closed { .. } => panic!("{closed:?}"),
    }
}

/// The plan says beforehand how many operations there will be, and the
/// schedule has as many; of Poisson arrivals within five standard deviations.
#[test]
fn the_schedule_has_what_the_plan_says() {
    for arrivals in [
        json!({ "constant": { "rate": "0.1/s", "duration": "30s" } }),
        json!({ "ramp": { "from": "0/s", "to": "7/s", "duration": "11s" } }),
        json!({ "steps": [{ "rate": "3/s", "duration": "500ms" }, { "rate": "0/s", "duration": "1s" }] }),
        json!({ "burst": { "size": 5, "every": "300ms", "duration": "1s" } }),
        json!({ "pulse": { "rate": "7/s", "on": "1s", "off": "2s", "duration": "10s" } }),
        json!({ "replay": { "series": [{ "at": "0s", "rate": "2/s" }, { "at": "3s", "rate": "5/s" }],
            "duration": "5s" } }),
        json!({ "replay": { "series": [{ "at": "0s", "rate": "2/s" }, { "at": "3s", "rate": "5/s" }],
            "between": "line", "duration": "5s" } }),
    ] {
        let planned = load(json!({ "arrivals": arrivals })).operations();
        let schedule = open(arrivals.clone());
        assert_eq!(schedule.count(), planned, "{arrivals}");
        assert!(planned > 1, "{arrivals}");
    }
    let arrivals = json!({ "poisson": { "rate": "100/s", "duration": "100s" } });
    let planned = load(json!({ "arrivals": arrivals })).operations();
    assert_eq!(planned, 10_000);
    assert!(open(arrivals).count().abs_diff(planned) < 500);
}

#[test]
fn a_closed_loop_is_no_schedule() {
    let arrivals = json!({ "closed": { "clients": 3, "until": { "operations": 5 },
        "think": { "exponential": { "mean": "10ms" } } } });
    let load = load(json!({ "arrivals": arrivals }));
    let Arrivals::Closed { closed, .. } = super::arrivals("write", 7, &load.arrivals).unwrap()
    else {
        panic!("open")
    };
    assert_eq!(closed.until, Until::Operations(5));
    assert_eq!(closed.think, ThinkTime::Exponential { mean: Duration::from_millis(10) });
}

#[test]
fn the_short_form_creates_at_a_constant_rate() {
    let load = load(json!({ "rate": "40/s", "duration": "20s" }));
    let Arrivals::Open(schedule) = super::arrivals("write", 7, &load.arrivals).unwrap() else {
        panic!("closed")
    };
    assert_eq!(schedule, Schedule::constant(40.0, Duration::from_secs(20)).unwrap());
    let mix = mix("write", 7, &load.traffic, 0).unwrap();
    assert!((0..100).all(|i| mix.action(i) == Action::Create));
    let ever = Todos::new("write", 7, 256).unwrap();
    assert_eq!(todos("write", 7, &load.traffic.payload).unwrap().todo(5), ever.todo(5));
    assert_eq!(deadlines(&load.traffic), Deadlines::all(Duration::from_secs(10)));
    assert_eq!(identities(&load.traffic), Identities::ONE);
}

#[test]
fn everything_else_reaches_the_generator() {
    let load = load(json!({
        "rate": "40/s", "duration": "20s", "via": "apiserver", "identities": 3,
        "mix": { "get": 3, "delete": 0 }, "keys": { "of": "fill", "pick": "sequential" },
        "deadlines": { "get": "1s" }, "payload": { "size": { "uniform": { "from": "1B", "to": "9B" } } },
    }));
    let mix = mix("write", 7, &load.traffic, 10).unwrap();
    assert_eq!(mix.action(13), Action::Get(3));
    assert_eq!(identities(&load.traffic).identity(5), 2);
    assert_eq!(deadlines(&load.traffic).of(OpKind::Get), Duration::from_secs(1));
    assert_eq!(deadlines(&load.traffic).of(OpKind::List), Duration::from_secs(10));
}

#[test]
fn what_the_file_cannot_say_is_refused_here_too() {
    let keyless = load(json!({ "rate": "1/s", "duration": "1s", "mix": { "get": 1 } }));
    assert!(matches!(mix("write", 7, &keyless.traffic, 5), Err(BadLoad::NoKeys { .. })));
    let empty =
        json!({ "rate": "1/s", "duration": "1s", "mix": { "get": 1 }, "keys": { "of": "x" } });
    assert!(matches!(mix("write", 7, &load(empty).traffic, 0), Err(BadLoad::Zero { .. })));
}
