//! What a refusal of the database means.

use std::error::Error as _;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::{DbError, SqlState};

use super::super::Refused;
use super::Fault;
use crate::rules::Broken;

/// Of something that only reads.
pub(super) fn of_read(fault: Fault) -> Refused {
    match of_write(fault) {
        // Nothing is left in doubt by it.
        Refused::Indeterminate(why) => Refused::Unavailable(why),
        refused => refused,
    }
}

/// Of something that writes, and commits.
pub(super) fn of_write(fault: Fault) -> Refused {
    let error = match fault {
        Fault::Refused(refused) => return refused,
        Fault::Sql(error) => error,
    };
    match error.as_db_error() {
        Some(said) => by_state(said),
        // No answer came: it was sent, perhaps, and perhaps done.
        None => Refused::Indeterminate(whole(&error)),
    }
}

/// Of something that was in a transaction, which had not come to its commit.
pub(super) fn before_commit(fault: Fault) -> Fault {
    match of_write_ref(&fault) {
        true => nothing_done_of(fault),
        false => fault,
    }
}

/// Of the beginning of a transaction.
pub(super) fn nothing_done(error: tokio_postgres::Error) -> Fault {
    before_commit(Fault::Sql(error))
}

fn of_write_ref(fault: &Fault) -> bool {
    matches!(fault, Fault::Sql(error) if error.as_db_error().is_none_or(is_crash))
}

fn nothing_done_of(fault: Fault) -> Fault {
    match fault {
        Fault::Sql(error) => Refused::Unavailable(whole(&error)).into(),
        refused @ Fault::Refused(_) => refused,
    }
}

/// Whether another transaction stood in the way, and trying again may help.
pub(super) fn is_in_the_way(fault: &Fault) -> bool {
    let Fault::Sql(error) = fault else { return false };
    error.code().is_some_and(|code| {
        *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
    })
}

/// Whether a rule was broken, of which the database names one.
pub(super) fn is_rule(fault: &Fault) -> bool {
    match fault {
        Fault::Sql(error) => error.code() == Some(&SqlState::CHECK_VIOLATION),
        Fault::Refused(refused) => matches!(refused, Refused::Invalid(_)),
    }
}

/// Of the pool. Nothing was sent.
pub(super) fn no_connection(error: PoolError) -> Refused {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => Refused::Throttled {
            why: "all connections to the database are in use".to_owned(),
            after: None,
        },
        error => Refused::Unavailable(told(&error)),
    }
}

/// An error of the pool, with what the database said.
pub(super) fn told(error: &PoolError) -> String {
    match error {
        PoolError::Backend(error) => whole(error),
        other => other.to_string(),
    }
}

/// The backend was ended in the middle of something, which may be its commit.
fn is_crash(said: &DbError) -> bool {
    *said.code() == SqlState::CRASH_SHUTDOWN
}

fn by_state(said: &DbError) -> Refused {
    refused(said.code(), said.constraint(), said.message())
}

/// What the database's own code for an error means.
fn refused(code: &SqlState, constraint: Option<&str>, message: &str) -> Refused {
    let why = || message.to_owned();
    if *code == SqlState::CHECK_VIOLATION {
        return Refused::Invalid(constraint.and_then(rule).unwrap_or_else(why));
    }
    match *code {
        SqlState::UNIQUE_VIOLATION => {
            Refused::Conflict("there is a Todo with this code already".to_owned())
        }
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
            Refused::Conflict(why())
        }
        SqlState::INSUFFICIENT_PRIVILEGE => Refused::Denied(why()),
        SqlState::PROGRAM_LIMIT_EXCEEDED | SqlState::STATEMENT_TOO_COMPLEX => {
            Refused::TooLarge(why())
        }
        SqlState::NOT_NULL_VIOLATION
        | SqlState::STRING_DATA_RIGHT_TRUNCATION
        | SqlState::NUMERIC_VALUE_OUT_OF_RANGE => Refused::Invalid(why()),
        SqlState::TOO_MANY_CONNECTIONS => Refused::Throttled { why: why(), after: None },
        SqlState::CRASH_SHUTDOWN => Refused::Indeterminate(why()),
        _ => match code.code().get(..2) {
            // Data that is none of its type: dates, encodings.
            Some("22") => Refused::Invalid(why()),
            // Who it is was not believed.
            Some("28") => Refused::Denied(why()),
            // Resources, the operator, the system, a read-only transaction: it
            // was rolled back.
            _ => Refused::Unavailable(format!("{message} ({})", code.code())),
        },
    }
}

/// The rule behind a constraint.
fn rule(constraint: &str) -> Option<String> {
    let broken = match constraint {
        "message_blank" => Broken::BlankMessage,
        "message_length" => Broken::LongMessage,
        "due_year" => Broken::OtherCentury,
        "due_put_off" => Broken::PutOffTooFar,
        "code_length" => return Some("code: must have 1 to 253 characters".to_owned()),
        _ => return None,
    };
    Some(broken.to_string())
}

/// An error and its causes: the top one says only `db error`.
fn whole(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_means_what_it_should() {
        let of = |code: &str, constraint| refused(&SqlState::from_code(code), constraint, "said");
        let name = |refused: Refused| refused.to_string().split(':').next().unwrap().to_owned();
        for (code, meaning) in [
            ("23505", "conflict"),
            ("40001", "conflict"),
            ("40P01", "conflict"),
            ("42501", "denied"),
            ("28P01", "denied"),
            ("22007", "invalid"),
            ("22021", "invalid"),
            ("23502", "invalid"),
            ("23514", "invalid"),
            ("54000", "too large"),
            ("53300", "throttled"),
            ("57014", "unavailable"),
            ("57P01", "unavailable"),
            ("57P03", "unavailable"),
            ("53100", "unavailable"),
            ("25006", "unavailable"),
            ("57P02", "indeterminate"),
        ] {
            assert_eq!(name(of(code, None)), meaning, "{code}");
        }
        let put_off = of("23514", Some("due_put_off"));
        assert_eq!(put_off, Refused::Invalid(Broken::PutOffTooFar.to_string()));
    }
}
