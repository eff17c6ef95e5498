//! The watch oracle, on streams with known faults.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/streams.rs"]
mod streams;

use std::collections::BTreeSet;

use kab_evidence::folder::RunFolder;
use kab_evidence::join::Joined;
use kab_evidence::watch::StreamEnd;
use kab_verdict::Nanos;
use kab_verdict::watch::{self, Guarantee, Standing};
use streams::*;

fn only(guarantee: Guarantee) -> BTreeSet<Guarantee> {
    BTreeSet::from([guarantee])
}

#[test]
fn a_correct_stream_keeps_everything_that_could_be_tested() {
    let run = Run::of(
        [10, 11, 13],
        vec![Ask(5), Event(0), Event(1), Bookmark(12), Event(2), End(StreamEnd::Ours)],
    );
    let watch = run.check();
    for guarantee in Guarantee::ALL {
        let expected = match guarantee {
            Guarantee::Atomic => Standing::NotCheckable,
            _ => Standing::Held,
        };
        assert_eq!(standing(&watch, guarantee), expected, "{guarantee:?}");
    }
    let a = &watch.account;
    assert_eq!((a.expected, a.delivered, a.lost, a.pending, a.duplicated), (3, 3, 0, 0, 0));
    assert_eq!(watch.coverage(), Some(1.0));
    assert_eq!((watch.lag.count, watch.lag.max), (3, Some(Nanos(2_000))));
    assert_eq!((watch.streams.opened, watch.streams.ended_early), (1, 0));
}

#[test]
fn a_dropped_event_is_a_gap_and_says_which() {
    let run = Run::of([10, 11, 12], vec![Ask(5), Event(0), Event(2)]);
    let watch = run.check();
    assert_eq!(broken(&watch), only(Guarantee::Reliable));
    let result = watch.guarantee(Guarantee::Reliable).unwrap();
    assert_eq!((result.broken, watch.account.lost), (1, 1));
    let first = &result.first[0];
    assert_eq!((first.rv, first.op, first.watcher, first.stream), (11, Some(op(1)), 0, 1));
    // Group, asked, opened, described, received, described; then the proof.
    assert_eq!((first.step.as_str(), first.line), ("listen", 7));
    assert_eq!(first.what, "never received, though 12 was");
}

#[test]
fn what_only_the_ledger_knows_is_missed_as_well() {
    // No stream shows change 1, so its name is not known either.
    let mut run = Run::of([10, 11, 12], vec![Ask(5), Event(0), Event(2)]);
    run.watchers.push(run.watchers[0].clone());
    let watch = run.check();
    assert_eq!(watch.account.lost, 2);
    assert_eq!(watch.guarantee(Guarantee::Reliable).unwrap().first[0].name, None);
}

#[test]
fn without_a_ledger_a_stream_cannot_be_called_reliable() {
    let mut run = Run::of([10, 11], vec![Ask(5), Event(0), Event(1)]);
    run.foreign = vec![0, 1];
    let watch = run.check();
    assert_eq!(standing(&watch, Guarantee::Reliable), Standing::NotCheckable);
    assert_eq!((watch.coverage(), watch.lag.count), (None, 0));
    // But one stream's gap shows in another.
    run.watchers.push(vec![Ask(5), Event(1)]);
    assert_eq!(broken(&run.check()), only(Guarantee::Resumable));
}

#[test]
fn an_event_missing_at_the_beginning_means_that_it_did_not_resume() {
    let items = vec![Ask(5), Event(0), End(StreamEnd::Closed), Ask(10), Event(2)];
    let watch = Run::of([10, 11, 12], items).check();
    assert_eq!(broken(&watch), only(Guarantee::Resumable));
    assert_eq!((watch.account.lost, watch.streams.reconnects), (1, 1));
    assert_eq!(watch.guarantee(Guarantee::Resumable).unwrap().first[0].stream, 2);
}

#[test]
fn an_event_at_or_below_the_resume_point_is_a_fault() {
    let items = vec![Ask(5), Event(0), Event(1), End(StreamEnd::Lost), Ask(11), Event(1), Event(2)];
    let watch = Run::of([10, 11, 12], items).check();
    assert_eq!(broken(&watch), only(Guarantee::Resumable));
    assert_eq!((watch.account.duplicated, watch.account.lost), (1, 0));
    // Also if it was from before the watcher began.
    let watch = Run::of([10, 11], vec![Ask(10), Event(0), Event(1)]).check();
    assert_eq!(broken(&watch), only(Guarantee::Resumable));
    assert_eq!((watch.account.expected, watch.account.delivered), (1, 1));
}

