//! One stream, and how it is found by its number.

use std::hash::Hasher;

/// One request and its answer.
#[derive(Debug)]
pub(super) struct Stream {
    pub tag: u64,
    pub room: i64,
    pub used: u32,
    /// What of the body is still to be sent.
    pub rest: Option<(Vec<u8>, usize)>,
    pub answered: bool,
}

/// Stream numbers spread well enough by themselves.
#[derive(Debug, Default)]
pub(super) struct ByNumber(u64);

impl Hasher for ByNumber {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u32(&mut self, number: u32) {
        // Odd numbers in a row; hashbrown wants its high bits varied.
        self.0 = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
