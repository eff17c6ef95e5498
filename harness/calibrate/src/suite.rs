//! All properties, one trial after the other.

use std::num::NonZeroU32;
use std::time::Duration;

use kab_evidence::calibration::Finding;
use kab_lab::progress::Progress;
use kab_load::Schedule;
use kab_load::draw::Draws;
use kab_scenario::unit::Span;
use kab_verdict::value::grouped;

use crate::ceiling::{self, Found};
use crate::check::{self, Asked, Standstill};
use crate::engine::{Load, Transport};
use crate::observed::Observed;
use crate::server::script::{Every, Pauses, Refuse, Script, Service, SlowStart, Window};
use crate::trial::{CalibrateError, Court};

/// Rate of most trials, in operations a second.
const RATE: f64 = 1000.0;

/// The higher of the two rates at which pace is held.
const HIGH_RATE: f64 = 10_000.0;

/// The seed of random arrivals: always the same ones.
const SEED: u64 = 4;

/// A suite: how long its trials are.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// Whether it is the short one.
    pub quick: bool,
}

/// What a trial is called, and what it consists of.
struct Trial {
    words: String,
    script: Script,
    load: Load,
    rate: f64,
    lasts: Duration,
}

impl Trial {
    /// `rate` operations a second for `lasts`, to a server that is, in `words`,
    /// as `script` says.
    fn constant(
        rate: f64,
        lasts: Duration,
        words: &str,
        script: Script,
        transport: Transport,
    ) -> Result<Self, CalibrateError> {
        let schedule = Schedule::constant(rate, lasts)
            .map_err(|error| CalibrateError::Load(error.to_string()))?;
        let words = format!(
            "{}/s for {} s over {}; {words}",
            whole(rate),
            lasts.as_secs_f64(),
            transport.name()
        );
        Ok(Self { words, script, load: Load::open(schedule, transport), rate, lasts })
    }

