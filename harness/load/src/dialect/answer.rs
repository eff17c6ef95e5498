//! What an apiserver's answer says of an object, however it is encoded.

use std::borrow::Cow;

use kab_wire::Media;
use serde::Deserialize;

use super::{Answered, cbor, protobuf};

/// UID and resourceVersion of the object in `body`. Of what cannot be read,
/// nothing.
pub(super) fn object(media: Media, body: &[u8]) -> Answered {
    match media {
        Media::Cbor => cbor::object(body),
        Media::Protobuf => protobuf::object(body),
        Media::Json | Media::Other | Media::Unsaid => json(body),
    }
}

/// The message of the `Status` in `body`; none if it is text that can be read
/// as it is.
pub(super) fn message(media: Media, body: &[u8]) -> Option<String> {
    match media {
        Media::Cbor => cbor::message(body),
        Media::Protobuf => protobuf::message(body),
        Media::Json | Media::Other | Media::Unsaid => None,
    }
}

fn json(body: &[u8]) -> Answered {
    #[derive(Deserialize)]
    struct Object<'a> {
        #[serde(borrow)]
        metadata: Metadata<'a>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata<'a> {
        #[serde(borrow, default)]
        uid: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        resource_version: Option<Cow<'a, str>>,
    }
    let Ok(object) = serde_json::from_slice::<Object<'_>>(body) else {
        return Answered::default();
    };
    Answered {
        uid: object.metadata.uid.map(Cow::into_owned),
        rv: object.metadata.resource_version.map(Cow::into_owned),
    }
}
