//! The Huffman code of header compression (RFC 7541, section 5.2 and appendix B).
//!
//! The code is canonical: codes of one length are consecutive, in the order of
//! their symbols, and those of a greater length follow on. So the lengths alone
//! say everything, and a symbol is found by comparing the next bits with the end
//! of each length's range.

/// Length of each symbol's code in bits (appendix B); the last is the end of a
/// string, which must not be in one.
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const SYMBOLS: usize = 257;
const END: u16 = 256;
const LONGEST: usize = 30;

/// Symbols in the order of their codes.
const SORTED: [u16; SYMBOLS] = sorted();
/// Of each length: what its codes stay below, as the high bits of a word; 0 if
/// there is none of it.
const BELOW: [u32; LONGEST + 1] = ranges().0;
/// Of each length: the place in [`SORTED`] that its code 0 would have.
const BASE: [usize; LONGEST + 1] = ranges().1;

const fn sorted() -> [u16; SYMBOLS] {
    let (mut sorted, mut at, mut length) = ([0; SYMBOLS], 0, 1);
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol <= END {
            if LENGTHS[symbol as usize] as usize == length {
                sorted[at] = symbol;
                at += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    sorted
}

// Computed at compile time, where `try_from` is not to be had: a code has 30
// bits at most, and what would not fit a word is caught before it is cast.
#[allow(clippy::cast_possible_truncation)]
const fn ranges() -> ([u32; LONGEST + 1], [usize; LONGEST + 1]) {
    let (mut below, mut base) = ([0; LONGEST + 1], [0; LONGEST + 1]);
    let (mut code, mut at, mut length) = (0_u64, 0_usize, 1);
    while length <= LONGEST {
        code <<= 1;
        base[length] = at.wrapping_sub(code as usize);
        let first = code;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                code += 1;
                at += 1;
            }
            symbol += 1;
        }
        if code > first {
            // The code of all ones, the last, is at no word's end: it has 30
            // bits, and a word 32.
            let end = code << (32 - length);
            below[length] = if end > u32::MAX as u64 { u32::MAX } else { end as u32 };
        }
        length += 1;
    }
    (below, base)
}

/// Decodes `coded` into `text`: what is in it then. None if it is no Huffman
/// code, or longer than `text`.
pub fn decode<'t>(coded: &[u8], text: &'t mut [u8]) -> Option<&'t [u8]> {
    let mut bits = 0_u64;
    // How many of the low bits of `bits` are still to be read.
    let mut have = 0_u32;
    let mut coming = coded.iter();
    let mut length = 0;
    loop {
        while have <= 32 {
            let Some(&byte) = coming.next() else { break };
            bits = bits << 8 | u64::from(byte);
            have += 8;
        }
        if have == 0 {
            break;
        }
        // The next 32 bits, ones behind the end.
        let window = if have >= 32 {
            bits >> (have - 32)
        } else {
            bits << (32 - have) | u64::from(u32::MAX >> have)
        };
        let window = u32::try_from(window & u64::from(u32::MAX)).ok()?;
        let taken = (5..=LONGEST).find(|&taken| window < BELOW[taken]).unwrap_or(LONGEST);
        if taken > have as usize {
            // Padding: fewer than eight ones.
            return (have < 8 && window == u32::MAX).then(|| &text[..length]);
        }
        let code = (window >> (32 - taken)) as usize;
        let symbol = *SORTED.get(BASE[taken].wrapping_add(code))?;
        *text.get_mut(length)? = u8::try_from(symbol).ok()?;
        length += 1;
        have -= u32::try_from(taken).ok()?;
    }
    Some(&text[..length])
}

#[cfg(test)]
#[path = "huffman_tests.rs"]
mod tests;
