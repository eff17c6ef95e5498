//! What watch streams received, by name: `watch.lost`, `watch.ordered`.

use super::{Paths, Place, summary};
use crate::value::Value;
use crate::watch::{Account, Guarantee, Standing, Streams, Watch};

/// Everything below `watch`, with or without values.
pub(super) fn put(paths: &mut Paths, watch: Option<&Watch>) {
    let mut at = Place { prefix: "watch".to_owned(), paths };
    account(&mut at, watch.map(|watch| &watch.account));
    streams(&mut at, watch.map(|watch| &watch.streams));
    for guarantee in Guarantee::ALL {
        let result = watch.and_then(|watch| watch.guarantee(guarantee));
        let kept = result.and_then(|result| match result.standing {
            Standing::Held => Some(true),
            Standing::Broken => Some(false),
            Standing::NotCheckable => None,
        });
        at.put(guarantee.name(), kept.map(Value::Flag));
    }
    // Where nothing was put to the test, none could be broken.
    let tried = watch.filter(|watch| {
        watch.guarantees.iter().any(|result| result.standing != Standing::NotCheckable)
            && watch.account.expected > 0
    });
    let broken = tried.map(|watch| watch.guarantees.iter().map(|result| result.broken).sum());
    at.count("violations", broken);
    at.put("coverage", watch.and_then(Watch::coverage).map(Value::Ratio));
    at.group("lag", watch.map(|watch| &watch.lag), summary);
}

fn account(at: &mut Place<'_>, of: Option<&Account>) {
    at.count("expected", of.map(|a| a.expected));
    // Where nothing was due, no count of it says anything.
    let of = of.filter(|a| a.expected > 0);
    at.count("delivered", of.map(|a| a.delivered));
    at.count("relisted", of.map(|a| a.relisted));
    at.count("coalesced", of.map(|a| a.coalesced));
    at.count("cutOff", of.map(|a| a.cut_off));
    at.count("pending", of.map(|a| a.pending));
    at.count("silent", of.map(|a| a.silent));
    at.count("lost", of.map(|a| a.lost));
    at.count("duplicated", of.map(|a| a.duplicated));
}

fn streams(at: &mut Place<'_>, of: Option<&Streams>) {
    at.count("watchers", of.map(|s| s.watchers));
    at.count("openedWatchers", of.map(|s| s.opened_watchers));
    at.count("silentWatchers", of.map(|s| s.silent_watchers));
    at.count("opened", of.map(|s| s.opened));
    at.count("reconnects", of.map(|s| s.reconnects));
    at.count("relists", of.map(|s| s.relists));
    at.count("failedLists", of.map(|s| s.failed_lists));
    at.count("expired", of.map(|s| s.expired));
    at.count("bookmarks", of.map(|s| s.bookmarks));
    at.count("endedEarly", of.map(|s| s.ended_early));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kab_scenario::measure::{Kind, WATCH};

    use super::*;

    fn names(kind: Kind, at: &str, into: &mut BTreeSet<String>) {
        match kind {
            Kind::Group(fields) => {
                fields.iter().for_each(|(name, kind)| names(*kind, &format!("{at}.{name}"), into));
            }
            _ => {
                into.insert(at.to_owned());
            }
        }
    }

    #[test]
    fn a_scenario_may_name_exactly_what_is_measured_of_watches() {
        let mut allowed = BTreeSet::new();
        names(WATCH, "watch", &mut allowed);
        let mut paths = Paths::default();
        put(&mut paths, None);
        let measured: BTreeSet<String> = paths.iter().map(|(path, _)| path.to_owned()).collect();
        assert_eq!(allowed, measured);
        assert!(paths.iter().all(|(_, value)| value.is_none()));
    }

    #[test]
    fn nothing_due_is_no_zero_lost() {
        let mut paths = Paths::default();
        put(&mut paths, Some(&Watch::default()));
        assert_eq!(paths.get("watch.lost"), None);
        assert_eq!(paths.get("watch.expected"), Some(Value::Count(0)));
        assert_eq!(paths.get("watch.ordered"), None);
    }
}
