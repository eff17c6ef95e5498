//! The machine's ceiling: the highest rate at which lateness and achieved rate
//! hold, by doubling and then bisection.

use std::time::Duration;

use kab_evidence::calibration::{Ceiling, Finding, Status};
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

/// What the search came to.
#[derive(Debug)]
pub struct Found {
    /// The highest rate that was kept, if any was.
    pub ceiling: Option<Ceiling>,
    /// The same as a property: that there is one, or why it is not known.
    pub finding: Finding,
}

/// Searches, each trial taking `lasts`.
pub(crate) async fn search(
    court: &Court,
    lasts: Duration,
    progress: &dyn Progress,
) -> Result<Found, CalibrateError> {
    let (mut kept, mut not_kept) = (None, None);
    let mut against = Against::default();
    let mut rate = LOWEST;
    let mut bisections = 0;
    while rate <= HIGHEST && bisections <= BISECTIONS {
        match attempt(court, rate, lasts, progress).await? {
            Ok(per_core_second) => kept = Some((rate, per_core_second)),
            Err(what) => {
                not_kept = Some(rate);
                against = what;
            }
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
    let ceiling = kept.map(|(per_second, per_core_second)| Ceiling {
        per_second,
        not_kept,
        per_core_second,
        transport: TRANSPORT.name().to_owned(),
    });
    Ok(Found { finding: finding(lasts, ceiling.as_ref(), not_kept, against), ceiling })
}

/// What spoke against the last rate that was not kept.
#[derive(Debug, Default)]
struct Against {
    because: Vec<String>,
    /// Whether the machine was to blame.
    excused: bool,
}

fn finding(
    lasts: Duration,
    ceiling: Option<&Ceiling>,
    not_kept: Option<f64>,
    against: Against,
) -> Finding {
    let kept = ceiling.map_or("none".to_owned(), |c| format!("{}/s", whole(c.per_second)));
    let not_kept = not_kept.map_or("none".to_owned(), |rate| format!("{}/s", whole(rate)));
    let status = match (ceiling, against.excused) {
        // One that a busy machine has set is not kab's.
        (_, true) => Status::Invalid,
        (Some(_), false) => Status::Pass,
        (None, false) => Status::Fail,
    };
    let because = if status == Status::Pass { Vec::new() } else { against.because };
    Finding {
        property: "ceiling".to_owned(),
        set: format!("{} s each over {}", lasts.as_secs_f64(), TRANSPORT.name()),
        truth: format!("at least {}/s is kept", whole(LOWEST)),
        observed: format!("kept: {kept}; not kept: {not_kept}"),
        tolerance: "those of completeness, achieved rate and lateness".to_owned(),
        status,
        because,
    }
}

/// Operations for each second of kab's CPU time if `rate` was kept; else what
/// spoke against it.
async fn attempt(
    court: &Court,
    rate: f64,
    lasts: Duration,
    progress: &dyn Progress,
) -> Result<Result<f64, Against>, CalibrateError> {
    let mut against = Against::default();
    for _ in 0..TRIES {
        progress.say(&format!("the ceiling: {}/s", whole(rate)));
        let (asked, observed) = pace(court, rate, lasts, TRANSPORT).await?;
        against = held_against(&asked, &observed);
        if against.because.is_empty() {
            let cpu = observed.machine.own_cpu.as_secs_f64();
            let operations = f64::from(u32::try_from(asked.due.len()).unwrap_or(u32::MAX));
            return Ok(Ok(operations / cpu.max(f64::MIN_POSITIVE)));
        }
    }
    Ok(Err(against))
}

fn held_against(asked: &Asked, observed: &Observed) -> Against {
    let findings = [
        check::complete(asked, observed),
        check::achieved_rate(asked, observed),
        check::lateness(asked, observed),
    ];
    let is = |status| findings.iter().any(|finding| finding.status == status);
    let excused = is(Status::Invalid) && !is(Status::Fail);
    let mut because = Vec::new();
    for why in findings.iter().flat_map(|finding| &finding.because) {
        if !because.contains(why) {
            because.push(why.clone());
        }
    }
    let done = |ops: &kab_verdict::outcome::Ops| ops.ok == ops.recorded;
    if !observed.measured.ops.as_ref().is_some_and(done) {
        because.push("not every operation was answered".to_owned());
    }
    Against { because, excused }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_that_a_busy_machine_has_set_is_not_kabs() {
        let ceiling = Ceiling {
            per_second: 8000.0,
            not_kept: Some(9000.0),
            per_core_second: 1.0,
            transport: String::new(),
        };
        let status = |ceiling: Option<&Ceiling>, excused| {
            let against = Against { because: vec!["late".to_owned()], excused };
            finding(Duration::from_secs(1), ceiling, Some(9000.0), against).status
        };
        assert_eq!(status(Some(&ceiling), false), Status::Pass);
        assert_eq!(status(Some(&ceiling), true), Status::Invalid);
        assert_eq!(status(None, true), Status::Invalid);
        assert_eq!(status(None, false), Status::Fail);
    }
}
