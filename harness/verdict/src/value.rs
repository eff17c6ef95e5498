//! A measured value, with its unit, as claims compute with it and people read it.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length of time in nanoseconds; negative where one process's clock reading
/// contradicts another's.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Nanos(pub i64);

impl Nanos {
    /// The same in seconds.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// From seconds, to the nanosecond; what does not fit is cut off.
    pub fn from_seconds(seconds: f64) -> Self {
        let length = Duration::try_from_secs_f64(seconds.abs()).unwrap_or(Duration::MAX);
        let nanos = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX);
        Self(if seconds < 0.0 { -nanos } else { nanos })
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0 as f64;
        let size = nanos.abs();
        let (scaled, unit) = match size {
            0.0 => return f.write_str("0 s"),
            _ if size < 999.5 => (nanos, "ns"),
            _ if size < 999.5e3 => (nanos / 1e3, "µs"),
            _ if size < 999.5e6 => (nanos / 1e6, "ms"),
            _ if size < 599.5e9 => (nanos / 1e9, "s"),
            _ => (nanos / 60e9, "min"),
        };
        write!(f, "{} {unit}", significant(scaled))
    }
}

/// A number as text with three significant digits, never in scientific notation.
pub fn significant(number: f64) -> String {
    let size = number.abs();
    let decimals = match size {
        0.0 => 0,
        _ if size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ if size >= 0.09995 => 3,
        _ => 4,
    };
    format!("{number:.decimals$}")
}

/// A count with its thousands set apart: `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage. What is not all is never written as 100 %, nor
/// what is something as 0 %.
pub fn percent(share: f64) -> String {
    let exact = share == 0.0 || share == 1.0;
    let wanted = if exact { 0 } else { 1 };
    for decimals in wanted..8 {
        let text = format!("{:.decimals$}", share * 100.0);
        let rounded: f64 = text.parse().unwrap_or(f64::NAN);
        if exact || (rounded != 0.0 && rounded != 100.0) {
            return format!("{text} %");
        }
    }
    format!("{:.8} %", share * 100.0)
}

/// A size in bytes as text: `1.50 MiB`.
pub fn bytes(count: i64) -> String {
    let units = [("GiB", 1i64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = units.iter().find(|(_, size)| count.abs() >= *size);
    unit.map_or_else(
        || format!("{count} B"),
        |(name, size)| format!("{} {name}", significant(count as f64 / *size as f64)),
    )
}

/// One measured value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// How many: a CEL `int`.
    Count(u64),
    /// A share, 0 to 1: a CEL `double`.
    Ratio(f64),
    /// So many a second: a CEL `double`.
    PerSecond(f64),
    /// So many processors: a CEL `double`.
    Cores(f64),
    /// So many bytes, or fewer than before: a CEL `int`.
    Bytes(i64),
    /// A length of time: a CEL `duration`.
    Duration(Nanos),
    /// Yes or no: a CEL `bool`.
    Flag(bool),
    /// A number without a unit, as somebody else gave it: a CEL `double`.
    Number(f64),
    /// What somebody said: a CEL `string`.
    Text(String),
}

impl Value {
    /// As CEL computes with it.
    pub fn to_cel(self) -> cel::Value {
        match self {
            Self::Count(n) => cel::Value::Int(i64::try_from(n).unwrap_or(i64::MAX)),
            Self::Bytes(n) => cel::Value::Int(n),
            Self::Ratio(x) | Self::PerSecond(x) | Self::Cores(x) | Self::Number(x) => {
                cel::Value::Float(x)
            }
            Self::Duration(d) => cel::Value::Duration(chrono::Duration::nanoseconds(d.0)),
            Self::Flag(b) => cel::Value::Bool(b),
            Self::Text(text) => text.into(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(n) => f.write_str(&grouped(*n)),
            Self::Ratio(x) => f.write_str(&percent(*x)),
            Self::Cores(x) => write!(f, "{} processors", significant(*x)),
            Self::PerSecond(x) if x.is_infinite() => f.write_str("none of the rates tried"),
            Self::PerSecond(x) => write!(f, "{}/s", significant(*x)),
            Self::Bytes(n) => f.write_str(&bytes(*n)),
            Self::Duration(d) => d.fmt(f),
            Self::Flag(b) => b.fmt(f),
            Self::Number(x) => x.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_the_unit_people_use() {
        let text = |nanos| Nanos(nanos).to_string();
        assert_eq!(text(0), "0 s");
        assert_eq!(text(999), "999 ns");
        assert_eq!(text(1_234), "1.23 µs");
        assert_eq!(text(999_600), "1.00 ms");
        assert_eq!(text(12_345_678), "12.3 ms");
        assert_eq!(text(-12_345_678), "-12.3 ms");
        assert_eq!(text(90_000_000_000), "90.0 s");
        assert_eq!(text(1_200_000_000_000), "20.0 min");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
    }

    #[test]
    fn a_share_below_one_never_reads_as_all() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.9975), "99.8 %");
        assert_eq!(percent(0.999_99), "99.999 %");
        assert_eq!(percent(0.000_01), "0.001 %");
    }

    #[test]
    fn sizes_have_the_unit_people_use() {
        assert_eq!(
            [0, 1023, -2048, 3 << 29].map(bytes),
            ["0 B", "1023 B", "-2.00 KiB", "1.50 GiB"]
        );
    }

    #[test]
    fn seconds_and_back() {
        assert_eq!(Nanos::from_seconds(0.25), Nanos(250_000_000));
        assert_eq!(Nanos::from_seconds(-1.5).seconds(), -1.5);
        assert_eq!(Nanos::from_seconds(1e300), Nanos(i64::MAX));
    }
}