    async fn hear(&self, court: &Court) -> Result<(Asked, Observed), CalibrateError> {
        let (start, observed) = court.hear(&self.script, &self.load).await?;
        Ok((Asked::constant(&*self.words, start, self.rate, self.lasts), observed))
    }
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
        for transport in [Transport::Http1, Transport::Http2] {
            for rate in [RATE, HIGH_RATE] {
                progress.say(&format!("pace at {}/s over {}", whole(rate), transport.name()));
                findings.extend(self.pace(court, rate, transport).await?);
            }
        }
        progress.say("a stall");
        findings.extend(self.stall(court).await?);
        progress.say("pauses");
        findings.push(self.pauses(court).await?);
        progress.say("service times");
        findings.push(self.percentiles(court).await?);
        findings.push(self.slow_start(court).await?);
        progress.say("a queue");
        findings.push(self.queue(court).await?);
        progress.say("refusals, resets, refused connections");
        findings.push(self.refusals(court).await?);
        for transport in [Transport::Http1, Transport::Http2] {
            findings.push(self.resets(court, transport).await?);
            findings.push(self.gone(court, transport).await?);
        }
        progress.say("the bound on operations in flight");
        findings.push(self.bound(court).await?);
        Ok(findings)
    }

    /// The machine's ceiling.
    ///
    /// # Errors
    /// If a trial could not be carried out.
    pub async fn ceiling(
        self,
        court: &Court,
        progress: &dyn Progress,
    ) -> Result<Found, CalibrateError> {
        ceiling::search(court, self.lasting(secs(3.0)), progress).await
    }

    async fn pace(
        self,
        court: &Court,
        rate: f64,
        transport: Transport,
    ) -> Result<Vec<Finding>, CalibrateError> {
        let (asked, observed) = pace(court, rate, self.lasting(secs(9.0)), transport).await?;
        let findings = [
            check::complete(&asked, &observed),
            check::achieved_rate(&asked, &observed),
            check::lateness(&asked, &observed),
            check::one_clock(&asked, &observed),
        ];
        let suffix = format!("at {}/s, {}", whole(rate), transport.name());
        Ok(findings.map(|finding| called(finding, &suffix)).into())
    }

    async fn stall(self, court: &Court) -> Result<Vec<Finding>, CalibrateError> {
        let stall = Standstill { at: secs(1.0), lasts: secs(2.0) };
        let lasts = secs(4.0);
        let script = Script { stalls: vec![window(stall)], ..Script::default() };
        let words = "a stall of 2 s after 1 s";
        let trial = Trial::constant(RATE, lasts, words, script.clone(), Transport::Http2)?;
        let (asked, open) = trial.hear(court).await?;
        let one = NonZeroU32::MIN;
        let load = Load::closed(one, secs(1.0 / RATE), lasts, Transport::Http2);
        let (_, closed) = court.hear(&script, &load).await?;
        Ok(vec![
            called(check::complete(&asked, &open), "through a stall"),
            check::stall(&asked, &open, stall),
            check::omission(&asked, &open, &closed, u64::from(one.get()), stall),
        ])
    }

    async fn pauses(self, court: &Court) -> Result<Finding, CalibrateError> {
        let first = Standstill { at: secs(0.25), lasts: secs(0.05) };
        let every = secs(0.5);
        let pauses = Pauses { at: first.at.into(), every: every.into(), lasts: first.lasts.into() };
        let script = Script { pauses: Some(pauses), ..Script::default() };
        let lasts = self.lasting(secs(9.0));
        let words = "a pause of 50 ms every 500 ms";
        let trial = Trial::constant(RATE, lasts, words, script, Transport::Http2)?;
        let (asked, observed) = trial.hear(court).await?;
        Ok(check::pauses(&asked, &observed, first, every))
    }

    async fn percentiles(self, court: &Court) -> Result<Finding, CalibrateError> {
        let (longest, steps) = (secs(0.02), 100);
        let service = Service { time: Some(longest.into()), steps: Some(steps), servers: None };
        let script = Script { service, ..Script::default() };
        let words = "service times of 0.2, 0.4 ... 20 ms in turn";
        // A multiple of the steps.
        let lasts = self.lasting(secs(6.0));
        let trial = Trial::constant(RATE, lasts, words, script, Transport::Http2)?;
        let (asked, observed) = trial.hear(court).await?;
        Ok(check::percentiles(&asked, &observed, longest, steps))
    }

    async fn slow_start(self, court: &Court) -> Result<Finding, CalibrateError> {
        let (lasts, extra) = (secs(1.0), secs(0.2));
        let slow_start = Some(SlowStart { lasts: lasts.into(), extra: extra.into() });
        let script = Script { slow_start, ..Script::default() };
        let words = "a service time that falls from 200 ms to nothing in 1 s";
        let trial = Trial::constant(RATE, secs(2.0), words, script, Transport::Http2)?;
        let (asked, observed) = trial.hear(court).await?;
        Ok(check::slow_start(&asked, &observed, extra, lasts))
    }

    async fn queue(self, court: &Court) -> Result<Finding, CalibrateError> {
        let (rate, service, lasts) = (250.0, secs(0.002), self.lasting(secs(30.0)));
        let schedule = Schedule::poisson(rate, lasts, Draws::new(SEED, "queue"))
            .map_err(|error| CalibrateError::Load(error.to_string()))?;
        let offsets: Vec<Duration> = schedule.offsets().map(|due| due.offset).collect();
        let script = Script {
            service: Service { time: Some(service.into()), steps: None, servers: Some(1) },
            ..Script::default()
        };
        // One connection, so that requests arrive in the order they were sent.
        let load = Load { connections: Some(1), ..Load::open(schedule, Transport::Http2) };
        let (start, observed) = court.hear(&script, &load).await?;
        let asked = Asked {
            set: format!(
                "Poisson arrivals of {rate}/s for {} s over {}; one server, 2 ms each",
                lasts.as_secs_f64(),
                load.transport.name()
            ),
            start,
            due: offsets.into_iter().map(|offset| start.plus(offset)).collect(),
        };
        Ok(check::queue(&asked, &observed, rate, service))
    }

    async fn refusals(self, court: &Court) -> Result<Finding, CalibrateError> {
        let refuse = Refuse { nth: 10, status: 429 };
        let script = Script { refuse: Some(refuse), ..Script::default() };
        let words = "every 10th refused by 429";
        let trial = Trial::constant(RATE, secs(2.0), words, script, Transport::Http2)?;
        let (asked, observed) = trial.hear(court).await?;
        Ok(check::refusals(&asked, &observed, refuse.nth, refuse.status))
    }

    async fn resets(self, court: &Court, over: Transport) -> Result<Finding, CalibrateError> {
        let script = Script { reset: Some(Every { nth: 20 }), ..Script::default() };
        let words = "every 20th reset after it was read";
        let trial = Trial::constant(RATE, secs(2.0), words, script, over)?;
        let (asked, observed) = trial.hear(court).await?;
        Ok(called(check::resets(&asked, &observed, 20), &format!("over {}", over.name())))
    }

    async fn gone(self, court: &Court, over: Transport) -> Result<Finding, CalibrateError> {
        let down = Standstill { at: secs(0.5), lasts: secs(0.5) };
        let script = Script { down: vec![window(down)], ..Script::default() };
        let words = "gone for 0.5 s after 0.5 s";
        let trial = Trial::constant(RATE, secs(2.0), words, script, over)?;
        let (asked, observed) = trial.hear(court).await?;
        Ok(called(check::gone(&asked, &observed), &format!("over {}", over.name())))
    }

    async fn bound(self, court: &Court) -> Result<Finding, CalibrateError> {
        let stall = Standstill { at: secs(0.5), lasts: secs(1.0) };
        let script = Script { stalls: vec![window(stall)], ..Script::default() };
        let words = "a stall of 1 s after 0.5 s, at most 200 in flight";
        let mut trial = Trial::constant(RATE, secs(2.0), words, script, Transport::Http2)?;
        trial.load.in_flight = 200;
        let (asked, observed) = trial.hear(court).await?;
        Ok(check::in_flight_bound(&asked, &observed, 200, stall))
    }
}

/// A trial of nothing but pace.
pub(crate) async fn pace(
    court: &Court,
    rate: f64,
    lasts: Duration,
    transport: Transport,
) -> Result<(Asked, Observed), CalibrateError> {
    let trial = Trial::constant(rate, lasts, "answered at once", Script::default(), transport)?;
    trial.hear(court).await
}

fn called(mut finding: Finding, suffix: &str) -> Finding {
    finding.property = format!("{} {suffix}", finding.property);
    finding
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