#[test]
fn what_a_watcher_asks_for_again_may_come_again_but_once() {
    let again = vec![Ask(5), Event(0), Event(1), End(StreamEnd::Lost), Ask(10), Event(1), Event(2)];
    let watch = Run::of([10, 11, 12], again.clone()).check();
    assert_eq!(broken(&watch), BTreeSet::new());
    assert_eq!((watch.account.duplicated, watch.account.delivered), (1, 3));
    let mut twice = again;
    twice.insert(6, Event(1));
    assert_eq!(broken(&Run::of([10, 11, 12], twice).check()), only(Guarantee::Unique));
}

#[test]
fn a_bookmark_below_what_came_before_is_a_fault_and_an_equal_one_is_not() {
    let watch = Run::of([10, 11], vec![Ask(5), Event(0), Event(1), Bookmark(11)]).check();
    assert_eq!(broken(&watch), BTreeSet::new());
    let watch = Run::of([10, 11], vec![Ask(5), Event(0), Event(1), Bookmark(10)]).check();
    assert_eq!(broken(&watch), only(Guarantee::Bookmarkable));
    let watch = Run::of([10], vec![Ask(5), Bookmark(9), Bookmark(8), Event(0)]).check();
    assert_eq!(broken(&watch), only(Guarantee::Bookmarkable));
}

#[test]
fn a_bookmark_vouches_for_what_it_covers() {
    let watch = Run::of([10, 11], vec![Ask(5), Event(0), Bookmark(11)]).check();
    assert_eq!(broken(&watch), only(Guarantee::Bookmarkable));
    assert_eq!(watch.account.lost, 1);
}

#[test]
fn a_revision_of_several_objects_must_come_in_one_piece() {
    let together = vec![Ask(5), Event(0), Event(1), Event(2)];
    let watch = Run::of([10, 10, 11], together).check();
    assert_eq!(broken(&watch), BTreeSet::new());
    assert_eq!(standing(&watch, Guarantee::Atomic), Standing::Held);
    let apart = vec![Ask(5), Event(0), Event(2), Event(1)];
    assert_eq!(broken(&Run::of([10, 10, 11], apart).check()), only(Guarantee::Atomic));
    // All of it too late is out of order, but not in pieces.
    let late = vec![Ask(5), Event(2), Event(0), Event(1)];
    assert_eq!(broken(&Run::of([10, 10, 11], late).check()), only(Guarantee::Ordered));
}

#[test]
fn a_relist_accounts_for_what_the_stream_did_not_bring() {
    // Change 2 is in the list, 1 is not: it was overwritten or deleted.
    let items = vec![
        Ask(5),
        Event(0),
        End(StreamEnd::Failed),
        List(12, vec![0, 2]),
        Ask(12),
        Event(3),
        End(StreamEnd::Ours),
    ];
    let watch = Run::of([10, 11, 12, 13], items).check();
    assert_eq!(broken(&watch), BTreeSet::new());
    let a = &watch.account;
    assert_eq!((a.expected, a.delivered, a.relisted, a.coalesced, a.lost), (4, 2, 1, 1, 0));
    let s = &watch.streams;
    assert_eq!((s.relists, s.expired, s.ended_early), (1, 1, 1));
}

#[test]
fn what_a_list_brought_must_not_come_as_an_event() {
    let items = vec![Ask(5), End(StreamEnd::Failed), List(11, vec![0, 1]), Ask(11), Event(1)];
    let watch = Run::of([10, 11], items).check();
    assert_eq!(broken(&watch), only(Guarantee::Resumable));
    assert!(watch.account.is_balanced());
    assert_eq!((watch.account.relisted, watch.account.duplicated), (2, 1));
}

#[test]
fn a_first_list_is_where_a_watcher_begins() {
    let items = vec![List(11, vec![0, 1]), Ask(11), Event(2)];
    let watch = Run::of([10, 11, 12], items).check();
    assert_eq!((watch.account.expected, watch.account.delivered), (1, 1));
    assert_eq!(watch.streams.relists, 0);
}

#[test]
fn what_is_beyond_the_end_is_cut_off_or_pending_by_who_ended_it() {
    let of = |how: Option<StreamEnd>| {
        let items = [Ask(5), Event(0)].into_iter().chain(how.map(End)).collect();
        let account = Run::of([10, 11, 12], items).check().account;
        (account.cut_off, account.pending, account.lost)
    };
    assert_eq!(of(None), (0, 2, 0));
    assert_eq!(of(Some(StreamEnd::Ours)), (0, 2, 0));
    for how in [StreamEnd::Closed, StreamEnd::Lost, StreamEnd::Reset, StreamEnd::Failed] {
        assert_eq!(of(Some(how)), (2, 0, 0));
    }
}

