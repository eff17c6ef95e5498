//! A reader of flat JSON objects that allocates nothing.
//!
//! Evidence is written by kab, in one form: no spaces, no nesting, hardly an
//! escape. This reads that form and nothing else; whatever it does not
//! recognise is left to the general parser, which then also says what is wrong
//! with it. So it may refuse anything, but accept nothing wrongly.

/// The value of a member. Texts are ASCII without escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    Text(&'a str),
    Number(u64),
    Flag,
    Null,
}

/// Calls `each` for every member of the object that `line` is; none if it is
/// anything else, or if `each` refuses a member.
pub(super) fn members<'a>(
    line: &'a [u8],
    mut each: impl FnMut(&'a str, Scalar<'a>) -> Option<()>,
) -> Option<()> {
    let mut rest = line.strip_prefix(b"{\"")?;
    loop {
        let key;
        (key, rest) = text(rest)?;
        let value;
        (value, rest) = scalar(rest.strip_prefix(b":")?)?;
        each(key, value)?;
        match rest {
            [b',', b'"', more @ ..] => rest = more,
            b"}" | b"}\n" => return Some(()),
            _ => return None,
        }
    }
}

fn scalar(from: &[u8]) -> Option<(Scalar<'_>, &[u8])> {
    match from {
        [b'"', rest @ ..] => text(rest).map(|(text, rest)| (Scalar::Text(text), rest)),
        [b't', b'r', b'u', b'e', rest @ ..] => Some((Scalar::Flag, rest)),
        [b'f', b'a', b'l', b's', b'e', rest @ ..] => Some((Scalar::Flag, rest)),
        [b'n', b'u', b'l', b'l', rest @ ..] => Some((Scalar::Null, rest)),
        _ => number(from).map(|(number, rest)| (Scalar::Number(number), rest)),
    }
}

/// An unsigned number without fraction, exponent or leading zero.
fn number(from: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    let mut digits = 0;
    for digit in from.iter().map(|byte| byte.wrapping_sub(b'0')).take_while(|digit| *digit < 10) {
        value = value.checked_mul(10)?.checked_add(digit.into())?;
        digits += 1;
    }
    let leading_zero = from.first() == Some(&b'0') && digits > 1;
    // What follows, `.` or `e` say, is refused by whoever reads on.
    (digits > 0 && !leading_zero).then(|| (value, &from[digits..]))
}

/// The text up to the next quote, and what follows the quote.
fn text(from: &[u8]) -> Option<(&str, &[u8])> {
    let length = plain(from);
    match from.get(length) {
        Some(b'"') => {
            // Checked above: nothing but ASCII.
            let text = std::str::from_utf8(&from[..length]).ok()?;
            Some((text, &from[length + 1..]))
        }
        _ => None,
    }
}

const ONES: u64 = u64::MAX / 0xff;
const HIGH: u64 = ONES << 7;

/// Number of bytes before the first that is no plain text: a quote, a
/// backslash, a control character, or no ASCII. Eight at a time.
fn plain(from: &[u8]) -> usize {
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let mut at = 0;
    while let Some(eight) = from.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*eight);
        // The lowest bit set is right; borrows can spoil only those above it.
        let special = zero(word ^ (ONES * u64::from(b'"')))
            | zero(word ^ (ONES * u64::from(b'\\')))
            | (word.wrapping_sub(ONES * 0x20) & !word & HIGH)
            | (word & HIGH);
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let special = |byte: &u8| *byte < 0x20 || *byte >= 0x80 || *byte == b'"' || *byte == b'\\';
    at + from[at..].iter().position(special).unwrap_or(from.len() - at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        members(line.as_bytes(), |key, value| {
            found.push((key.to_owned(), format!("{value:?}")));
            Some(())
        })?;
        Some(found)
    }

    #[test]
    fn flat_objects_are_read() {
        let found = read("{\"a\":\"x y\",\"longer\":12,\"t\":true,\"n\":null}\n").unwrap();
        let values: Vec<&str> = found.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["Text(\"x y\")", "Number(12)", "Flag", "Null"]);
        assert_eq!(found[1].0, "longer");
    }

    #[test]
    fn everything_else_is_left_to_others() {
        for other in [
            "",
            "{}",
            "[]",
            "{\"a\":1",
            "{\"a\":1}x",
            "{\"a\": 1}",
            "{\"a\":-1}",
            "{\"a\":1.5}",
            "{\"a\":1e3}",
            "{\"a\":01}",
            "{\"a\":{}}",
            "{\"a\":\"\\n\"}",
            "{\"a\":\"é\"}",
            "{\"a\":18446744073709551616}",
            "{\"a\":tru}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":\"x}",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_json(line in r#"\{("[ab\\]{0,3}":("[a-z\\é"]{0,12}"|[0-9.e-]{1,3}|true|null),?){0,3}\}"#) {
            if read(&line).is_some() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{}", line);
            }
        }

        #[test]
        fn plain_text_ends_where_it_ends(bytes: Vec<u8>) {
            let special = |b: &u8| *b < 0x20 || *b >= 0x80 || *b == b'"' || *b == b'\\';
            let simple = bytes.iter().position(special).unwrap_or(bytes.len());
            prop_assert_eq!(plain(&bytes), simple);
        }
    }
}
