//! The messages, as lines of JSON.

use kab_evidence::clock::Mono;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Report;

/// The version of the protocol that this kab speaks. Any change that the other
/// side could misread raises it.
pub const PROTOCOL: u32 = 1;

/// How much of a line that cannot be read is shown.
const SHOWN: usize = 200;

/// From the coordinator to a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Order<J> {
    /// What to do. The first message.
    Assign {
        /// Which worker this is, from 0.
        worker: u32,
        /// How many there are.
        of: u32,
        /// The load, whole: the worker takes its slice of the schedule itself.
        job: J,
    },
    /// When the schedule begins; the same for all.
    Start {
        /// On `CLOCK_MONOTONIC`, in nanoseconds.
        at: Mono,
    },
    /// Send nothing more, and report.
    Stop,
}

/// From a worker to the coordinator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum News {
    /// Everything is prepared: operations can be sent from now on.
    Ready {
        /// Which clock its instants are on: the id of the kernel's boot.
        clock: String,
        /// Operations of its slice.
        scheduled: u64,
    },
    /// All its operations have ended.
    Done {
        /// What it came to.
        report: Box<Report>,
    },
    /// It could not do it.
    Failed {
        /// Why, in a sentence.
        reason: String,
    },
}

/// A line was not a message of this protocol.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// It is of another version.
    #[error(
        "the other side speaks version {found} of the worker protocol, and this kab {PROTOCOL}: \
         use the same kab for both"
    )]
    Version {
        /// Its version.
        found: u32,
    },
    /// It is no message.
    #[error("not a message of the worker protocol ({source}): {line}")]
    Malformed {
        /// The line, or its beginning.
        line: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Whatever else a line says, its version is read first.
#[derive(Deserialize)]
struct Version {
    protocol: u32,
}

#[derive(Serialize)]
struct Envelope<'a, M> {
    protocol: u32,
    #[serde(flatten)]
    message: &'a M,
}

/// `message` as a line, with its end.
///
/// # Errors
/// If it has no JSON form.
pub fn write<M: Serialize>(message: &M) -> Result<String, serde_json::Error> {
    let line = serde_json::to_string(&Envelope { protocol: PROTOCOL, message })?;
    Ok(line + "\n")
}

/// The message in `line`.
///
/// # Errors
/// If it is of another version, or none.
pub fn read<M: DeserializeOwned>(line: &str) -> Result<M, ProtocolError> {
    let malformed = |source| ProtocolError::Malformed {
        line: line.trim_end().chars().take(SHOWN).collect(),
        source,
    };
    let Version { protocol } = serde_json::from_str(line).map_err(malformed)?;
    if protocol != PROTOCOL {
        return Err(ProtocolError::Version { found: protocol });
    }
    serde_json::from_str(line).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_their_line() {
        let orders = [
            Order::Assign { worker: 1, of: 4, job: "a job\nof two lines".to_owned() },
            Order::Start { at: Mono::from_nanos(u64::MAX) },
            Order::Stop,
        ];
        for order in orders {
            let line = write(&order).unwrap();
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(read::<Order<String>>(&line).unwrap(), order);
        }
        let report = Box::new(Report { reached: 7, ..Report::default() });
        for news in [
            News::Ready { clock: "boot".into(), scheduled: 9 },
            News::Done { report },
            News::Failed { reason: "no".into() },
        ] {
            assert_eq!(read::<News>(&write(&news).unwrap()).unwrap(), news);
        }
    }

    /// Whatever is changed here breaks workers of an older kab: raise PROTOCOL.
    #[test]
    fn the_lines_of_version_1_look_like_this() {
        let start = write(&Order::<()>::Start { at: Mono::from_nanos(5) }).unwrap();
        assert_eq!(start, "{\"protocol\":1,\"message\":\"start\",\"at\":5}\n");
        let ready = write(&News::Ready { clock: "b".into(), scheduled: 2 }).unwrap();
        assert_eq!(
            ready,
            "{\"protocol\":1,\"message\":\"ready\",\"clock\":\"b\",\"scheduled\":2}\n"
        );
    }

    #[test]
    fn another_version_is_refused_whatever_it_says() {
        let error = read::<News>(r#"{"protocol":2,"message":"sing","song":[1]}"#).unwrap_err();
        assert!(matches!(error, ProtocolError::Version { found: 2 }), "{error}");
        assert!(error.to_string().contains("version 2"), "{error}");
        for bad in ["", "hello", r#"{"message":"stop"}"#, r#"{"protocol":1,"message":"sing"}"#] {
            let error = read::<News>(bad).unwrap_err();
            assert!(matches!(error, ProtocolError::Malformed { .. }), "{error}");
        }
    }
}