#[test]
fn a_watcher_to_which_nothing_ever_came_is_silent() {
    let of = |items: Vec<Item>| {
        let mut run = Run::of([10, 11, 12], vec![Ask(5), Event(0), Event(1), Event(2)]);
        run.watchers.push(items);
        let watch = run.check();
        assert!(watch.account.is_balanced());
        assert_eq!(broken(&watch), BTreeSet::new());
        let a = &watch.account;
        (a.silent, a.pending, a.cut_off, watch.streams.silent_watchers)
    };
    assert_eq!(of(vec![Ask(5)]), (3, 0, 0, 1));
    assert_eq!(of(vec![Ask(5), End(StreamEnd::Ours)]), (3, 0, 0, 1));
    assert_eq!(of(vec![Ask(5), End(StreamEnd::Closed), Ask(5)]), (3, 0, 0, 1));
    // A list before the first stream did not come on a stream.
    assert_eq!(of(vec![List(10, vec![0]), Ask(10)]), (2, 0, 0, 1));
}

#[test]
fn a_watcher_that_heard_something_or_had_nothing_due_is_not_silent() {
    let of = |items: Vec<Item>| {
        let mut run = Run::of([10, 11, 12], vec![Ask(5), Event(0), Event(1), Event(2)]);
        run.watchers.push(items);
        let watch = run.check();
        let a = &watch.account;
        (a.silent, a.pending, a.cut_off, watch.streams.silent_watchers)
    };
    assert_eq!(of(vec![Ask(5), Event(0)]), (0, 2, 0, 0));
    assert_eq!(of(vec![Ask(5), Bookmark(9)]), (0, 3, 0, 0));
    assert_eq!(of(vec![Ask(12)]), (0, 0, 0, 0));
    assert_eq!(of(vec![Ask(5), End(StreamEnd::Closed)]), (0, 0, 3, 0));
    assert_eq!(of(vec![Ask(5), End(StreamEnd::Lost), List(11, vec![0, 1])]), (0, 0, 1, 0));
}

#[test]
fn a_watcher_that_goes_on_further_ahead_has_cut_itself_off() {
    let items = vec![Ask(5), Event(0), End(StreamEnd::Lost), Ask(11), Event(2)];
    let watch = Run::of([10, 11, 12], items).check();
    assert_eq!(broken(&watch), BTreeSet::new());
    assert_eq!((watch.account.cut_off, watch.account.delivered), (1, 2));
}

#[test]
fn a_write_without_revision_that_no_stream_shows_is_not_covered() {
    let mut run = Run::of([10, 11, 12], vec![Ask(5), Event(0), Event(2)]);
    run.unknown = vec![0, 1];
    let watch = run.check();
    // Change 0 is found by its operation; of 1 nothing can be said.
    assert_eq!((watch.acknowledged, watch.unplaced, watch.lag.count), (3, 1, 2));
    assert_eq!(watch.coverage(), Some(2.0 / 3.0));
}

#[test]
fn a_cell_without_watch_files_has_no_watchers() {
    let dir = tempfile::tempdir().unwrap();
    let cell = RunFolder::create(dir.path()).unwrap().cell("naive");
    assert_eq!(watch::read(&cell, &Joined::default()).unwrap(), None);
}

mod property {
    use proptest::prelude::*;

    use super::*;

    /// A correct watcher of `revisions` from `after` on: what follows each
    /// event is drawn from `between`.
    fn correct(revisions: &[u64], after: u64, between: &[u8]) -> Vec<Item> {
        let mut items = vec![Ask(after)];
        let mut reached = after;
        let first = revisions.partition_point(|rv| *rv <= after);
        for (n, rv) in revisions.iter().enumerate().skip(first) {
            items.push(Event(n));
            reached = reached.max(*rv);
            let last_of_it = revisions.get(n + 1) != Some(rv);
            match between.get(n).copied().unwrap_or(0) {
                1 if last_of_it => items.push(Bookmark(reached)),
                2 if last_of_it => items.extend([End(StreamEnd::Closed), Ask(reached)]),
                3 if last_of_it => {
                    // Up to just before the next.
                    reached = revisions.get(n + 1).map_or(reached + 1, |next| next - 1);
                    items.extend([Bookmark(reached), End(StreamEnd::Lost), Ask(reached)]);
                }
                _ => {}
            }
        }
        items
    }

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Fault {
        Drop,
        Duplicate,
        Swap,
        DelayPastBookmark,
        BelowResumePoint,
        Split,
    }

    /// Where the stream that item `p` is of ends.
    fn end_of_stream(items: &[Item], p: usize) -> usize {
        let end = items[p..].iter().position(|item| matches!(item, End(_)));
        end.map_or(items.len(), |n| p + n)
    }

