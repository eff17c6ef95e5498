//! All properties, one trial after the other.

use std::time::Duration;

use kab_evidence::calibration::{Ceiling, Finding};
use kab_lab::progress::Progress;
use kab_load::Schedule;
use kab_scenario::unit::Span;
use kab_verdict::value::grouped;

use crate::ceiling;
use crate::check::{self, Asked, Standstill};
use crate::engine::Load;
use crate::observed::Observed;
use crate::server::script::{Every, Pauses, Refuse, Script, Service, SlowStart, Window};
use crate::trial::{CalibrateError, Court};

/// Rate of most trials, in operations a second.
const RATE: f64 = 1000.0;

/// The higher of the two rates at which pace is held.
const HIGH_RATE: f64 = 10_000.0;

/// In flight at most, where that is not what is tried.
const AMPLE: u32 = 100_000;

/// A suite: how long its trials are.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// Whether it is the short one.
    pub quick: bool,
}

impl Suite {
    /// `full`, or a third of it in the short suite.
    fn lasting(self, full: Duration) -> Duration {
        if self.quick { full / 3 } else { full }
    }

    /// Tries every property.
    ///
    /// # Errors
    /// If a trial could not be carried out.
    pub async fn findings(
        self,
        court: &Court,
        progress: &dyn Progress,
    ) -> Result<Vec<Finding>, CalibrateError> {
        let mut findings = Vec::new();
        for rate in [RATE, HIGH_RATE] {
            progress.say(&format!("pace at {}/s", whole(rate)));
            findings.extend(self.pace(court, rate).await?);
        }
        progress.say("a stall");
        findings.extend(self.stall(court).await?);
        progress.say("pauses");
        findings.push(self.pauses(court).await?);
        progress.say("service times");
        findings.push(self.percentiles(court).await?);
        findings.push(self.slow_start(court).await?);
        progress.say("refusals, resets, refused connections");
        findings.push(self.refusals(court).await?);
        findings.push(self.resets(court).await?);
        findings.push(self.gone(court).await?);
        progress.say("the bound on operations in flight");
        findings.push(self.bound(court).await?);
        Ok(findings)
    }

    /// The machine's ceiling; none if not even the lowest rate was kept.
    ///
    /// # Errors
    /// If a trial could not be carried out.
    pub async fn ceiling(
        self,
        court: &Court,
        progress: &dyn Progress,
    ) -> Result<Option<Ceiling>, CalibrateError> {
        ceiling::search(court, self.lasting(secs(3.0)), progress).await
    }

    async fn pace(self, court: &Court, rate: f64) -> Result<Vec<Finding>, CalibrateError> {
        let lasts = self.lasting(secs(9.0));
        let (asked, observed) =
            hear(court, "at once", &Script::default(), rate, lasts, AMPLE).await?;
        let mut findings = vec![
            check::complete(&asked, &observed),
            check::achieved_rate(&asked, &observed),
            check::lateness(&asked, &observed),
            check::one_clock(&asked, &observed),
        ];
        for finding in &mut findings {
            finding.property.push_str(&format!(" at {}/s", whole(rate)));
        }
        Ok(findings)
    }

    async fn stall(self, court: &Court) -> Result<Vec<Finding>, CalibrateError> {
        let stall = Standstill { at: secs(1.0), lasts: secs(2.0) };
        let script = Script { stalls: vec![window(stall)], ..Script::default() };
        let words = "a stall of 2 s after 1 s";
        let (asked, observed) = hear(court, words, &script, RATE, secs(4.0), AMPLE).await?;
        let mut complete = check::complete(&asked, &observed);
        complete.property.push_str(" through a stall");
        Ok(vec![complete, check::stall(&asked, &observed, stall)])
    }

    async fn pauses(self, court: &Court) -> Result<Finding, CalibrateError> {
        let first = Standstill { at: secs(0.25), lasts: secs(0.05) };
        let every = secs(0.5);
        let pauses = Pauses { at: first.at.into(), every: every.into(), lasts: first.lasts.into() };
        let script = Script { pauses: Some(pauses), ..Script::default() };
        let lasts = self.lasting(secs(9.0));
        let words = "a pause of 50 ms every 500 ms";
        let (asked, observed) = hear(court, words, &script, RATE, lasts, AMPLE).await?;
        Ok(check::pauses(&asked, &observed, first, every))
    }

