//! The little of Kubernetes' protobuf that a ledger needs.
//!
//! An answer is the magic `k8s\0` and a `runtime.Unknown`, whose field 2 (`raw`)
//! is the object. Every object's field 1 is its metadata; of an `ObjectMeta`
//! field 5 is the UID and field 6 the resourceVersion. Of a `Status` field 3 is
//! the message. (apimachinery: pkg/runtime/generated.proto,
//! pkg/apis/meta/v1/generated.proto.)

use super::Answered;

const MAGIC: &[u8] = b"k8s\0";
const RAW: u64 = 2;
const METADATA: u64 = 1;
const UID: u64 = 5;
const RESOURCE_VERSION: u64 = 6;
const STATUS_MESSAGE: u64 = 3;

/// UID and resourceVersion of the object in `body`.
pub(super) fn object(body: &[u8]) -> Answered {
    let metadata = raw(body).and_then(|object| field(object, METADATA)).unwrap_or_default();
    Answered { uid: text(metadata, UID), rv: text(metadata, RESOURCE_VERSION) }
}

/// The message of the `Status` in `body`.
pub(super) fn message(body: &[u8]) -> Option<String> {
    text(raw(body)?, STATUS_MESSAGE)
}

fn raw(body: &[u8]) -> Option<&[u8]> {
    field(body.strip_prefix(MAGIC)?, RAW)
}

fn text(message: &[u8], number: u64) -> Option<String> {
    let text = std::str::from_utf8(field(message, number)?).ok()?;
    // Go writes strings that are not set, too: as empty ones.
    (!text.is_empty()).then(|| text.to_owned())
}

/// Field `number` of `message`, which has a length; the first one.
fn field(mut message: &[u8], number: u64) -> Option<&[u8]> {
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let bytes = match tag & 7 {
            0 => {
                varint(&mut message)?;
                None
            }
            1 => take(&mut message, 8).map(|_| None)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                Some(take(&mut message, length)?)
            }
            5 => take(&mut message, 4).map(|_| None)?,
            // Groups, which Kubernetes has none of, and what is no type.
            _ => return None,
        };
        if tag >> 3 == number && bytes.is_some() {
            return bytes;
        }
    }
    None
}

fn take<'b>(from: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

fn varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 127) << shift;
        if byte & 128 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put_varint(out: &mut Vec<u8>, mut value: u64) {
        while value >= 128 {
            out.push(u8::try_from(value & 127).unwrap() | 128);
            value >>= 7;
        }
        out.push(u8::try_from(value).unwrap());
    }

    fn put(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
        put_varint(out, number << 3 | 2);
        put_varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }

    fn answer(raw: &[u8]) -> Vec<u8> {
        let mut type_meta = Vec::new();
        put(&mut type_meta, 1, b"v1");
        put(&mut type_meta, 2, b"ConfigMap");
        let mut out = MAGIC.to_vec();
        put(&mut out, 1, &type_meta);
        put(&mut out, RAW, raw);
        put(&mut out, 3, b"");
        put(&mut out, 4, b"");
        out
    }

    fn config_map(name: &str, uid: &str, rv: &str, message: &[u8]) -> Vec<u8> {
        let mut meta = Vec::new();
        for (number, text) in [(1, name), (2, ""), (3, "ns"), (4, ""), (UID, uid)] {
            put(&mut meta, number, text.as_bytes());
        }
        put(&mut meta, RESOURCE_VERSION, rv.as_bytes());
        // `generation`, a number.
        put_varint(&mut meta, 7 << 3);
        put_varint(&mut meta, 300);
        let mut object = Vec::new();
        put(&mut object, METADATA, &meta);
        put(&mut object, 2, message);
        answer(&object)
    }

    #[test]
    fn an_object_that_was_deleted_is_answered_by_a_status_without_uid() {
        let mut status = Vec::new();
        put(&mut status, 1, &[]);
        put(&mut status, 2, b"Failure");
        put(&mut status, STATUS_MESSAGE, b"configmaps \"x\" not found");
        let body = answer(&status);
        assert_eq!(object(&body), Answered::default());
        assert_eq!(message(&body).as_deref(), Some("configmaps \"x\" not found"));
        assert_eq!(message(b"{}"), None);
    }

    proptest! {
        #[test]
        fn uid_and_revision_are_read(
            name in ".{0,40}", uid in "[0-9a-f-]{1,36}", rv in "[0-9]{1,12}", data: Vec<u8>,
        ) {
            let body = config_map(&name, &uid, &rv, &data);
            prop_assert_eq!(object(&body), Answered { uid: Some(uid), rv: Some(rv) });
        }

        #[test]
        fn whatever_comes_is_no_panic(body: Vec<u8>, cut in 0_usize..200, at in 0_usize..200, byte: u8) {
            let _ = (object(&body), message(&body), object(&answer(&body)));
            let mut whole = config_map("n", "u", "7", b"data");
            if let Some(place) = whole.get_mut(at) {
                *place = byte;
            }
            whole.truncate(cut);
            let _ = (object(&whole), message(&whole));
        }
    }
}