    /// Plants `fault` at or after item `from`; what it must break.
    fn plant(
        run: &Run,
        items: &mut Vec<Item>,
        fault: Fault,
        from: usize,
        gap: usize,
    ) -> Option<Guarantee> {
        let rv = |item: &Item| match item {
            Event(n) => run.history[*n].rv,
            _ => 0,
        };
        let alone =
            |item: &Item| run.history.iter().filter(|change| change.rv == rv(item)).count() == 1;
        let places: Vec<usize> = (from..items.len()).chain(0..from).collect();
        for p in places {
            let next = items.get(p + 1).cloned();
            match (fault, &items[p], next) {
                (Fault::Drop, Event(_), Some(next @ (Event(_) | Bookmark(_))))
                    if alone(&items[p]) =>
                {
                    let first = matches!(items[p - 1], Ask(_));
                    items.remove(p);
                    return Some(match next {
                        Bookmark(_) => Guarantee::Bookmarkable,
                        _ if first => Guarantee::Resumable,
                        _ => Guarantee::Reliable,
                    });
                }
                (Fault::Duplicate, Event(n), _) => {
                    let again = (p + 1 + gap).min(end_of_stream(items, p));
                    items.insert(again, Event(*n));
                    return Some(Guarantee::Unique);
                }
                (Fault::Swap, event @ Event(_), Some(next @ Event(_)))
                    if alone(event) && alone(&next) =>
                {
                    items.swap(p, p + 1);
                    return Some(Guarantee::Ordered);
                }
                (Fault::DelayPastBookmark, Event(_), _) if alone(&items[p]) => {
                    let end = end_of_stream(items, p);
                    let bookmark = (p..end).find(|q| matches!(items[*q], Bookmark(_)));
                    let Some(bookmark) = bookmark else { continue };
                    let event = items.remove(p);
                    items.insert(bookmark, event);
                    return Some(Guarantee::Bookmarkable);
                }
                (Fault::BelowResumePoint, Ask(after), _) => {
                    let below = run.history.iter().rposition(|change| change.rv <= *after);
                    let Some(below) = below else { continue };
                    items.insert(p + 1, Event(below));
                    return Some(Guarantee::Resumable);
                }
                (Fault::Split, one @ Event(_), Some(other @ Event(_))) if rv(one) == rv(&other) => {
                    // Two of one revision, and then another revision.
                    let after = items.get(p + 2)?.clone();
                    if !matches!(after, Event(_)) || rv(&after) == rv(one) {
                        continue;
                    }
                    items.swap(p + 1, p + 2);
                    return Some(Guarantee::Atomic);
                }
                _ => {}
            }
        }
        None
    }

    fn runs() -> impl Strategy<Value = (Run, usize, usize)> {
        let steps = prop::collection::vec((0u64..3, 0u8..5), 4..40);
        (steps, 0usize..3, 0usize..200, 0usize..6).prop_map(|(steps, skip, from, gap)| {
            let mut rv = 10;
            let mut revisions = Vec::new();
            for (step, _) in &steps {
                // Twice the same revision at most.
                let twice = revisions.len() > 1 && revisions[revisions.len() - 2] == rv;
                rv += if twice { (*step).max(1) } else { *step };
                revisions.push(rv);
            }
            let between: Vec<u8> = steps.iter().map(|(_, b)| *b).collect();
            let after = revisions[skip.min(revisions.len() - 1)];
            let watcher = correct(&revisions, after, &between);
            let from = from % watcher.len();
            (Run::of(revisions, watcher), from, gap)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn a_correct_watcher_breaks_nothing((run, _, _) in runs()) {
            let watch = run.check();
            prop_assert_eq!(broken(&watch), BTreeSet::new());
            prop_assert!(watch.account.is_balanced());
            prop_assert_eq!(watch.account.delivered, watch.account.expected);
        }

        #[test]
        fn each_fault_breaks_its_guarantee_and_no_other(
            (mut run, from, gap) in runs(),
            fault in prop::sample::select(vec![
                Fault::Drop, Fault::Duplicate, Fault::Swap,
                Fault::DelayPastBookmark, Fault::BelowResumePoint, Fault::Split,
            ]),
        ) {
            let mut items = run.watchers[0].clone();
            let planted = plant(&run, &mut items, fault, from, gap);
            prop_assume!(planted.is_some());
            // A second watcher sees everything, and is not blamed.
            run.watchers.insert(0, items);
            let watch = run.check();
            let guarantee = planted.unwrap();
            prop_assert_eq!(broken(&watch), only(guarantee), "{:?}", run.watchers[0]);
            let result = watch.guarantee(guarantee).unwrap();
            prop_assert_eq!(result.broken, 1);
            prop_assert_eq!(result.first[0].watcher, 0);
            prop_assert!(watch.account.is_balanced());
            prop_assert_eq!(watch.account.lost, u64::from(fault == Fault::Drop));
        }
    }
}
