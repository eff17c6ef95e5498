//! What messages consist of.

use std::sync::Arc;

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

/// The characters of a random message: each stands for itself in JSON, and
/// there are 64 of them, so that a random byte picks one without bias.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789- ";

/// Words of compressible messages: 128, so that a random byte picks one
/// without bias. They are 6.1 characters long on average,
/// with the space behind.
#[rustfmt::skip] // or it is a line a word
const WORDS: [&str; 128] = [
    "the", "and", "order", "customer", "of", "to", "item", "delivery", "in", "is", "address",
    "payment", "for", "that", "invoice", "status", "was", "on", "pending", "shipped", "with", "as",
    "account", "number", "at", "by", "request", "confirmed", "from", "this", "quantity", "price",
    "be", "have", "total", "amount", "or", "one", "warehouse", "location", "had", "not", "carrier",
    "tracking", "but", "what", "package", "weight", "all", "were", "received", "returned", "when",
    "we", "reason", "damaged", "there", "can", "refund", "issued", "an", "your", "contact",
    "phone", "which", "their", "email", "message", "said", "if", "reply", "question", "will",
    "each", "answer", "support", "about", "how", "ticket", "priority", "up", "out", "assigned",
    "team", "them", "then", "manager", "approved", "she", "many", "region", "country", "some",
    "so", "street", "city", "these", "would", "schedule", "date", "other", "into", "morning",
    "afternoon", "has", "more", "expected", "arrival", "her", "two", "signature", "required",
    "like", "him", "customs", "cleared", "see", "time", "document", "attached", "could", "no",
    "service", "standard", "make", "than", "express", "insured",
];

/// Bytes of a [`Text::Pooled`] pool.
const POOL: usize = 1 << 20;

/// What messages consist of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// Random characters of an alphabet of 64: six bits a byte, and no more to
    /// be gained than these two. gzip makes 76 % of it.
    Random,
    /// Random words with spaces between them: gzip makes about a half of
    /// 1 KiB of it, and 28 % of 64 KiB.
    Words,
    /// As [`Self::Random`], but copied from a pool that is made once for the
    /// step, from a place that depends on the index: cheaper. Messages of
    /// different entities may share stretches, farther apart than gzip (32 KiB)
    /// looks, but not than other compressors do.
    Pooled(Pool),
}

/// A million random characters, shared by all who write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool(Arc<[u8]>);

impl Pool {
    /// The pool of `seed`.
    pub fn new(seed: [u8; 32]) -> Self {
        let mut bytes = vec![0; POOL];
        ChaCha12Rng::from_seed(seed).fill_bytes(&mut bytes);
        spell(&mut bytes);
        Self(bytes.into())
    }
}

impl Text {
    /// Appends `size` bytes of text, drawn from `random`, to `out`.
    pub(super) fn append(&self, random: &mut ChaCha12Rng, size: usize, out: &mut Vec<u8>) {
        let begin = out.len();
        match self {
            Self::Random => {
                out.resize(begin + size, 0);
                random.fill_bytes(&mut out[begin..]);
                spell(&mut out[begin..]);
            }
            Self::Words => {
                let mut bytes = [0; 64];
                while out.len() < begin + size {
                    random.fill_bytes(&mut bytes);
                    for byte in bytes {
                        out.extend_from_slice(WORDS[usize::from(byte & 127)].as_bytes());
                        out.push(b' ');
                    }
                }
                out.truncate(begin + size);
            }
            Self::Pooled(Pool(pool)) => {
                // A multiply maps 32 bits to the pool's places evenly.
                let place = (u64::from(random.next_u32()) * pool.len() as u64) >> 32;
                let mut from = usize::try_from(place).unwrap_or(0);
                while out.len() < begin + size {
                    let rest = begin + size - out.len();
                    let part = &pool[from..(from + rest).min(pool.len())];
                    out.extend_from_slice(part);
                    from = 0;
                }
            }
        }
    }
}

/// Makes a character of the alphabet of each byte.
fn spell(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = ALPHABET[usize::from(*byte & 63)];
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn text(kind: &Text, size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        kind.append(&mut ChaCha12Rng::from_seed([3; 32]), size, &mut out);
        assert_eq!(out.len(), size);
        out
    }

    /// What gzip, at its default level, makes of it.
    fn compressed(text: &[u8]) -> f64 {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap().len() as f64 / text.len() as f64
    }

    #[test]
    fn random_text_cannot_be_compressed_below_its_six_bits() {
        let pool = Text::Pooled(Pool::new([9; 32]));
        for kind in [Text::Random, pool] {
            let ratio = compressed(&text(&kind, 64 << 10));
            assert!((0.75..0.78).contains(&ratio), "{ratio}");
        }
    }

    #[test]
    fn words_can_be_compressed() {
        let [small, large] = [1 << 10, 64 << 10].map(|size| compressed(&text(&Text::Words, size)));
        assert!((0.45..0.60).contains(&small), "{small}");
        assert!((0.26..0.30).contains(&large), "{large}");
    }

    #[test]
    fn every_character_stands_for_itself_in_json() {
        let plain = |b: &u8| (b' '..=b'~').contains(b) && *b != b'"' && *b != b'\\';
        assert!(ALPHABET.iter().all(plain));
        assert!(WORDS.iter().all(|word| !word.is_empty() && word.bytes().all(|b| plain(&b))));
        let distinct: std::collections::HashSet<_> = WORDS.iter().collect();
        assert_eq!(distinct.len(), WORDS.len());
    }

    #[test]
    fn a_message_longer_than_the_pool_goes_round() {
        let out = text(&Text::Pooled(Pool::new([9; 32])), 3 * POOL);
        assert_eq!(out[..POOL], out[POOL..2 * POOL]);
    }
}
