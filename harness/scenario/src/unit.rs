//! Quantities with their units, as they are written in a scenario file.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A text was not a quantity of the kind wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct BadQuantity {
    text: String,
    wanted: &'static str,
}

/// Makes a quantity readable from, and writable as, the text its `FromStr`
/// and `Display` agree on, and describes that text to editors.
macro_rules! textual {
    ($type:ident, $pattern:literal, $format:literal, $wanted:literal) => {
        impl $type {
            const WANTED: &'static str = $wanted;

            /// Name of the schema format that stands for all of `FromStr`,
            /// also for what a pattern cannot say (zero, overflow).
            pub(crate) const FORMAT: &'static str = $format;

            fn bad(text: &str) -> BadQuantity {
                BadQuantity { text: text.to_owned(), wanted: Self::WANTED }
            }
        }

        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "format": $format,
                    "pattern": $pattern,
                    "description": $wanted
                })
            }
        }
    };
}

/// Operations a second: `40/s`, `0.5/s`, `600/m`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(f64);

textual!(Rate, r"^[0-9]+(\.[0-9]+)?/[sm]$", "kab-rate", "a rate such as 40/s, 0.5/s or 600/m");

impl Rate {
    /// So many operations a second; none unless that is finite and above zero.
    pub fn of(per_second: f64) -> Option<Self> {
        (per_second.is_finite() && per_second > 0.0).then_some(Self(per_second))
    }

    /// Operations a second; always finite and above zero.
    pub const fn per_second(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = BadQuantity;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (number, per) = s.split_once('/').ok_or_else(|| Self::bad(s))?;
        let seconds = match per {
            "s" => 1.0,
            "m" => 60.0,
            _ => return Err(Self::bad(s)),
        };
        let rate = decimal(number).ok_or_else(|| Self::bad(s))? / seconds;
        if rate.is_finite() && rate > 0.0 { Ok(Self(rate)) } else { Err(Self::bad(s)) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// Operations a second, perhaps none: `40/s`, `0/s`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Level(f64);

textual!(Level, r"^[0-9]+(\.[0-9]+)?/[sm]$", "kab-level", "a rate such as 40/s, or 0/s for none");

impl Level {
    /// Operations a second; always finite and not below zero.
    pub const fn per_second(self) -> f64 {
        self.0
    }
}

impl FromStr for Level {
    type Err = BadQuantity;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let zero = |s: &str| {
            let number = s.strip_suffix("/s").or_else(|| s.strip_suffix("/m"))?;
            decimal(number).filter(|&rate| rate == 0.0)
        };
        match (zero(s), s.parse::<Rate>()) {
            (Some(rate), _) => Ok(Self(rate)),
            (None, Ok(rate)) => Ok(Self(rate.per_second())),
            (None, Err(_)) => Err(Self::bad(s)),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// A span of time: `20s`, `250ms`, `5m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

textual!(
    Span,
    r"^[0-9]+(\.[0-9]+)?(us|ms|s|m|h)$",
    "kab-span",
    "a duration such as 20s, 250ms, 5m or 1h"
);

impl Span {
    /// The duration itself.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for Span {
    type Err = BadQuantity;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let unit = s.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(|| Self::bad(s))?;
        let seconds = match &s[unit..] {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(Self::bad(s)),
        };
        let number = decimal(&s[..unit]).ok_or_else(|| Self::bad(s))?;
        Duration::try_from_secs_f64(number * seconds).map(Self).map_err(|_| Self::bad(s))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        for (unit, size) in
            [("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000)]
        {
            if micros > 0 && micros.is_multiple_of(size) {
                return write!(f, "{}{unit}", micros / size);
            }
        }
        write!(f, "{micros}us")
    }
}

/// A number of bytes: `256B`, `20kB`, `64MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(u64);

textual!(
    Bytes,
    r"^[0-9]+(B|kB|MB|GB|KiB|MiB|GiB)$",
    "kab-bytes",
    "a size such as 256B, 20kB (1000) or 64MiB (1024)"
);

const BYTE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl Bytes {
    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for Bytes {
    fn from(bytes: u64) -> Self {
        Self(bytes)
    }
}

impl FromStr for Bytes {
    type Err = BadQuantity;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let unit = s.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(|| Self::bad(s))?;
        let (_, size) =
            BYTE_UNITS.iter().find(|(name, _)| *name == &s[unit..]).ok_or_else(|| Self::bad(s))?;
        let number: u64 = s[..unit].parse().map_err(|_| Self::bad(s))?;
        number.checked_mul(*size).map(Self).ok_or_else(|| Self::bad(s))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |size: u64| self.0 > 0 && self.0.is_multiple_of(size);
        let (unit, size) = BYTE_UNITS.iter().find(|(_, size)| fits(*size)).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

/// A plain decimal number: digits, perhaps a point. No sign, exponent, `inf`.
fn decimal(s: &str) -> Option<f64> {
    let plain = !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then(|| s.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!("600/m".parse::<Rate>().unwrap().per_second(), 10.0);
        assert_eq!("250ms".parse::<Span>().unwrap().duration(), Duration::from_millis(250));
        assert_eq!("64MiB".parse::<Bytes>().unwrap().get(), 64 << 20);
    }

    #[test]
    fn refuses_what_has_no_unit_or_no_sense() {
        for bad in ["", "40", "0/s", "-1/s", "1e3/s", "inf/s", "40/h", "40 /s", "4é/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
        for bad in ["", "20", "-1s", "1d", "s", "99999999999999999999h", "é5s"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
        for bad in ["", "1", "1.5MB", "1KB", "99999999999999GiB"] {
            assert!(bad.parse::<Bytes>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(micros in 0u64..1 << 40, bytes: u64) {
            let span = Span::from(Duration::from_micros(micros));
            prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
            let bytes = Bytes::from(bytes);
            prop_assert_eq!(bytes.to_string().parse::<Bytes>().unwrap(), bytes);
        }

        #[test]
        fn never_panics(s in "\\PC*") {
            let _ = (s.parse::<Rate>(), s.parse::<Span>(), s.parse::<Bytes>());
        }
    }
}
