use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use kab_evidence::join::Receipts;
use kab_evidence::ledger::OpKind;
use proptest::prelude::*;

use super::*;

fn at(nanos: u64) -> Mono {
    Mono::from_nanos(nanos)
}

fn trace(n: u64, outcome: Outcome) -> Trace {
    Trace {
        op: OpId::new(1, n),
        step: 0,
        kind: OpKind::Create,
        outcome,
        class: 0,
        intended: at(50),
        sent: Some(at(100)),
        done: Some(at(900)),
        gateway: None,
        validate: None,
        webhook: None,
        seen: None,
        revision: None,
        receipts: Receipts::default(),
    }
}

fn span(trace: u32, (id, parent): (u64, u64), layer: Layer, from: u64, to: u64) -> ServerSpan {
    ServerSpan { trace, id, parent, layer, interval: Interval { start: at(from), end: at(to) } }
}

/// A write's request as the apiserver traces it.
fn request(trace: u32, from: u64) -> Vec<ServerSpan> {
    let at = |ids, layer, start, end| span(trace, ids, layer, from + start, from + end);
    vec![
        at((2, 1), Layer::Filter, 10, 20),
        at((4, 3), Layer::Webhook, 50, 150),
        at((7, 4), Layer::Webhook, 60, 140),
        at((6, 5), Layer::Etcd, 180, 280),
        at((5, 3), Layer::Storage, 170, 300),
        at((8, 3), Layer::Answer, 310, 350),
        at((3, 1), Layer::Handler, 30, 360),
        at((9, 1), Layer::Other, 365, 370),
        at((1, 77), Layer::Request, 0, 400),
    ]
}

fn means(inner: &Inner) -> Vec<i64> {
    inner.segments.iter().map(|segment| segment.mean.unwrap().0).collect()
}

#[test]
fn each_part_has_what_no_part_inside_it_has() {
    let traces = vec![trace(0, Outcome::Ok)];
    let joined = Joined { traces, server: request(0, 100), ..Joined::default() };
    let inner = inner(&joined, 0).unwrap();
    assert_eq!((inner.count, inner.coverage, inner.outside), (1, 1.0, 0));
    // 400 less handler and other; 330 less webhook, storage and answer; ...
    assert_eq!(means(&inner), [65, 60, 100, 30, 100, 40, 5]);
    assert_eq!(inner.whole.mean.unwrap().0, means(&inner).iter().sum::<i64>());
}

#[test]
fn writes_without_a_request_lower_the_coverage_and_failed_ones_do_not_count() {
    let outcomes = [Outcome::Ok, Outcome::Ok, Outcome::Failed, Outcome::Ok];
    let traces = (0..4u64).zip(outcomes).map(|(n, outcome)| trace(n, outcome)).collect();
    let mut server = request(0, 100);
    // Its request's own span is missing.
    server.extend(request(1, 100).into_iter().filter(|span| span.layer != Layer::Request));
    server.extend(request(2, 100));
    let joined = Joined { traces, server, ..Joined::default() };
    let inner = inner(&joined, 0).unwrap();
    assert_eq!((inner.count, (inner.coverage * 3.0).round()), (1, 1.0));
}

#[test]
fn a_request_before_its_sending_or_after_its_end_is_a_contradiction() {
    for (from, outside) in [(100, 0), (900, 0), (99, 1), (901, 1)] {
        let traces = vec![trace(0, Outcome::Ok)];
        let joined = Joined { traces, server: request(0, from), ..Joined::default() };
        assert_eq!(inner(&joined, 0).unwrap().outside, outside, "{from}");
    }
}

#[test]
fn without_tracing_there_is_nothing_and_with_it_at_least_a_coverage() {
    let traces = vec![trace(0, Outcome::Ok)];
    let joined = Joined { traces: traces.clone(), ..Joined::default() };
    assert_eq!(inner(&joined, 0), None);
    let joined = Joined { traces, other_server_spans: 5, ..Joined::default() };
    let found = inner(&joined, 0).unwrap();
    assert_eq!((found.count, found.coverage), (0, 0.0));
    assert_eq!(inner(&joined, 1), None);
}

proptest! {
    #[test]
    fn what_a_span_has_for_itself_is_never_negative_nor_more_than_its_length(
        spans in prop::collection::vec((0..6u64, 0..6u64, 0..100u64, 0..100u64), 1..8)
    ) {
        let spans: Vec<_> = spans
            .into_iter()
            .map(|(id, parent, from, to)| {
                span(0, (id, parent), Layer::Other, from.min(to), from.max(to))
            })
            .collect();
        for span in &spans {
            let own = own_time(span, &spans);
            prop_assert!(own >= 0 && own <= length(span.interval), "{own}");
        }
    }
}
