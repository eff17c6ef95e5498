//! Response times, each between what the server's script makes of it and that
//! plus what reading the answer may take.

use std::time::Duration;

use kab_verdict::Nanos;
use kab_verdict::distribution::{Sorted, Summary};
use kab_verdict::value::grouped;

use super::{Asked, Case, LATENESS_LIMIT, signed, text, text_or_none};
use crate::observed::Observed;

/// What an operation that nothing holds up may take: it is sent in time
/// (property `lateness`), and its way to the server and back takes no longer.
pub(super) const SLACK: Duration = LATENESS_LIMIT.saturating_mul(2);

/// From here on a response counts as late.
pub(super) const LATE: Duration = Duration::from_millis(10);

/// One of so many may take longer: a machine that is not real-time hiccups.
const OUTLIERS: u64 = 100;

/// The shortest and the longest that the response time of an operation may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub least: Duration,
    pub most: Duration,
}

/// Holds every response time, and what the report says of them all, against
/// `bounds`, which go by how long after the start an operation was due.
pub(super) fn hold(
    case: &mut Case,
    asked: &Asked,
    observed: &Observed,
    bounds: impl Fn(Duration) -> Bounds,
) {
    let (mut compared, mut hastened, mut overdue) = (0_u64, 0_u64, 0_u64);
    for record in &observed.ledger {
        let Some(done) = record.done else { continue };
        compared += 1;
        let bounds = bounds(record.intended.since(asked.start));
        let response = done.signed_since(record.intended);
        hastened += u64::from(response < signed(bounds.least));
        overdue += u64::from(response > signed(bounds.most));
    }
    let all = asked.due.len() as u64;
    case.wrong(compared < all || all == 0, || {
        format!("{} of {} have a response time", grouped(compared), grouped(all))
    });
    case.wrong(hastened > 0, || {
        format!("{} are reported faster than the server was", grouped(hastened))
    });
    case.late(overdue * OUTLIERS > all, || {
        format!("{} took longer than the server explains", grouped(overdue))
    });

    let due = || asked.due.iter().map(|due| bounds(due.since(asked.start)));
    let least: Vec<_> = due().map(|bounds| signed(bounds.least)).collect();
    let most: Vec<_> = due().map(|bounds| signed(bounds.most)).collect();
    let late_least = least.iter().filter(|nanos| **nanos > signed(LATE)).count() as u64;
    let late_most = most.iter().filter(|nanos| **nanos > signed(LATE)).count() as u64;
    let late = late(observed);
    case.wrong(late < late_least, || {
        format!("{} are late, though {} must be", grouped(late), grouped(late_least))
    });
    case.late(late > late_most + all / OUTLIERS, || {
        format!("{} are late, though {} can be", grouped(late), grouped(late_most))
    });
    let (least, most) = (Sorted::from(least).summary(), Sorted::from(most).summary());
    distribution(case, &observed.measured.response.all, &least, &most);
    case.truth = format!(
        "{} responses over {}; p50 {}, p90 {}, p99 {}",
        grouped(late_least),
        text(LATE),
        text_or_none(least.p50),
        text_or_none(least.p90),
        text_or_none(least.p99)
    );
    case.observed =
        format!("{} late; {}", grouped(late), percentiles(&observed.measured.response.all));
}

/// Holds the percentiles of a report against those of the shortest and of the
/// longest times that there can be.
pub(super) fn distribution(case: &mut Case, is: &Summary, least: &Summary, most: &Summary) {
    let of = |name: &'static str, get: fn(&Summary) -> Option<Nanos>| {
        (name, get(is), get(least), get(most))
    };
    for (name, is, least, most) in
        [of("p50", |s| s.p50), of("p90", |s| s.p90), of("p99", |s| s.p99)]
    {
        let says = || format!("the report's {name} is {}", text_or_none(is));
        case.wrong(is < least, || format!("{}, below {}", says(), text_or_none(least)));
        case.late(is > most, || format!("{}, above {}", says(), text_or_none(most)));
    }
    case.wrong(is.p99.is_none(), || "there are too few operations for a p99".to_owned());
}

/// How many responses of the ledger are late.
pub(super) fn late(observed: &Observed) -> u64 {
    let late = u64::try_from(LATE.as_nanos()).unwrap_or(u64::MAX);
    let of = |record: &&kab_evidence::ledger::OpRecord| {
        record.response_nanos().is_some_and(|nanos| nanos > late)
    };
    observed.ledger.iter().filter(of).count() as u64
}

/// The percentiles of a report, in words.
pub(super) fn percentiles(of: &Summary) -> String {
    format!(
        "p50 {}, p90 {}, p99 {}",
        text_or_none(of.p50),
        text_or_none(of.p90),
        text_or_none(of.p99)
    )
}
