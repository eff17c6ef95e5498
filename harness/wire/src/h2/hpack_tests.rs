use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn status(block: &str) -> Option<u16> {
    decode(&hex(block)).unwrap().map(|head| head.status)
}

/// First answers of appendix C.5 and C.6: the status as text and in Huffman
/// code, among headers that are skipped.
#[test]
fn statuses_of_the_rfcs_examples() {
    let plain = "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 \
                 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 \
                 6c65 2e63 6f6d";
    assert_eq!(status(plain), Some(302));
    let coded = "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 \
                 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3";
    assert_eq!(status(coded), Some(302));
    assert_eq!(status("4883 640e ff"), Some(307));
    // Indexed, after a table size update.
    assert_eq!(status("20 88"), Some(200));
    // Trailers.
    assert_eq!(status("40 03 666f6f 03 626172"), None);
}

#[test]
fn retry_after_is_read_and_a_date_is_not() {
    let with = |value: &str| {
        let mut block = vec![0x88];
        literal(&mut block, RETRY_AFTER, "", value);
        decode(&block).unwrap().unwrap().retry_after
    };
    assert_eq!(with("17"), Some(Duration::from_secs(17)));
    assert_eq!(with("Fri, 31 Dec 1999 23:59:59 GMT"), None);
}

#[test]
fn the_media_type_is_read_by_index_and_by_name() {
    let media = |block: &str| decode(&hex(block)).unwrap().unwrap().media;
    // "application/json" in Huffman code: by index, by a plain name, by a coded
    // one; indexed for a table that stays empty.
    let json = "8b 1d75 d062 0d26 3d4c 74 41 ea";
    assert_eq!(media(&format!("88 0f10 {json}")), Media::Json);
    assert_eq!(media(&format!("88 5f {json}")), Media::Json);
    assert_eq!(media(&format!("88 00 0c 636f 6e74 656e 742d 7479 7065 {json}")), Media::Json);
    assert_eq!(media(&format!("88 00 89 21ea 496a 4ac9 f559 7f {json}")), Media::Json);
    assert_eq!(media("88 5f 10 6170 706c 6963 6174 696f 6e2f 6362 6f72"), Media::Cbor);
    assert_eq!(media("88"), Media::Unsaid);
    assert_eq!(media("88 5f 81 00"), Media::Other, "not a Huffman code");
}

#[test]
fn blocks_that_need_a_table_or_are_cut_short_are_refused() {
    for bad in ["80", "be", "ff ff ff ff ff ff ff", "48", "48 05 31", "0f", "7f ff", "40 81"] {
        assert!(decode(&hex(bad)).is_err(), "{bad}");
    }
}

#[test]
fn constant_headers_go_out_once() {
    let constant = [("authorization".to_owned(), "Bearer ".to_owned() + &"t".repeat(900))];
    let mut encoder = Encoder::new("127.0.0.1:443", &constant, true);
    let mut lengths = Vec::new();
    for _ in 0..3 {
        let mut out = Vec::new();
        encoder.encode(Method::Get, "/x", &[], None, &mut out);
        lengths.push(out.len());
    }
    assert!(lengths[0] > 900);
    assert_eq!(lengths[1..], [8, 8], "method, scheme, path (4), two indices");
    // A server without a table gets them each time, after having been told.
    encoder.limit(0);
    let mut out = Vec::new();
    encoder.encode(Method::Get, "/x", &[], None, &mut out);
    assert_eq!(out[0], 0x20);
    assert!(out.len() > 900);
}

proptest! {
    #[test]
    fn integers_survive(value in 0_usize..1 << 28, bits in 4_u32..8) {
        let mut out = Vec::new();
        integer(&mut out, 0, bits, value);
        let mut rest = out.as_slice();
        prop_assert_eq!(take_integer(&mut rest, bits), Ok(value));
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn never_panics(block: Vec<u8>) {
        let _ = decode(&block);
    }
}
