//! What operations are about, and what is in the entities they write.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::union::{one_key, text_or};
use crate::unit::Bytes;

/// Which of the existing entities an operation is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keys {
    /// The seed step that made them.
    pub of: String,
    /// How one is chosen.
    #[serde(default)]
    pub pick: Pick,
}

/// How an entity is chosen: `uniform`, `sequential`, `{zipf: {exponent: 0.99}}`
/// or `{hot: {keys: 10, share: 0.9}}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = one_key)]
#[schemars(
    description = "either `uniform`, `sequential`, {zipf: {exponent: 0.99}} or {hot: {keys: 10, share: 0.9}}"
)]
pub enum Pick {
    /// Each is equally likely.
    #[default]
    Uniform,
    /// One after the other, and again from the first.
    Sequential,
    /// By Zipf's law: the k-th with a probability proportional to k^-exponent.
    Zipf(ZipfKeys),
    /// A few get most.
    Hot(HotKeys),
}

/// Zipf's law.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ZipfKeys {
    /// The exponent: the larger, the fewer entities get most. 0.99 is usual.
    #[schemars(range(min = 0.01, max = 10.0))]
    pub exponent: f64,
}

/// A few entities that get most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HotKeys {
    /// How many are hot.
    #[schemars(range(min = 1))]
    pub keys: u64,
    /// Which share of the operations they get together, from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
}

/// What is in an entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Payload {
    /// Length of the message, drawn anew for each entity from the seed.
    #[serde(default = "small")]
    pub size: Size,
    /// Whether the message consists of words, which gzip makes a half to a
    /// quarter of, and not of random characters.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compressible: bool,
}

impl Default for Payload {
    fn default() -> Self {
        Self { size: small(), compressible: false }
    }
}

fn small() -> Size {
    Size::Fixed(Bytes::from(256))
}

/// A size: always the same, or drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// Always the same.
    Fixed(Bytes),
    /// Drawn anew each time.
    Drawn(Sizes),
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let wanted = "a size such as 256B, 20kB (1000) or 64MiB (1024); or {uniform: {from: 1kB, to: \
                      4kB}}, {lognormal: {median: 1kB, sigma: 1, most: 1MB}} or {choice: [{size: 1kB, \
                      weight: 9}, {size: 64kB, weight: 1}]}";
        text_or::<Bytes, Sizes>(generator, wanted)
    }
}

/// A distribution of sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Sizes {
    /// Each of a range is equally likely.
    Uniform(UniformSize),
    /// Many small ones, few large ones.
    Lognormal(LognormalSize),
    /// One of several.
    Choice(Vec<SizeChoice>),
}

/// Sizes of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UniformSize {
    /// The smallest.
    pub from: Bytes,
    /// The largest.
    pub to: Bytes,
}

/// Lognormal sizes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LognormalSize {
    /// Half of them are larger.
    pub median: Bytes,
    /// Standard deviation of the logarithm: 1 makes one in six more than 2.7
    /// times the median.
    #[schemars(range(min = 0.0, max = 5.0))]
    pub sigma: f64,
    /// What would be larger gets this size.
    pub most: Bytes,
}

/// One of several sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SizeChoice {
    /// The size.
    pub size: Bytes,
    /// How often, beside the weights of the others.
    pub weight: u32,
}

impl Size {
    /// Bytes on average; of lognormal sizes as if none were cut.
    #[allow(clippy::cast_precision_loss)] // an estimate
    pub fn mean(&self) -> f64 {
        let bytes = |size: Bytes| size.get() as f64;
        match self {
            Self::Fixed(size) => bytes(*size),
            Self::Drawn(Sizes::Uniform(range)) => (bytes(range.from) + bytes(range.to)) / 2.0,
            Self::Drawn(Sizes::Lognormal(LognormalSize { median, sigma, most })) => {
                (bytes(*median) * (sigma * sigma / 2.0).exp()).min(bytes(*most))
            }
            Self::Drawn(Sizes::Choice(choices)) => {
                let weights: f64 = choices.iter().map(|c| f64::from(c.weight)).sum();
                let sum: f64 = choices.iter().map(|c| bytes(c.size) * f64::from(c.weight)).sum();
                if weights > 0.0 { sum / weights } else { 0.0 }
            }
        }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(size) => size.fmt(f),
            Self::Drawn(Sizes::Uniform(range)) => write!(f, "{} to {}", range.from, range.to),
            Self::Drawn(Sizes::Lognormal(sizes)) => {
                write!(f, "about {} (at most {})", sizes.median, sizes.most)
            }
            Self::Drawn(Sizes::Choice(choices)) => {
                let sizes: Vec<_> = choices.iter().map(|choice| choice.size.to_string()).collect();
                f.write_str(&sizes.join(" or "))
            }
        }
    }
}
