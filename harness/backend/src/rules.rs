//! What a Todo must be: the business's rules, in one place.
//!
//! Each system enforces the same ones by its own means: the gateway's validate
//! endpoint by [`judge`], a definition by its schema and CEL, a policy by CEL,
//! a table by constraints and a trigger. Tests hold them against each other.

use std::fmt;

use jiff::{Span, Timestamp, tz::TimeZone};

/// Longest message, in characters: 1 MiB of ASCII, well below what etcd takes.
pub const LONGEST_MESSAGE: usize = 1 << 20;

/// Todos are due in these years.
pub const YEARS: std::ops::RangeInclusive<i16> = 2000..=2099;

/// By how many days at most an update may put a Todo off. A rule about two
/// states: no schema knows it.
pub const LONGEST_DELAY_DAYS: i64 = 3650;

/// What a message must match so that it is not blank, for RE2: a character
/// that Unicode does not call white space.
pub const NOT_BLANK: &str = "[^\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}]";

/// What a date and time of RFC 3339 looks like, for any regular expressions:
/// of what the RFC leaves open only what all systems read alike, which is big
/// letters, no leap second, and nine digits of a second at most.
pub const TIME_PATTERN: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

/// The moment that `text` names, if it has the form of [`TIME_PATTERN`] and
/// the calendar has such a day.
pub fn moment(text: &str) -> Option<Timestamp> {
    is_time(text).then(|| text.parse().ok()).flatten()
}

/// Whether `text` matches [`TIME_PATTERN`]. (jiff reads much more than that.)
fn is_time(text: &str) -> bool {
    let digits = |text: &str, most: u8| {
        text.len() == 2
            && text.bytes().all(|b| b.is_ascii_digit())
            && text.parse().is_ok_and(|n: u8| n <= most)
    };
    let clock = |text: &str| {
        text.split_once(':').is_some_and(|(hour, minute)| digits(hour, 23) && digits(minute, 59))
    };
    // The day is jiff's to judge: here only that it has a day's form.
    let day = |text: &str| {
        text.bytes().enumerate().all(|(at, b)| match at {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        })
    };
    let fraction = |text: &str| {
        text.strip_prefix('.').is_none_or(|digits| {
            (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        }) && (text.is_empty() || text.starts_with('.'))
    };
    let offset = |text: &str| text == "Z" || text.strip_prefix(['+', '-']).is_some_and(clock);
    let parts = || {
        let (date, rest) = (text.get(..10)?, text.get(10..)?.strip_prefix('T')?);
        let (time, rest) = (rest.get(..5)?, rest.get(5..)?.strip_prefix(':')?);
        let (second, rest) = (rest.get(..2)?, rest.get(2..)?);
        let zone = rest.find(['Z', '+', '-'])?;
        let (parts, zone) = rest.split_at(zone);
        Some(day(date) && clock(time) && digits(second, 59) && fraction(parts) && offset(zone))
    };
    parts().unwrap_or(false)
}

/// What the rules are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content<'a> {
    /// What is to be done.
    pub message: &'a str,
    /// When, RFC 3339.
    pub when: &'a str,
}

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The message has nothing in it but white space.
    BlankMessage,
    /// The message is longer than [`LONGEST_MESSAGE`].
    LongMessage,
    /// `when` is no date and time of RFC 3339.
    NoTime,
    /// `when` is outside [`YEARS`].
    OtherCentury,
    /// The update puts it off by more than [`LONGEST_DELAY_DAYS`].
    PutOffTooFar,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlankMessage => f.write_str("message: must not be blank"),
            Self::LongMessage => {
                write!(f, "message: must have at most {LONGEST_MESSAGE} characters")
            }
            Self::NoTime => f.write_str("when: must be a date and time of RFC 3339"),
            Self::OtherCentury => {
                write!(f, "when: must be in the years {} to {}", YEARS.start(), YEARS.end())
            }
            Self::PutOffTooFar => {
                write!(
                    f,
                    "when: must not be put off by more than {LONGEST_DELAY_DAYS} days at once"
                )
            }
        }
    }
}

/// Which rules `new` breaks, as what becomes of `old`, if there was something.
pub fn judge(new: Content<'_>, old: Option<Content<'_>>) -> Vec<Broken> {
    let mut broken = Vec::new();
    if new.message.trim().is_empty() {
        broken.push(Broken::BlankMessage);
    }
    if new.message.chars().count() > LONGEST_MESSAGE {
        broken.push(Broken::LongMessage);
    }
    let Some(when) = moment(new.when) else {
        broken.push(Broken::NoTime);
        return broken;
    };
    if !YEARS.contains(&when.to_zoned(TimeZone::UTC).year()) {
        broken.push(Broken::OtherCentury);
    }
    let before = old.and_then(|old| moment(old.when));
    let latest = before
        .and_then(|before| before.checked_add(Span::new().hours(LONGEST_DELAY_DAYS * 24)).ok());
    if latest.is_some_and(|latest| when > latest) {
        broken.push(Broken::PutOffTooFar);
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content<'a>(message: &'a str, when: &'a str) -> Content<'a> {
        Content { message, when }
    }

    #[test]
    fn each_rule_fires_and_a_good_todo_passes() {
        let good = content("milk", "2030-03-06T23:52:48Z");
        assert_eq!(judge(good, None), []);
        assert_eq!(judge(good, Some(content("x", "2021-01-01T00:00:00Z"))), []);
        assert_eq!(judge(content(" \t", good.when), None), [Broken::BlankMessage]);
        let long = "x".repeat(LONGEST_MESSAGE + 1);
        assert_eq!(judge(content(&long, good.when), None), [Broken::LongMessage]);
        assert_eq!(judge(content(&long[1..], good.when), None), []);
        assert_eq!(judge(content("m", "tomorrow"), None), [Broken::NoTime]);
        assert_eq!(judge(content("m", "1999-12-31T23:59:59Z"), None), [Broken::OtherCentury]);
        assert_eq!(judge(content("m", "2100-01-01T00:00:00Z"), None), [Broken::OtherCentury]);
        let old = content("m", "2020-01-01T00:00:00Z");
        assert_eq!(judge(good, Some(old)), [Broken::PutOffTooFar]);
    }

    #[test]
    fn a_time_is_what_all_systems_read_alike() {
        for time in ["2030-03-06T23:52:48Z", "2030-03-06T23:52:48.123456789+01:30"] {
            assert!(moment(time).is_some(), "{time}");
        }
        let others = [
            "",
            "Z",
            "2030-03-06",
            "2030-03-06 23:52:48Z",
            "2030-03-06t23:52:48z",
            "2030-03-06T23:52Z",
            "2030-03-06T23:52:48",
            "2030-03-06T23:52:60Z",
            "2030-03-06T24:00:00Z",
            "2030-03-06T23:52:48.Z",
            "2030-03-06T23:52:48.1234567890Z",
            "2030-03-06T23:52:48,5Z",
            "2030-03-06T23:52:48+01",
            "2030-03-06T23:52:48+0100",
            "2030-03-06T23:52:48Z[UTC]",
            "2030-02-30T00:00:00Z",
            "+2030-03-06T23:52:48Z",
            "2030-03-06T23:52:48+24:00",
            "2030-03-06T23:52:4äZ",
            "2030-13-06T23:52:48Z",
        ];
        for other in others {
            assert_eq!(moment(other), None, "{other}");
        }
    }
}
