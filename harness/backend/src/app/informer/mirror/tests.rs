//! What is news, and what is not.

use serde_json::json;

use super::*;

fn todo(name: &str, revision: u64, message: &str) -> Todo {
    serde_json::from_value(json!({
        "metadata": {
            "name": name, "uid": format!("uid-{name}"), "resourceVersion": revision.to_string(),
        },
        "spec": { "message": message },
    }))
    .unwrap()
}

/// Kind, name and revision of each.
fn short(news: &[News]) -> Vec<(ChangeKind, &str, u64)> {
    news.iter().map(|news| (news.kind, news.todo.name(), number(&news.todo))).collect()
}

use ChangeKind::{Created, Deleted, Updated};

#[test]
fn the_first_list_is_news_only_to_one_that_replays() {
    let todos = || vec![todo("a", 1, "x"), todo("b", 2, "x")];
    assert_eq!(Mirror::new(false, true).listed(5, todos()), []);
    let mut replaying = Mirror::new(true, true);
    for kind in [Created, Updated] {
        let news = replaying.listed(5, todos());
        assert_eq!(short(&news), [(kind, "a", 1), (kind, "b", 2)]);
    }
}

#[test]
fn a_list_after_a_gap_is_what_was_missed_in_order() {
    let mut mirror = Mirror::new(false, true);
    mirror.listed(5, vec![todo("a", 1, "x"), todo("b", 2, "x"), todo("c", 3, "x")]);
    let mut made_again = todo("c", 12, "x");
    made_again.metadata.uid = Some("other".into());
    let news = mirror.listed(20, vec![made_again, todo("d", 9, "x"), todo("a", 8, "y")]);
    let expected = [
        (Deleted, "b", 2),
        (Deleted, "c", 3),
        (Updated, "a", 8),
        (Created, "d", 9),
        (Created, "c", 12),
    ];
    assert_eq!(short(&news), expected);
    assert_eq!(mirror.position(), Some(20));
    // What is not newer than what was told is no news.
    assert_eq!(mirror.listed(25, mirror.known.values().cloned().collect()), []);
}

#[test]
fn a_change_of_the_status_alone_is_no_news_where_there_is_one() {
    let changed = |has_status| {
        let mut mirror = Mirror::new(false, has_status);
        mirror.told(Created, todo("a", 1, "x"));
        let mut judged = todo("a", 2, "x");
        judged.status = Some(json!({ "conditions": [] }));
        let mut noted = mirror.told(Updated, judged.clone());
        judged.metadata.resource_version = Some("3".into());
        judged.metadata.annotations = Some([("k".into(), "v".into())].into());
        noted.extend(mirror.told(Updated, judged));
        short(&noted).iter().map(|(_, _, revision)| *revision).collect::<Vec<_>>()
    };
    assert_eq!(changed(true), [3]);
    assert_eq!(changed(false), [2, 3]);
}

#[test]
fn a_removal_has_the_last_state_and_its_own_revision() {
    let mut mirror = Mirror::new(false, true);
    mirror.told(Created, todo("a", 1, "x"));
    let news = mirror.told(Deleted, todo("a", 4, "x"));
    assert_eq!(short(&news), [(Deleted, "a", 4)]);
    assert_eq!(news[0].todo.uid(), "uid-a");
    // Also of what was there before this process began.
    mirror.recall(3, None);
    assert_eq!(short(&mirror.told(Deleted, todo("b", 5, "x"))), [(Deleted, "b", 5)]);
}

/// The oracle of the resync: it must fire.
#[test]
fn what_the_watch_left_out_a_list_finds() {
    let mut mirror = Mirror::new(false, true);
    mirror.listed(5, vec![todo("a", 1, "x"), todo("b", 2, "x")]);
    let now = vec![todo("a", 7, "y"), todo("c", 8, "x")];
    // The watch may still tell: nothing is missing yet.
    assert_eq!(mirror.compare_with(10, now), []);
    assert_eq!(mirror.reached(9), []);
    let news = mirror.reached(10);
    assert_eq!(short(&news), [(Deleted, "b", 2), (Updated, "a", 7), (Created, "c", 8)]);
    // Each once.
    assert_eq!(mirror.reached(11), []);
}

/// And it must not.
#[test]
fn what_the_watch_told_in_time_a_list_does_not_tell_again() {
    let mut mirror = Mirror::new(false, true);
    mirror.listed(5, vec![todo("a", 1, "x"), todo("b", 2, "x")]);
    let now = vec![todo("a", 7, "y"), todo("c", 8, "x")];
    mirror.compare_with(10, now);
    assert_eq!(mirror.told(Updated, todo("a", 7, "y")).len(), 1);
    assert_eq!(mirror.told(Created, todo("c", 8, "x")).len(), 1);
    assert_eq!(mirror.told(Deleted, todo("b", 10, "x")).len(), 1);
    // The next one is beyond the list: now they are held against each other.
    assert_eq!(short(&mirror.told(Deleted, todo("c", 11, "x"))), [(Deleted, "c", 11)]);
    assert_eq!(mirror.reached(12), []);
    // What was there before it began it only learns.
    let mut late = Mirror::new(false, true);
    late.recall(5, None);
    assert_eq!(late.compare_with(5, vec![todo("a", 1, "x")]), []);
    assert_eq!(late.known.len(), 1);
}
