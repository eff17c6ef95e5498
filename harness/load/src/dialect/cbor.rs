//! The little of CBOR (RFC 8949) that a ledger needs: strings in nested maps.
//!
//! Apiservers write texts as byte strings (apimachinery:
//! pkg/runtime/serializer/cbor/internal/modes/encode.go), so that both kinds of
//! strings are taken for text here.

use super::Answered;

/// Deepest nesting that is followed; an apiserver's own limit is 64.
const DEEPEST: usize = 64;
/// What ends an item of indefinite length.
const BREAK: u8 = 0xff;

/// UID and resourceVersion of the object in `body`.
pub(super) fn object(body: &[u8]) -> Answered {
    let read = |key: &[u8]| text(value(value(body, b"metadata")?, key)?);
    Answered { uid: read(b"uid"), rv: read(b"resourceVersion") }
}

/// The message of the `Status` in `body`.
pub(super) fn message(body: &[u8]) -> Option<String> {
    text(value(body, b"message")?)
}

/// The head of an item: its major type, and its argument; none if its length
/// is indefinite.
struct Head {
    major: u8,
    argument: Option<u64>,
}

/// Takes the head of the next item, and any tags before it.
fn head(from: &mut &[u8]) -> Option<Head> {
    loop {
        let (&first, rest) = from.split_first()?;
        *from = rest;
        let (major, low) = (first >> 5, first & 31);
        let length = match low {
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => 0,
        };
        let argument = match low {
            0..24 => Some(u64::from(low)),
            24..28 => {
                let bytes = take(from, length)?;
                Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
            }
            31 if matches!(major, 2..=5) => None,
            // Not well-formed, or a break where an item has to be.
            _ => return None,
        };
        if major != 6 {
            return Some(Head { major, argument });
        }
    }
}

fn take<'b>(from: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

/// A string of definite length.
fn string<'b>(from: &mut &'b [u8]) -> Option<&'b [u8]> {
    let head = head(from)?;
    let length = usize::try_from(head.argument?).ok()?;
    matches!(head.major, 2 | 3).then(|| take(from, length)).flatten()
}

fn text(mut item: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(string(&mut item)?).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The item that `map` has under `wanted`, and what follows it.
fn value<'b>(map: &'b [u8], wanted: &[u8]) -> Option<&'b [u8]> {
    let mut rest = map;
    let Head { major: 5, argument } = head(&mut rest)? else { return None };
    let mut left = argument.unwrap_or(u64::MAX);
    while left > 0 {
        if argument.is_none() && rest.first() == Some(&BREAK) {
            return None;
        }
        let mut key = rest;
        if string(&mut key) == Some(wanted) {
            return Some(key);
        }
        skip(&mut rest, DEEPEST)?;
        skip(&mut rest, DEEPEST)?;
        left -= 1;
    }
    None
}

/// Skips an item, and what is in it, `depth` levels at most.
fn skip(from: &mut &[u8], depth: usize) -> Option<()> {
    let Head { major, argument } = head(from)?;
    let depth = depth.checked_sub(1)?;
    match (major, argument) {
        (2 | 3, Some(length)) => {
            take(from, usize::try_from(length).ok()?)?;
        }
        (4 | 5, Some(count)) => {
            // Each takes a byte at least, so that this ends with the input.
            for _ in 0..count {
                skip(from, depth)?;
                if major == 5 {
                    skip(from, depth)?;
                }
            }
        }
        (_, None) => {
            while *from.first()? != BREAK {
                skip(from, depth)?;
            }
            take(from, 1)?;
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// How strings and containers are written.
    #[derive(Debug, Clone, Copy)]
    struct Style {
        bytes: bool,
        endless: bool,
    }

    fn put_head(out: &mut Vec<u8>, major: u8, argument: usize) {
        let bytes = (argument as u64).to_be_bytes();
        match argument {
            0..24 => out.push(major << 5 | bytes[7]),
            24..256 => out.extend([major << 5 | 24, bytes[7]]),
            _ => {
                out.push(major << 5 | 27);
                out.extend(bytes);
            }
        }
    }

    fn put_text(out: &mut Vec<u8>, style: Style, text: &str) {
        put_head(out, if style.bytes { 2 } else { 3 }, text.len());
        out.extend_from_slice(text.as_bytes());
    }

    fn encode(out: &mut Vec<u8>, style: Style, value: &Value) {
        let begin = |out: &mut Vec<u8>, major: u8, count| match style.endless {
            true => out.push(major << 5 | 31),
            false => put_head(out, major, count),
        };
        match value {
            Value::Null => out.push(0xf6),
            Value::Bool(yes) => out.push(if *yes { 0xf5 } else { 0xf4 }),
            Value::Number(number) => match number.as_u64() {
                Some(number) => put_head(out, 0, usize::try_from(number).unwrap()),
                None => {
                    out.push(0xfb);
                    out.extend(number.as_f64().unwrap().to_be_bytes());
                }
            },
            Value::String(text) => put_text(out, style, text),
            Value::Array(items) => {
                begin(out, 4, items.len());
                items.iter().for_each(|item| encode(out, style, item));
            }
            Value::Object(map) => {
                begin(out, 5, map.len());
                for (key, value) in map {
                    put_text(out, style, key);
                    encode(out, style, value);
                }
            }
        }
        if style.endless && (value.is_array() || value.is_object()) {
            out.push(BREAK);
        }
    }

    fn encoded(style: Style, value: &Value) -> Vec<u8> {
        // Self-described, as apiservers write it.
        let mut out = vec![0xd9, 0xd9, 0xf7];
        encode(&mut out, style, value);
        out
    }

    fn styles() -> impl Strategy<Value = Style> {
        any::<(bool, bool)>().prop_map(|(bytes, endless)| Style { bytes, endless })
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u32>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            ".{0,300}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let key = "[a-z]{0,12}";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn only_the_objects_own_metadata_counts() {
        let style = Style { bytes: true, endless: false };
        let body = encoded(style, &json!({"a": {"metadata": {"uid": "no"}}, "uid": "no"}));
        assert_eq!(object(&body), Answered::default());
        let status = encoded(style, &json!({"kind": "Status", "message": "not found"}));
        assert_eq!(message(&status).as_deref(), Some("not found"));
        assert_eq!(object(&encoded(style, &json!({"metadata": {"uid": 5}}))), Answered::default());
    }

    #[test]
    fn deep_nesting_ends() {
        let mut body = vec![0xa2, 0x61, b'a'];
        body.extend(vec![0x81; 1 << 20]);
        assert_eq!(object(&body), Answered::default());
    }

    proptest! {
        #[test]
        fn uid_and_revision_are_read_among_anything(
            style in styles(), a in anything(), z in anything(), b in anything(),
        ) {
            let body = encoded(style, &json!({
                "aaa": a, "metadata": {"name": b, "uid": "u-1", "resourceVersion": "77"}, "zz": z,
            }));
            let expected = Answered { uid: Some("u-1".into()), rv: Some("77".into()) };
            prop_assert_eq!(object(&body), expected);
        }

        #[test]
        fn whatever_comes_is_no_panic(
            body: Vec<u8>, style in styles(), value in anything(), at: u16, byte: u8, cut: u16,
        ) {
            let _ = (object(&body), message(&body));
            let mut whole = encoded(style, &json!({"m": value, "metadata": {"uid": "u"}}));
            let length = whole.len();
            whole[usize::from(at) % length] = byte;
            whole.truncate(usize::from(cut) % length + 1);
            let _ = (object(&whole), message(&whole));
        }
    }
}
