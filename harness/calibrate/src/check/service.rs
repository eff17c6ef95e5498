//! Service times that are known in advance.

use std::time::Duration;

use kab_evidence::calibration::Finding;
use kab_verdict::distribution::Sorted;

use super::envelope::{self, Bounds, SLACK};
use super::{Asked, Case, signed, text};
use crate::observed::Observed;

/// Service times that rise in `steps` equal steps to `longest`, over and over:
/// of each there are equally many, so that every percentile is known.
pub fn percentiles(asked: &Asked, observed: &Observed, longest: Duration, steps: u32) -> Finding {
    let steps = steps.max(1);
    let step = |i: usize| longest * (u32::try_from(i).unwrap_or(0) % steps + 1) / steps;
    let least: Vec<i64> = (0..asked.due.len()).map(|i| signed(step(i))).collect();
    let most: Vec<_> = least.iter().map(|nanos| nanos + signed(SLACK)).collect();
    let (least, most) = (Sorted::from(least).summary(), Sorted::from(most).summary());
    let service = &observed.measured.service.all;
    let mut case = Case {
        truth: envelope::percentiles(&least),
        observed: envelope::percentiles(service),
        tolerance: format!("{} to be sent and answered", text(SLACK)),
        ..Case::default()
    };
    let all = asked.due.len() as u64;
    case.wrong(service.count != all, || format!("{} have a service time", service.count));
    envelope::distribution(&mut case, service, &least, &most);
    // The response time has the same bounds, and the way there besides.
    let response = &observed.measured.response.all;
    case.wrong(response.p50 < service.p50, || {
        "the response time is shorter than the service time".to_owned()
    });
    envelope::distribution(&mut case, response, &least, &most);
    case.conclude("percentiles", &asked.set, &observed.machine)
}

/// A service time that falls evenly from `extra` to nothing within `lasts`.
pub fn slow_start(asked: &Asked, observed: &Observed, extra: Duration, lasts: Duration) -> Finding {
    let mut case = Case::default();
    envelope::hold(&mut case, asked, observed, |due| {
        let left = lasts.saturating_sub(due).as_secs_f64() / lasts.as_secs_f64();
        let least = extra.mul_f64(left).saturating_sub(Duration::from_nanos(2));
        Bounds { least, most: least + SLACK }
    });
    case.tolerance = format!("{} to be sent and answered", text(SLACK));
    case.conclude("slow start", &asked.set, &observed.machine)
}

#[cfg(test)]
mod tests {
    use kab_evidence::calibration::Status;

    use super::super::synthetic::{Engine, ms};
    use super::*;
    use crate::machine::MachineLoad;

    /// 1,000 operations, of 0.2 to 20 ms.
    fn rising() -> Engine {
        let mut n = 0;
        Engine::answering(1000, 1000, |due| {
            n += 1;
            due + ms(20) * ((n - 1) % 100 + 1) / 100 + Duration::from_micros(300)
        })
    }

    #[test]
    fn the_known_percentiles_pass_and_others_fail() {
        let status =
            |engine: &Engine| percentiles(&engine.asked(), &engine.observed(), ms(20), 100).status;
        assert_eq!(status(&rising()), Status::Pass);
        let fast = Engine { machine: MachineLoad::busy(), ..Engine::flawless() };
        assert_eq!(status(&fast), Status::Fail, "faster than the server");
        // As an engine does that counts only what was fast.
        let mut cut = rising();
        cut.ledger.retain(|record| record.service_nanos() < Some(15_000_000));
        assert_eq!(status(&cut), Status::Fail);
        let mut slow = rising();
        for record in &mut slow.ledger {
            record.done = record.done.map(|done| done.plus(ms(9)));
        }
        assert_eq!(status(&slow), Status::Fail);
    }

    #[test]
    fn a_slow_start_is_seen_as_it_fades() {
        let fading = |due: Duration| due + ms(200) - due / 5 + Duration::from_micros(300);
        let engine = Engine::answering(1000, 1000, fading);
        let status = |engine: &Engine| {
            let asked = engine.asked();
            slow_start(&asked, &engine.observed(), ms(200), Duration::from_secs(1)).status
        };
        assert_eq!(status(&engine), Status::Pass);
        assert_eq!(status(&Engine::flawless()), Status::Fail);
    }
}
