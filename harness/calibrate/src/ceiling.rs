//! The machine's ceiling: the highest rate at which lateness and achieved rate
//! hold, by doubling and then bisection.

use std::time::Duration;

use kab_evidence::calibration::{Ceiling, Status};
use kab_lab::progress::Progress;

use crate::check::{self, Asked};
use crate::engine::Transport;
use crate::observed::Observed;
use crate::suite::{pace, whole};
use crate::trial::{CalibrateError, Court};

/// Over what: as an apiserver is reached.
const TRANSPORT: Transport = Transport::Http2;

/// The lowest rate that is tried, in operations a second.
const LOWEST: f64 = 1000.0;

/// The highest.
const HIGHEST: f64 = 1_024_000.0;

/// Bisections between the last that was kept and the first that was not: to an
/// eighth of the lower one.
const BISECTIONS: u32 = 3;

/// A rate counts as not kept if it was not kept so often: others use the
/// machine too.
const TRIES: u32 = 2;

/// Searches, each trial taking `lasts`.
pub(crate) async fn search(
    court: &Court,
    lasts: Duration,
    progress: &dyn Progress,
) -> Result<Option<Ceiling>, CalibrateError> {
    let (mut kept, mut not_kept) = (None, None);
    let mut rate = LOWEST;
    let mut bisections = 0;
    while rate <= HIGHEST && bisections <= BISECTIONS {
        match attempt(court, rate, lasts, progress).await? {
            Some(per_core_second) => kept = Some((rate, per_core_second)),
            None => not_kept = Some(rate),
        }
        rate = match (kept, not_kept) {
            (None, _) => break,
            (Some((kept, _)), None) => kept * 2.0,
            (Some((kept, _)), Some(not_kept)) => {
                bisections += 1;
                f64::midpoint(kept, not_kept)
            }
        };
    }
    Ok(kept.map(|(per_second, per_core_second)| Ceiling {
        per_second,
        not_kept,
        per_core_second,
        transport: TRANSPORT.name().to_owned(),
    }))
}

/// Operations for each second of kab's CPU time if `rate` was kept; else none.
async fn attempt(
    court: &Court,
    rate: f64,
    lasts: Duration,
    progress: &dyn Progress,
) -> Result<Option<f64>, CalibrateError> {
    for _ in 0..TRIES {
        progress.say(&format!("the ceiling: {}/s", whole(rate)));
        let (asked, observed) = pace(court, rate, lasts, TRANSPORT).await?;
        if is_kept(&asked, &observed) {
            let cpu = observed.machine.own_cpu.as_secs_f64();
            let operations = f64::from(u32::try_from(asked.due.len()).unwrap_or(u32::MAX));
            return Ok(Some(operations / cpu.max(f64::MIN_POSITIVE)));
        }
    }
    Ok(None)
}

fn is_kept(asked: &Asked, observed: &Observed) -> bool {
    let findings = [
        check::complete(asked, observed),
        check::achieved_rate(asked, observed),
        check::lateness(asked, observed),
    ];
    let missed = observed.measured.ops.as_ref().is_none_or(|ops| ops.ok != ops.recorded);
    !missed && findings.iter().all(|finding| finding.status == Status::Pass)
}
