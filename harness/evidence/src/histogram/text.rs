//! A distribution as text: HDR's own compressed format (V2, DEFLATE) in base64,
//! as it stands in HDR logs, so that other tools read it, too. Every bucket's
//! count survives, so that distributions of several processes can be merged
//! without loss.

use std::borrow::Cow;
use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use super::Latencies;

/// A text was not a distribution of latencies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHistogram {
    /// It is not base64.
    #[error("a histogram is base64: {0}")]
    Text(#[from] base64::DecodeError),
    /// It is not an HDR histogram.
    #[error("this is no HDR histogram: {0}")]
    Content(String),
    /// It counts in other buckets, so that it cannot be merged without loss.
    #[error(
        "this histogram is for values from {low} to {high} with {digits} digits, and kab's are \
         for 1 ns to 10 min with 3"
    )]
    Buckets {
        /// Lowest value told apart.
        low: u64,
        /// Highest value counted.
        high: u64,
        /// Significant digits.
        digits: u8,
    },
}

impl Latencies {
    /// As text.
    ///
    /// # Errors
    /// If the histogram cannot be encoded, which its bounds exclude.
    pub fn to_text(&self) -> Result<String, BadHistogram> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.0, &mut bytes)
            .map_err(|error| BadHistogram::Content(error.to_string()))?;
        Ok(STANDARD.encode(bytes))
    }

    /// From text.
    ///
    /// # Errors
    /// If it is none, or one with other buckets.
    pub fn from_text(text: &str) -> Result<Self, BadHistogram> {
        let bytes = STANDARD.decode(text)?;
        let read: Histogram<u64> = Deserializer::new()
            .deserialize(&mut Cursor::new(bytes))
            .map_err(|error| BadHistogram::Content(error.to_string()))?;
        let mut latencies = Self::new();
        if (read.low(), read.high(), read.sigfig())
            != (latencies.0.low(), latencies.0.high(), latencies.0.sigfig())
        {
            let (low, high, digits) = (read.low(), read.high(), read.sigfig());
            return Err(BadHistogram::Buckets { low, high, digits });
        }
        // What is read may resize itself; what is kept here does not.
        let added = latencies.0.add(&read);
        added.map_err(|error| BadHistogram::Content(format!("{error:?}")))?;
        Ok(latencies)
    }
}

impl Serialize for Latencies {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.to_text().map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::from_text(&Cow::<'de, str>::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Merged from the texts of several processes: the same, bucket by
        /// bucket, as recorded by one.
        #[test]
        fn merged_from_texts_equals_recorded_by_one(
            parts in prop::collection::vec(prop::collection::vec(0u64..1 << 41, 0..100), 0..8),
        ) {
            let mut merged = Latencies::new();
            for part in &parts {
                let text = serde_json::to_string(&part.iter().copied().collect::<Latencies>());
                merged.merge(&serde_json::from_str(&text.unwrap()).unwrap());
            }
            let one: Latencies = parts.concat().into_iter().collect();
            prop_assert_eq!(&merged, &one);
            for quantile in [0.0, 0.5, 0.99, 0.999, 1.0] {
                prop_assert_eq!(merged.quantile(quantile), one.quantile(quantile));
            }
            prop_assert_eq!((merged.max(), merged.mean()), (one.max(), one.mean()));
        }

        #[test]
        fn nonsense_is_refused_without_panic(text in "\\PC*", bytes: Vec<u8>) {
            let _ = Latencies::from_text(&text);
            prop_assert!(Latencies::from_text(&STANDARD.encode(bytes)).is_err());
        }
    }

    #[test]
    fn other_buckets_are_refused() {
        let mut bytes = Vec::new();
        let other = Histogram::<u64>::new_with_bounds(1, 1_000_000, 2).unwrap();
        V2DeflateSerializer::new().serialize(&other, &mut bytes).unwrap();
        let error = Latencies::from_text(&STANDARD.encode(bytes)).unwrap_err();
        assert_eq!(error, BadHistogram::Buckets { low: 1, high: 1_000_000, digits: 2 });
    }

    #[test]
    fn it_is_the_text_of_hdr_logs() {
        assert!(Latencies::new().to_text().unwrap().starts_with("HISTFAAAA"));
    }
}
