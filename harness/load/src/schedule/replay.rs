//! A recorded series of rates.

use std::time::Duration;

use super::ScheduleError;
use super::rate::NanoRate;

/// How the rate goes from one point of a series to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between {
    /// In a straight line.
    Line,
    /// It stays, and jumps at the next point.
    Hold,
}

/// Rates at points in time, the first at 0. Between them the rate is what
/// [`Between`] says; behind the last it stays.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    points: Vec<(Duration, f64)>,
    between: Between,
    duration: Duration,
}

/// A series cannot be played.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SeriesError {
    /// No points.
    #[error("reading a series of rates: it is empty; give it at least one point, at 0 s")]
    Empty,
    /// It begins somewhere else.
    #[error("reading a series of rates: its first point is at {at:?}; let it begin at 0 s")]
    NoBeginning {
        /// The first point.
        at: Duration,
    },
    /// Two points in the wrong order, or at one time.
    #[error("reading a series of rates: the point at {at:?} does not come after the one before it")]
    Order {
        /// The second of the two.
        at: Duration,
    },
    /// A point behind the end.
    #[error(
        "playing a series of rates for {duration:?}: its last point is at {last:?}; play it longer, \
         or leave points out"
    )]
    TooShort {
        /// How long it was to be played.
        duration: Duration,
        /// The last point.
        last: Duration,
    },
    /// A line of a file that is no point.
    #[error(
        "reading line {line} of a series of rates: {text:?} is not `seconds,operations per second`, \
         such as `1.5,40`"
    )]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is there.
        text: String,
    },
}

impl Series {
    /// The series of `points`: each a time from the start, and operations a
    /// second there. It is played for `duration`, or else to its last point.
    ///
    /// # Errors
    /// If the points do not rise from 0, or `duration` ends before the last.
    pub fn new(
        points: Vec<(Duration, f64)>,
        between: Between,
        duration: Option<Duration>,
    ) -> Result<Self, SeriesError> {
        let (Some(&(at, _)), Some(&(last, _))) = (points.first(), points.last()) else {
            return Err(SeriesError::Empty);
        };
        if !at.is_zero() {
            return Err(SeriesError::NoBeginning { at });
        }
        if let Some(pair) = points.windows(2).find(|pair| pair[1].0 <= pair[0].0) {
            return Err(SeriesError::Order { at: pair[1].0 });
        }
        match duration {
            Some(duration) if duration < last => Err(SeriesError::TooShort { duration, last }),
            _ => Ok(Self { points, between, duration: duration.unwrap_or(last) }),
        }
    }

    /// The points of a file: a line `seconds,operations per second` each. Empty
    /// lines, lines that begin with `#`, and a first line of names are passed
    /// over.
    ///
    /// # Errors
    /// If another line is no such pair.
    pub fn points(text: &str) -> Result<Vec<(Duration, f64)>, SeriesError> {
        let mut points = Vec::new();
        let lines = text.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        for (nth, (index, line)) in lines.enumerate() {
            let point = line.split_once(',').and_then(|(at, rate)| {
                let at = Duration::try_from_secs_f64(at.trim().parse().ok()?).ok()?;
                Some((at, rate.trim().parse().ok()?))
            });
            match point {
                Some(point) => points.push(point),
                None if nth == 0 && line.starts_with(|c: char| c.is_alphabetic()) => {}
                None => {
                    return Err(SeriesError::Line { line: index + 1, text: line.to_owned() });
                }
            }
        }
        Ok(points)
    }

    pub(super) fn stretches(&self) -> Result<Vec<(Duration, NanoRate, NanoRate)>, ScheduleError> {
        let next = self.points.iter().skip(1).copied().map(Some).chain([None]);
        let mut stretches = Vec::with_capacity(self.points.len());
        for (&(at, rate), next) in self.points.iter().zip(next) {
            let from = NanoRate::new(rate)?;
            let (end, to) = match (next, self.between) {
                (Some((end, to)), Between::Line) => (end, NanoRate::new(to)?),
                (Some((end, _)), Between::Hold) => (end, from),
                (None, _) => (self.duration, from),
            };
            stretches.push((end.saturating_sub(at), from, to));
        }
        Ok(stretches)
    }
}
