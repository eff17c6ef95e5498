//! What the null server is told to do, and when a request is therefore done.
//!
//! Nothing here reads a clock or waits: from a request's arrival follows what
//! becomes of it, so that the server can be held against its script as well.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kab_evidence::clock::Mono;
use kab_scenario::unit::Span;
use serde::{Deserialize, Serialize};

/// How the server behaves. The default answers everything at once.
///
/// All times count from the server's origin.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Script {
    /// How long each request takes.
    pub service: Service,
    /// Everything that arrives or is in service waits until the stall is over.
    pub stalls: Vec<Window>,
    /// Stalls without end, as a garbage collector makes them.
    pub pauses: Option<Pauses>,
    /// The server is gone: connections are cut, and new ones refused.
    pub down: Vec<Window>,
    /// Requests that are refused by an answer.
    pub refuse: Option<Refuse>,
    /// Requests that are read whole, and whose connection (of HTTP/2: whose
    /// stream) is then reset without an answer.
    pub reset: Option<Every>,
    /// Requests take longer at first.
    pub slow_start: Option<SlowStart>,
}

/// The time in service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Service {
    /// The longest time in service; none: no time at all.
    pub time: Option<Span>,
    /// In how many equal steps the time rises to the longest, request by
    /// request in the order of arrival, before it begins anew: with 4, a
    /// quarter, a half, three quarters, the whole. None or 1: always the whole.
    pub steps: Option<u32>,
    /// How many requests are served at a time, the others waiting in the order
    /// of their arrival; none: any number.
    pub servers: Option<u32>,
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// When it begins.
    pub at: Span,
    /// How long it lasts.
    pub lasts: Span,
}

/// Pauses at equal distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pauses {
    /// When the first begins.
    pub at: Span,
    /// From the beginning of one to that of the next.
    pub every: Span,
    /// How long each lasts.
    pub lasts: Span,
}

/// Every so many-th request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Every {
    /// 3 is the third, the sixth, and so on, in the order of arrival.
    pub nth: u64,
}

/// Refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refuse {
    /// 3 is the third, the sixth, and so on, in the order of arrival.
    pub nth: u64,
    /// The status: 429 or 503, for example.
    pub status: u16,
}

/// A service time that falls evenly to the usual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlowStart {
    /// How long the start takes.
    pub lasts: Span,
    /// What is added to the service time at the origin.
    pub extra: Span,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Answered,
    /// It is refused by this status.
    Refused(u16),
    /// Its connection is reset.
    Reset,
}

/// A script under way.
#[derive(Debug)]
pub struct Play {
    script: Script,
    origin: Mono,
    arrivals: u64,
    /// When each server will be free, the soonest on top; none if there are
    /// any number of them.
    free: Option<BinaryHeap<Reverse<u64>>>,
}

impl Play {
    /// Begins `script` at `origin`.
    pub fn new(script: Script, origin: Mono) -> Self {
        let servers = script.service.servers;
        let free = servers.map(|n| (0..n.max(1)).map(|_| Reverse(0)).collect());
        Self { script, origin, arrivals: 0, free }
    }

    /// A request has arrived: what becomes of it, and when.
    pub fn arrive(&mut self, at: Mono) -> (Fate, Mono) {
        self.arrivals += 1;
        let is_nth = |nth: u64| nth > 0 && self.arrivals.is_multiple_of(nth);
        if self.script.reset.is_some_and(|every| is_nth(every.nth)) {
            return (Fate::Reset, self.finish(at, 0));
        }
        if let Some(refuse) = self.script.refuse.filter(|refuse| is_nth(refuse.nth)) {
            return (Fate::Refused(refuse.status), self.finish(at, 0));
        }
        let work = self.work(at);
        let Some(soonest) = self.free.as_mut().and_then(BinaryHeap::pop) else {
            return (Fate::Answered, self.finish(at, work));
        };
        let done = self.finish(Mono::from_nanos(soonest.0.max(at.nanos())), work);
        if let Some(free) = &mut self.free {
            free.push(Reverse(done.nanos()));
        }
        (Fate::Answered, done)
    }

    /// How long the request that arrived just now is to be served, in
    /// nanoseconds.
    fn work(&self, at: Mono) -> u64 {
        let service = &self.script.service;
        let longest = service.time.map_or(0, nanos);
        let steps = u64::from(service.steps.unwrap_or(1).max(1));
        let usual = longest * ((self.arrivals - 1) % steps + 1) / steps;
        let extra = self.script.slow_start.map_or(0, |slow| {
            let (lasts, extra) = (nanos(slow.lasts), nanos(slow.extra));
            let left = lasts.saturating_sub(at.nanos().saturating_sub(self.origin.nanos()));
            scaled(extra, left, lasts)
        });
        usual + extra
    }

    /// When `work` nanoseconds of service that begin at `at` are done: nothing
    /// is served while the server stands still.
    pub fn finish(&self, at: Mono, mut work: u64) -> Mono {
        let mut now = at.nanos();
        while let Some((from, until)) = self.standstill(now) {
            if from > now {
                let served = from - now;
                if work <= served {
                    break;
                }
                work -= served;
            }
            now = until;
        }
        Mono::from_nanos(now + work)
    }

