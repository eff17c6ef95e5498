//! The webhook server's certificate: made, and changed while writes go on.
//!
//! A change takes two steps, each one apply of the Secret. First the new
//! certificate is put beside the one in use, and its authority is registered
//! beside the old one. Only when the apiserver has that is the new certificate
//! put to use: whichever of the two the server shows, it is believed. The old
//! authority is believed until the next change; its key is long gone.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::deploy::certificate::ServerCertificate;

/// Authorities believed at once.
const AUTHORITIES: usize = 2;

/// How a PEM text of a certificate ends.
const END: &str = "-----END CERTIFICATE-----";

/// When certificates are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schedule {
    /// How long one is used.
    pub(super) every: Duration,
    /// How long an authority is registered before its certificate is used.
    pub(super) settle: Duration,
}

/// A certificate, what comes after it, and who is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) certificate: String,
    pub(super) key: String,
    /// Certificates of the authorities, the newest first.
    pub(super) authorities: String,
    /// Since when the certificate is used.
    pub(super) issued: Timestamp,
    /// What will be used next, and since when it is there.
    pub(super) next: Option<Next>,
}

/// A certificate that is not used yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) staged: Timestamp,
}

/// What is to be done about a chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, for so long.
    Keep(Duration),
    /// A new certificate is to be put beside this one.
    Stage,
    /// The next one is to be used.
    Promote,
}

impl Chain {
    /// A first certificate; `believed` are authorities of one that is lost,
    /// which servers may still show.
    pub(super) fn first(made: ServerCertificate, believed: &str, now: Timestamp) -> Self {
        let authorities = with_newest(&made.authority, believed);
        Self { certificate: made.certificate, key: made.key, authorities, issued: now, next: None }
    }

    /// What is to be done at `now`, if `registered` is whom the apiserver
    /// believes.
    pub(super) fn step(
        &self,
        schedule: Schedule,
        now: Timestamp,
        registered: Option<&str>,
    ) -> Step {
        let left = |since: Timestamp, span: Duration| {
            let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
            span.saturating_sub(now.duration_since(since))
        };
        let (left, due) = match &self.next {
            Some(next) => (left(next.staged, schedule.settle), Step::Promote),
            None => (left(self.issued, schedule.every), Step::Stage),
        };
        match Duration::try_from(left) {
            Ok(wait) if !wait.is_zero() => Step::Keep(wait),
            // It has not heard of the new authority: ask again in a while.
            _ if due == Step::Promote && registered != Some(&self.authorities) => {
                Step::Keep(schedule.settle)
            }
            _ => due,
        }
    }

    /// With `made` beside it.
    pub(super) fn staged(mut self, made: ServerCertificate, now: Timestamp) -> Self {
        self.authorities = with_newest(&made.authority, &self.authorities);
        self.next = Some(Next { certificate: made.certificate, key: made.key, staged: now });
        self
    }

    /// With the next one in use.
    pub(super) fn promoted(mut self, now: Timestamp) -> Self {
        if let Some(next) = self.next.take() {
            (self.certificate, self.key, self.issued) = (next.certificate, next.key, now);
        }
        self
    }
}

/// `newest` and what `others` has room for.
fn with_newest(newest: &str, others: &str) -> String {
    let others = others.split_inclusive(END).filter(|one| one.ends_with(END));
    let all = std::iter::once(newest.trim()).chain(others.map(str::trim));
    let mut bundle = all.take(AUTHORITIES).collect::<Vec<_>>().join("\n");
    bundle.push('\n');
    bundle
}

/// The day before whose beginning a certificate that is made now must have
/// been changed: it outlasts two changes that came to nothing, and a day.
pub(super) fn last_day(schedule: Schedule, now: Timestamp) -> Option<jiff::civil::Date> {
    let span = SignedDuration::try_from(schedule.every.saturating_mul(3)).ok()?;
    let end = now.checked_add(span).ok()?.to_zoned(TimeZone::UTC).date();
    // Its first moment is the end, so that less than a day would be none.
    end.checked_add(jiff::Span::new().days(2)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule =
        Schedule { every: Duration::from_secs(100), settle: Duration::from_secs(10) };

    fn made(name: &str) -> ServerCertificate {
        ServerCertificate {
            authority: format!("{name} authority\n{END}\n"),
            certificate: format!("{name} certificate"),
            key: format!("{name} key"),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_authority_is_registered_before_its_certificate_is_used() {
        let chain = Chain::first(made("a"), "", at(0));
        assert_eq!(chain.step(SCHEDULE, at(40), None), Step::Keep(Duration::from_secs(60)));
        assert_eq!(chain.step(SCHEDULE, at(100), None), Step::Stage);

        let chain = chain.staged(made("b"), at(100));
        assert_eq!(chain.certificate, "a certificate");
        assert_eq!(chain.authorities, format!("b authority\n{END}\na authority\n{END}\n"));
        let believed = Some(chain.authorities.as_str());
        assert_eq!(chain.step(SCHEDULE, at(105), believed), Step::Keep(Duration::from_secs(5)));
        assert_eq!(chain.step(SCHEDULE, at(110), believed), Step::Promote);
        for unaware in [None, Some("a authority")] {
            let wait = Step::Keep(SCHEDULE.settle);
            assert_eq!(chain.step(SCHEDULE, at(110), unaware), wait);
        }

        let chain = chain.clone().promoted(at(110));
        assert_eq!((chain.certificate.as_str(), chain.issued), ("b certificate", at(110)));
        assert!(chain.authorities.contains("a authority"), "{}", chain.authorities);
        let chain = chain.staged(made("c"), at(210));
        assert!(!chain.authorities.contains("a authority"), "{}", chain.authorities);
    }

    #[test]
    fn authorities_of_a_lost_certificate_stay_believed() {
        let chain = Chain::first(made("b"), &made("a").authority, at(0));
        assert_eq!(chain.authorities.matches(END).count(), 2);
        let chain = Chain::first(made("b"), "not a certificate", at(0));
        assert_eq!(chain.authorities.matches(END).count(), 1);
    }

    #[test]
    fn a_certificate_outlasts_its_schedule() {
        let end = last_day(SCHEDULE, at(0)).unwrap().to_zoned(TimeZone::UTC).unwrap();
        assert!(end.timestamp() > at(300));
    }
}
