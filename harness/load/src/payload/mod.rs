//! What is written: Todos, each determined by (step, seed, index) alone.

mod sizes;
mod text;

use bytes::Bytes;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use crate::draw::Draws;
pub use sizes::{Sizes, SizesError};
pub use text::{Pool, Text};

/// Bytes of a body beside the code and the message, and to spare.
const FRAME: usize = 64;

/// Longest step name; leaves room in the 253 characters of a resource's name.
const LONGEST_STEP: usize = 100;

/// A source of Todos. The same step, seed, size and index give the same Todo in
/// every run (the generator is a named one, ChaCha12), and no two indices of a
/// run, nor two steps, give the same code.
#[derive(Debug, Clone)]
pub struct Todos {
    /// Beginning of every code.
    prefix: String,
    /// Beginning of every entity's random seed.
    seed: [u8; 24],
    sizes: Sizes,
    draws: Draws,
    text: Text,
}

/// One entity, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Todo {
    /// The business code, which becomes the resource's name.
    pub code: String,
    /// The request's body: JSON of `code`, `message` and `when`.
    pub body: Bytes,
}

/// The step's name cannot be the beginning of a resource's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "naming entities after step {step:?}: a step's name is a lower-case letter, then letters and \
     digits, {LONGEST_STEP} at most"
)]
pub struct BadStepName {
    step: String,
}

impl Todos {
    /// Todos for `step`, drawn from `seed`, with messages of `size` bytes.
    ///
    /// # Errors
    /// If the step's name is not of the form that scenario files demand.
    pub fn new(step: &str, seed: u64, size: usize) -> Result<Self, BadStepName> {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        Self::with(step, seed, Sizes::Fixed(size), Text::Random)
    }

    /// Todos for `step`, drawn from `seed`, with messages of `sizes` that
    /// consist of `text`.
    ///
    /// # Errors
    /// If the step's name is not of the form that scenario files demand.
    pub fn with(step: &str, seed: u64, sizes: Sizes, text: Text) -> Result<Self, BadStepName> {
        let fits = step.len() <= LONGEST_STEP
            && step.starts_with(|c: char| c.is_ascii_lowercase())
            && step.bytes().all(|b| b.is_ascii_alphanumeric());
        if !fits {
            return Err(BadStepName { step: step.to_owned() });
        }
        // writeFast -> write-fast: names of resources have no upper case.
        let mut prefix = String::with_capacity(step.len() + 20);
        for c in step.chars() {
            if c.is_ascii_uppercase() {
                prefix.push('-');
            }
            prefix.push(c.to_ascii_lowercase());
        }
        let mut mixed = [0; 24];
        mixed[..8].copy_from_slice(&seed.to_le_bytes());
        mixed[8..].copy_from_slice(&fnv1a_128(step.as_bytes()).to_le_bytes());
        let draws = Draws::new(seed, &format!("{step}/size"));
        Ok(Self { prefix: format!("{prefix}-{seed:x}-"), seed: mixed, sizes, draws, text })
    }

    /// The code of Todo `index`.
    pub fn code(&self, index: u64) -> String {
        format!("{}{index}", self.prefix)
    }

    /// Todo `index`.
    pub fn todo(&self, index: u64) -> Todo {
        let code = self.code(index);
        let mut body = Vec::new();
        self.write_body(&code, index, &mut body);
        Todo { code, body: body.into() }
    }

