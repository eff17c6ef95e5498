//! A single request of a scenario, and what came of it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Mono;

/// What a client may conclude from an answer, or from none.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// Done.
    Applied,
    /// Refused: what is there already, or is another by now, stands against it.
    Conflict,
    /// Refused: whoever asks may not.
    Denied,
    /// Refused: it makes no sense, or breaks a rule.
    Invalid,
    /// Refused: more than is taken.
    TooLarge,
    /// Refused for now: too much is asked.
    Throttled,
    /// Not done: nobody is there who could.
    Unavailable,
    /// Perhaps done.
    Indeterminate,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Applied,
        Self::Conflict,
        Self::Denied,
        Self::Invalid,
        Self::TooLarge,
        Self::Throttled,
        Self::Unavailable,
        Self::Indeterminate,
    ];

    /// Its name in claims.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::TooLarge => "tooLarge",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Indeterminate => "indeterminate",
        }
    }

    /// What the status of an answer says (RFC 9110, section 15), taken at its
    /// word: a gateway that answers 400 to everything says "invalid".
    pub const fn of_status(status: u16) -> Self {
        match status {
            200..=399 => Self::Applied,
            401 | 403 => Self::Denied,
            409 | 412 => Self::Conflict,
            413 => Self::TooLarge,
            429 => Self::Throttled,
            400..=499 => Self::Invalid,
            // A gateway that waited in vain: what it waited for may come to pass.
            504 => Self::Indeterminate,
            _ => Self::Unavailable,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an attempt picked out of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Selected {
    /// Nothing: the answer has nothing there.
    Absent,
    /// A text; of a long one its beginning, and the SHA-256 of the whole.
    Text(String),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// A list or a mapping, of so many entries.
    Entries(u64),
}

/// One line of `attempts.jsonl`: a single request, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRecord {
    /// The step that it belongs to.
    pub step: String,
    /// `gateway` or `apiserver`.
    pub via: String,
    /// As whom it was made.
    pub identity: String,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// When it was handed to the transport.
    pub sent: Mono,
    /// When its answer was read, or given up.
    pub done: Mono,
    /// The answer's status; none if there was no whole answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What that means.
    pub class: Class,
    /// Bytes of the request's body.
    pub bytes_out: u64,
    /// Bytes of the answer's body.
    pub bytes_in: u64,
    /// What was picked out of the answer; none if nothing was to be, or there
    /// was no answer in JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<Selected>,
    /// The beginning of the answer, or why there was none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_taken_at_its_word() {
        for (status, class) in [
            (200, Class::Applied),
            (201, Class::Applied),
            (400, Class::Invalid),
            (403, Class::Denied),
            (404, Class::Invalid),
            (409, Class::Conflict),
            (412, Class::Conflict),
            (413, Class::TooLarge),
            (422, Class::Invalid),
            (429, Class::Throttled),
            (500, Class::Unavailable),
            (503, Class::Unavailable),
            (504, Class::Indeterminate),
        ] {
            assert_eq!(Class::of_status(status), class, "{status}");
        }
    }

    #[test]
    fn names_are_those_of_the_format() {
        for class in Class::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
        }
    }

    #[test]
    fn a_line_survives_being_written_and_read() {
        let line = AttemptRecord {
            step: "dup".into(),
            via: "gateway".into(),
            identity: "anonymous".into(),
            method: "POST".into(),
            path: "/api/todo".into(),
            sent: Mono::from_nanos(1),
            done: Mono::from_nanos(2),
            status: Some(409),
            class: Class::Conflict,
            bytes_out: 3,
            bytes_in: 4,
            selected: Some(Selected::Number(1.5)),
            excerpt: "{".into(),
        };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<AttemptRecord>(&text).unwrap(), line);
    }
}
