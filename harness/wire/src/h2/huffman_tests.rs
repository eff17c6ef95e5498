use proptest::prelude::*;

use super::*;

/// The code of a symbol, and its length: made by the definition of a canonical
/// code (RFC 1951, section 3.2.2), apart from the tables of the decoder.
fn code(symbol: usize) -> (u32, u32) {
    let mut all: Vec<_> = (0..SYMBOLS).map(|s| (LENGTHS[s], s)).collect();
    all.sort_unstable();
    let (mut code, mut before) = (0_u32, 0_u8);
    for (length, its) in all {
        code <<= length - before;
        before = length;
        if its == symbol {
            return (code, u32::from(length));
        }
        code += 1;
    }
    unreachable!()
}

fn encode(text: &[u8]) -> Vec<u8> {
    let mut bits = String::new();
    for &byte in text {
        let (code, length) = code(usize::from(byte));
        bits.push_str(&format!("{code:0width$b}", width = length as usize));
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    let octet = |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap();
    bits.as_bytes().chunks(8).map(octet).collect()
}

fn decoded(coded: &[u8]) -> Option<Vec<u8>> {
    decode(coded, &mut [0; 600]).map(<[u8]>::to_vec)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// Rows of appendix B: symbol, code, length.
#[test]
fn codes_of_the_rfcs_table() {
    for (symbol, expected, length) in [
        (0, 0x1ff8, 13),
        (1, 0x7f_ffd8, 23),
        (10, 0x3fff_fffc, 30),
        (usize::from(b' '), 0x14, 6),
        (usize::from(b'/'), 0x18, 6),
        (usize::from(b'0'), 0x0, 5),
        (usize::from(b'Z'), 0xfd, 8),
        (usize::from(b'a'), 0x3, 5),
        (usize::from(b'~'), 0x1ffd, 13),
        (127, 0xfff_fffc, 28),
        (200, 0x3ff_ffe2, 26),
        (255, 0x3ff_ffee, 26),
        (256, 0x3fff_ffff, 30),
    ] {
        let (code, its) = code(symbol);
        assert_eq!((code, its), (expected, length), "{symbol}");
    }
}

/// Appendix C.4 and C.6.
#[test]
fn strings_of_the_rfcs_examples() {
    for (coded, text) in [
        ("f1e3 c2e5 f23a 6ba0 ab90 f4ff", "www.example.com"),
        ("a8eb 1064 9cbf", "no-cache"),
        ("25a8 49e9 5ba9 7d7f", "custom-key"),
        ("25a8 49e9 5bb8 e8b4 bf", "custom-value"),
        ("6402", "302"),
        ("aec3 771a 4b", "private"),
        ("d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3", "https://www.example.com"),
        ("640e ff", "307"),
        ("9bd9 ab", "gzip"),
        (
            "94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 \
             65c0 03ed 4ee5 b106 3d50 07",
            "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ),
    ] {
        assert_eq!(decoded(&hex(coded)).as_deref(), Some(text.as_bytes()), "{text}");
        assert_eq!(encode(text.as_bytes()), hex(coded), "{text}");
    }
}

#[test]
fn wrong_padding_and_the_end_symbol_are_refused() {
    // Eight bits of padding; padding that is not of ones; the end's symbol.
    for bad in ["ff", "1c 07 ff", "00 00", "ff ff ff ff", "ff ff ff fc"] {
        assert_eq!(decoded(&hex(bad)), None, "{bad}");
    }
    assert_eq!(decoded(&[]), Some(Vec::new()));
    // Five ones after "000".
    assert_eq!(decoded(&[0b0000_0111]), Some(b"0".to_vec()));
}

#[test]
fn what_does_not_fit_is_none() {
    assert_eq!(decode(&encode(b"abcd"), &mut [0; 3]), None);
    assert_eq!(decode(&encode(b"abcd"), &mut [0; 4]), Some(&b"abcd"[..]));
}

proptest! {
    #[test]
    fn every_text_survives(text in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(decoded(&encode(&text)), Some(text));
    }

    /// There is one encoding of each text.
    #[test]
    fn what_is_decoded_encodes_to_the_same(coded in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Some(text) = decoded(&coded) {
            prop_assert_eq!(encode(&text), coded);
        }
    }
}