    /// Appends the JSON of an entity called `code` with the content of Todo
    /// `index` to `out`: what operation `index` makes of an entity that exists.
    /// `code` must be one of [`Self::code`], of this step or another.
    pub fn write_body(&self, code: &str, index: u64, out: &mut Vec<u8>) {
        let mut seed = [0; 32];
        seed[..24].copy_from_slice(&self.seed);
        seed[24..].copy_from_slice(&index.to_le_bytes());
        let mut random = ChaCha12Rng::from_seed(seed);
        let size = self.sizes.sample(&mut self.draws.at(index));
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        out.reserve(size + code.len() + FRAME);
        // Nothing in any of the three needs escaping.
        let when = some_day(&mut random);
        out.extend_from_slice(br#"{"code":""#);
        out.extend_from_slice(code.as_bytes());
        out.extend_from_slice(br#"","message":""#);
        self.text.append(&mut random, size, out);
        out.extend_from_slice(br#"","when":""#);
        out.extend_from_slice(&when);
        out.extend_from_slice(br#""}"#);
    }
}

/// A moment of the year 2030, RFC 3339. Drawn, not read from the clock: the
/// same seed gives the same bodies.
fn some_day(random: &mut ChaCha12Rng) -> [u8; 20] {
    let mut day = *b"2030-00-00T00:00:00Z";
    // The place of each part, from how many values, and the first of them.
    for (at, values, first) in [(5, 12, 1), (8, 28, 1), (11, 24, 0), (14, 60, 0), (17, 60, 0)] {
        let value = random.next_u32() % values + first;
        day[at] += u8::try_from(value / 10).unwrap_or(0);
        day[at + 1] += u8::try_from(value % 10).unwrap_or(0);
    }
    day
}

/// FNV-1a, 128 bits: tells steps apart, with no need to resist anyone.
fn fnv1a_128(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, &byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(serde::Deserialize)]
    struct Read {
        code: String,
        message: String,
        when: String,
    }

    fn read(todo: &Todo) -> Read {
        serde_json::from_slice(&todo.body).unwrap()
    }

    /// If this changes, so do the bodies that older seeds stand for.
    #[test]
    fn a_seed_stands_for_the_same_todo_in_every_version() {
        let todo = Todos::new("write", 42, 16).unwrap().todo(7);
        assert_eq!(
            String::from_utf8_lossy(&todo.body),
            r#"{"code":"write-2a-7","message":"eygvXTbi K4VUkVu","when":"2030-03-06T23:52:48Z"}"#
        );
    }

    #[test]
    fn steps_that_differ_only_in_case_do_not_share_names() {
        let code = |step| Todos::new(step, 1, 0).unwrap().code(3);
        assert_eq!(code("writeFast"), "write-fast-1-3");
        assert_eq!(code("writefast"), "writefast-1-3");
    }

    #[test]
    fn names_that_would_be_refused_later_are_refused_now() {
        for bad in ["", "Write", "write_it", "wr ite", "é", &"a".repeat(101)] {
            assert!(Todos::new(bad, 1, 1).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_valid_name_and_exactly_the_size(step in "[a-z][a-zA-Z0-9]{0,40}", seed: u64, index: u64, size in 0usize..3000) {
            let todo = Todos::new(&step, seed, size).unwrap().todo(index);
            let read = read(&todo);
            prop_assert_eq!(&read.code, &todo.code);
            prop_assert_eq!(read.message.len(), size);
            // RFC 1123, as Kubernetes checks it for a custom resource's name.
            prop_assert!(todo.code.len() <= 253);
            prop_assert!(todo.code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(!todo.code.starts_with('-') && !todo.code.ends_with('-'));
            let jiff_like = read.when.len() == 20 && read.when.starts_with("2030-") && read.when.ends_with('Z');
            prop_assert!(jiff_like, "{}", read.when);
        }

        #[test]
        fn the_same_again_and_no_other(seed: u64, other: u64, index in 0u64..1 << 40) {
            let todos = Todos::new("write", seed, 64).unwrap();
            prop_assert_eq!(todos.todo(index), todos.todo(index));
            let messages: HashSet<_> = [
                todos.todo(index),
                todos.todo(index + 1),
                Todos::new("writes", seed, 64).unwrap().todo(index),
                Todos::new("write", seed ^ (other | 1), 64).unwrap().todo(index),
            ]
            .iter()
            .flat_map(|todo| [read(todo).message, todo.code.clone()])
            .collect();
            prop_assert_eq!(messages.len(), 8);
        }
    }
}
