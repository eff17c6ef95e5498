//! The operation id that travels with a write through every process.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The annotation on an entity that says which operation wrote it last.
pub const OP_ANNOTATION: &str = "kab.dev/op";

/// The header that carries the id between processes: W3C Trace Context, so
/// that the apiserver's own spans can be joined by the same id.
pub const TRACEPARENT: &str = "traceparent";

/// The header in which a notification names the resourceVersion of the change
/// that it announces. The origin has neither header; the lab adds both, so that
/// a receipt can be joined to its write.
pub const RESOURCE_VERSION: &str = "kab-resource-version";

/// Identifies one operation of one run: a run-wide nonce and a sequence
/// number, together the 16-byte trace id of W3C Trace Context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId {
    nonce: u64,
    sequence: u64,
}

impl OpId {
    /// The id of operation `sequence` in the run marked by `nonce`.
    /// Both are shifted off zero, which Trace Context forbids for a whole id.
    pub const fn new(nonce: u64, sequence: u64) -> Self {
        Self { nonce, sequence: sequence.wrapping_add(1) }
    }

    /// The id in the 16 bytes of a trace id.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let [nonce, sequence] = [&bytes[..8], &bytes[8..]]
            .map(|half| half.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte)));
        Self { nonce, sequence }
    }

    /// What all ids of a run share, or of one part of it.
    pub const fn nonce(self) -> u64 {
        self.nonce
    }

    /// The sequence number that it was made of.
    pub const fn number(self) -> u64 {
        self.sequence.wrapping_sub(1)
    }

    /// The second half of the id: the operation's number, shifted off zero.
    pub(crate) const fn sequence(self) -> u64 {
        self.sequence
    }

    /// The id as 32 hexadecimal digits.
    fn digits(self) -> [u8; 32] {
        let id = u128::from(self.nonce) << 64 | u128::from(self.sequence);
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(id.to_be_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xf)];
        }
        digits
    }

    /// The value of a `traceparent` header for this operation: version 00,
    /// sampled, with the sequence number as parent id.
    pub fn traceparent(self) -> String {
        format!("00-{self}-{:016x}-01", self.sequence)
    }

    /// The same text as [`fmt::Display`] gives, without an allocation.
    pub fn text(self) -> IdText {
        IdText::default().hex(self.nonce).hex(self.sequence)
    }

    /// The same text as [`Self::traceparent`] gives, without an allocation.
    pub fn traceparent_text(self) -> IdText {
        let front = IdText::default().plain(b"00-").hex(self.nonce).hex(self.sequence);
        front.plain(b"-").hex(self.sequence).plain(b"-01")
    }

    /// Reads the id from a `traceparent` header; `None` if it is not one.
    pub fn from_traceparent(value: &str) -> Option<Self> {
        let mut parts = value.split('-');
        let (_version, id) = (parts.next()?, parts.next()?);
        (parts.count() == 2).then(|| id.parse().ok()).flatten()
    }
}

/// An id as text, on the stack.
#[derive(Debug, Clone, Copy)]
pub struct IdText {
    bytes: [u8; 55],
    length: usize,
}

impl Default for IdText {
    fn default() -> Self {
        Self { bytes: [0; 55], length: 0 }
    }
}

impl IdText {
    /// The text.
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever put in.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    fn plain(mut self, text: &[u8]) -> Self {
        self.bytes[self.length..self.length + text.len()].copy_from_slice(text);
        self.length += text.len();
        self
    }

    fn hex(mut self, number: u64) -> Self {
        for shift in (0..16).rev() {
            let digit = usize::try_from(number >> (4 * shift) & 15).unwrap_or(0);
            self.bytes[self.length] = b"0123456789abcdef"[digit];
            self.length += 1;
        }
        self
    }
}

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text(&self.digits()))
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Marks a byte that is no digit in [`VALUES`].
const NO_DIGIT: u8 = 0xff;

/// The value of each byte as a hexadecimal digit. Ids are read by the million.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut digit = 0u8;
    while digit < 16 {
        let lower = DIGITS[digit as usize];
        values[lower as usize] = digit;
        values[lower.to_ascii_uppercase() as usize] = digit;
        digit += 1;
    }
    values
};

/// Digits as text; they are ASCII.
fn text(digits: &[u8; 32]) -> &str {
    std::str::from_utf8(digits).unwrap_or_default()
}

/// The text was not 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an operation id is 32 hexadecimal digits, not {0:?}")]
pub struct BadOpId(String);

impl FromStr for OpId {
    type Err = BadOpId;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let bad = || BadOpId(s.to_owned());
        let digits: &[u8; 32] = s.as_bytes().try_into().map_err(|_| bad())?;
        let (mut id, mut wrong) = (0u128, 0u8);
        for digit in digits {
            let value = VALUES[usize::from(*digit)];
            wrong |= value & 0xf0;
            id = id << 4 | u128::from(value & 0xf);
        }
        if wrong != 0 {
            return Err(bad());
        }
        let [nonce, sequence] = [id >> 64, id & u128::from(u64::MAX)].map(|half| {
            // Each is 64 bits.
            u64::try_from(half).unwrap_or_default()
        });
        Ok(Self { nonce, sequence })
    }
}

impl Serialize for OpId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(text(&self.digits()))
    }
}

impl<'de> Deserialize<'de> for OpId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(Digits)
    }
}

/// Reads an id wherever its text lies, without a copy of it.
struct Digits;

impl serde::de::Visitor<'_> for Digits {
    type Value = OpId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an operation id")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OpId, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for OpId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OpId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn survives_text_and_header(nonce: u64, sequence: u64) {
            let id = OpId::new(nonce, sequence);
            prop_assert_eq!(id.to_string().parse::<OpId>().unwrap(), id);
            prop_assert_eq!(OpId::from_traceparent(&id.traceparent()), Some(id));
            let text = id.text();
            prop_assert_eq!(text.as_str(), id.to_string());
            let text = id.traceparent_text();
            prop_assert_eq!(text.as_str(), id.traceparent());
            let number = u128::from_str_radix(&id.to_string(), 16).unwrap();
            prop_assert_eq!(OpId::from_bytes(number.to_be_bytes()), id);
        }

        #[test]
        fn nonsense_is_refused_without_panic(s in "\\PC*") {
            if s.len() != 32 {
                prop_assert!(s.parse::<OpId>().is_err());
            }
            let _ = OpId::from_traceparent(&s);
        }
    }
}