    async fn percentiles(self, court: &Court) -> Result<Finding, CalibrateError> {
        let (longest, steps) = (secs(0.02), 100);
        let service = Service { time: Some(longest.into()), steps: Some(steps), servers: None };
        let script = Script { service, ..Script::default() };
        let words = "service times of 0.2, 0.4 ... 20 ms in turn";
        // A multiple of the steps.
        let lasts = self.lasting(secs(6.0));
        let (asked, observed) = hear(court, words, &script, RATE, lasts, AMPLE).await?;
        Ok(check::percentiles(&asked, &observed, longest, steps))
    }

    async fn slow_start(self, court: &Court) -> Result<Finding, CalibrateError> {
        let (lasts, extra) = (secs(1.0), secs(0.2));
        let slow_start = Some(SlowStart { lasts: lasts.into(), extra: extra.into() });
        let script = Script { slow_start, ..Script::default() };
        let words = "a service time that falls from 200 ms to nothing in 1 s";
        let (asked, observed) = hear(court, words, &script, RATE, secs(2.0), AMPLE).await?;
        Ok(check::slow_start(&asked, &observed, extra, lasts))
    }

    async fn refusals(self, court: &Court) -> Result<Finding, CalibrateError> {
        let refuse = Refuse { nth: 10, status: 429 };
        let script = Script { refuse: Some(refuse), ..Script::default() };
        let words = "every 10th refused by 429";
        let (asked, observed) = hear(court, words, &script, RATE, secs(2.0), AMPLE).await?;
        Ok(check::refusals(&asked, &observed, refuse.nth, refuse.status))
    }

    async fn resets(self, court: &Court) -> Result<Finding, CalibrateError> {
        let script = Script { reset: Some(Every { nth: 20 }), ..Script::default() };
        let words = "every 20th reset after it was read";
        let (asked, observed) = hear(court, words, &script, RATE, secs(2.0), AMPLE).await?;
        Ok(check::resets(&asked, &observed, 20))
    }

    async fn gone(self, court: &Court) -> Result<Finding, CalibrateError> {
        let down = Standstill { at: secs(0.5), lasts: secs(0.5) };
        let script = Script { down: vec![window(down)], ..Script::default() };
        let words = "gone for 0.5 s after 0.5 s";
        let (asked, observed) = hear(court, words, &script, RATE, secs(2.0), AMPLE).await?;
        Ok(check::gone(&asked, &observed, down))
    }

    async fn bound(self, court: &Court) -> Result<Finding, CalibrateError> {
        let stall = Standstill { at: secs(0.5), lasts: secs(1.0) };
        let script = Script { stalls: vec![window(stall)], ..Script::default() };
        let words = "a stall of 1 s after 0.5 s, at most 200 in flight";
        let (asked, observed) = hear(court, words, &script, RATE, secs(2.0), 200).await?;
        Ok(check::in_flight_bound(&asked, &observed, 200, stall))
    }
}

/// A trial with `rate` operations a second for `lasts`.
pub(crate) async fn hear(
    court: &Court,
    words: &str,
    script: &Script,
    rate: f64,
    lasts: Duration,
    in_flight: u32,
) -> Result<(Asked, Observed), CalibrateError> {
    let schedule =
        Schedule::constant(rate, lasts).map_err(|error| CalibrateError::Load(error.to_string()))?;
    let (start, observed) = court.hear(script, &Load { schedule, in_flight }).await?;
    let set = format!("{}/s for {} s; answered {words}", whole(rate), lasts.as_secs_f64());
    Ok((Asked::constant(set, start, rate, lasts), observed))
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn window(of: Standstill) -> Window {
    Window { at: Span::from(of.at), lasts: Span::from(of.lasts) }
}

/// A rate as people write it.
pub(crate) fn whole(rate: f64) -> String {
    // As a number of seconds it is cut off below one, as wanted.
    grouped(Duration::try_from_secs_f64(rate).unwrap_or_default().as_secs())
}
