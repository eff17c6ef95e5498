//! What a Todo must be: the business's rules, in one place.
//!
//! Each system enforces the same ones by its own means: the gateway's validate
//! endpoint by [`judge`], a definition by its schema and CEL, a policy by CEL,
//! a table by constraints and a trigger. Tests hold them against each other.

use std::fmt;

use jiff::{Span, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// Longest message, in characters: 1 MiB of ASCII, well below what etcd takes.
pub const LONGEST_MESSAGE: usize = 1 << 20;

/// Todos are due in these years.
pub const YEARS: std::ops::RangeInclusive<i16> = 2000..=2099;

/// By how many days at most an update may put a Todo off. A rule about two
/// states: no schema knows it.
pub const LONGEST_DELAY_DAYS: i64 = 3650;

/// What the rules are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content<'a> {
    /// What is to be done.
    pub message: &'a str,
    /// When, RFC 3339.
    pub when: &'a str,
}

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
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

impl Broken {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::BlankMessage,
        Self::LongMessage,
        Self::NoTime,
        Self::OtherCentury,
        Self::PutOffTooFar,
    ];
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
    let Ok(when) = new.when.parse::<Timestamp>() else {
        broken.push(Broken::NoTime);
        return broken;
    };
    if !YEARS.contains(&when.to_zoned(TimeZone::UTC).year()) {
        broken.push(Broken::OtherCentury);
    }
    let before = old.and_then(|old| old.when.parse::<Timestamp>().ok());
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
}