    /// The first standstill that ends after `now`.
    fn standstill(&self, now: u64) -> Option<(u64, u64)> {
        let origin = self.origin.nanos();
        let stalls = self.script.stalls.iter().map(|stall| {
            let from = origin + nanos(stall.at);
            (from, from + nanos(stall.lasts))
        });
        let pause = self.script.pauses.filter(|pauses| nanos(pauses.every) > 0).map(|pauses| {
            let (first, every) = (origin + nanos(pauses.at), nanos(pauses.every));
            let lasts = nanos(pauses.lasts);
            // The first k with first + k * every + lasts > now.
            let k = (now + 1).saturating_sub(first + lasts).div_ceil(every);
            (first + k * every, first + k * every + lasts)
        });
        stalls.chain(pause).filter(|(_, until)| *until > now).min()
    }
}

/// `whole * part / of`, without overflow.
fn scaled(whole: u64, part: u64, of: u64) -> u64 {
    let scaled = u128::from(whole) * u128::from(part) / u128::from(of.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// A span in nanoseconds.
pub(crate) fn nanos(span: Span) -> u64 {
    u64::try_from(span.duration().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    /// Where the tests' time begins, in milliseconds.
    const ORIGIN: u64 = 10_000;

    fn span(text: &str) -> Span {
        text.parse().unwrap()
    }

    fn at(ms: u64) -> Mono {
        Mono::from_nanos((ORIGIN + ms) * MS)
    }

    /// When a request that arrives at each of `arrivals` is done, in ms.
    fn done(script: Script, arrivals: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut play = Play::new(script, at(0));
        arrivals.into_iter().map(|ms| play.arrive(at(ms)).1.nanos() / MS - ORIGIN).collect()
    }

    fn service(time: &str, servers: Option<u32>) -> Service {
        Service { time: Some(span(time)), steps: None, servers }
    }

    #[test]
    fn without_a_script_everything_is_done_at_once() {
        assert_eq!(done(Script::default(), [0, 1, 1, 9]), [0, 1, 1, 9]);
    }

    #[test]
    fn servers_take_requests_in_the_order_of_arrival() {
        let any = Script { service: service("5ms", None), ..Script::default() };
        assert_eq!(done(any, [0, 1, 2, 20]), [5, 6, 7, 25]);
        let one = Script { service: service("5ms", Some(1)), ..Script::default() };
        assert_eq!(done(one, [0, 1, 2, 20]), [5, 10, 15, 25]);
        let two = Script { service: service("5ms", Some(2)), ..Script::default() };
        assert_eq!(done(two, [0, 1, 2, 20]), [5, 6, 10, 25]);
    }

    #[test]
    fn service_times_rise_step_by_step() {
        let service = Service { steps: Some(4), ..service("8ms", None) };
        let script = Script { service, ..Script::default() };
        assert_eq!(done(script, [0; 6]), [2, 4, 6, 8, 2, 4]);
    }

    #[test]
    fn a_stall_holds_what_arrives_and_what_is_in_service() {
        let stalls = vec![Window { at: span("10ms"), lasts: span("20ms") }];
        let script = Script { service: service("4ms", None), stalls, ..Script::default() };
        assert_eq!(done(script, [5, 6, 8, 10, 29, 30]), [9, 10, 32, 34, 34, 34]);
    }

    #[test]
    fn pauses_come_again_and_again() {
        let pauses = Some(Pauses { at: span("10ms"), every: span("10ms"), lasts: span("2ms") });
        let script = Script { pauses, ..Script::default() };
        assert_eq!(done(script.clone(), [0, 9, 10, 11, 12, 21, 30]), [0, 9, 12, 12, 12, 22, 32]);
        // A long service loses two milliseconds in each.
        let script = Script { service: service("25ms", None), ..script };
        assert_eq!(done(script, [0, 5]), [29, 36]);
    }

    #[test]
    fn standstills_that_overlap_or_touch_are_one() {
        let window = |at: &str, lasts: &str| Window { at: span(at), lasts: span(lasts) };
        let stalls = vec![window("10ms", "5ms"), window("12ms", "8ms"), window("20ms", "1ms")];
        assert_eq!(done(Script { stalls, ..Script::default() }, [11, 19, 21]), [21, 21, 21]);
    }

    #[test]
    fn a_slow_start_fades() {
        let slow_start = Some(SlowStart { lasts: span("100ms"), extra: span("50ms") });
        let script = Script { slow_start, ..Script::default() };
        assert_eq!(done(script, [0, 50, 100, 150]), [50, 75, 100, 150]);
    }

    #[test]
    fn fates_go_by_the_order_of_arrival() {
        let script = Script {
            refuse: Some(Refuse { nth: 3, status: 429 }),
            reset: Some(Every { nth: 4 }),
            ..Script::default()
        };
        let mut play = Play::new(script, at(0));
        let fates: Vec<_> = (0..12).map(|ms| play.arrive(at(ms)).0).collect();
        let count = |of: Fate| fates.iter().filter(|fate| **fate == of).count();
        // The twelfth is both, and reset.
        assert_eq!((count(Fate::Refused(429)), count(Fate::Reset)), (3, 3));
        assert_eq!(fates[2], Fate::Refused(429));
        assert_eq!(fates[11], Fate::Reset);
    }
}
