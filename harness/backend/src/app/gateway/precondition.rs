//! `ETag` and `If-Match`: writes that depend on a state.

use http::{HeaderMap, HeaderValue, header};

use crate::store::Revision;

/// What `If-Match` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing, or that there is something: that is asked for anyway.
    None,
    /// That it is in this state.
    At(Revision),
    /// What no state can fulfil: weak tags never match.
    Never,
}

/// The tag of a state.
pub(super) fn etag(revision: &Revision) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{revision}\"")).ok()
}

/// The state that a tag is of.
pub(crate) fn revision(etag: &HeaderValue) -> Option<Revision> {
    let tag = etag.to_str().ok()?.strip_prefix('"')?.strip_suffix('"')?;
    Some(Revision(tag.to_owned()))
}

/// What the request's `If-Match` asks for; an error if that cannot be told.
pub(super) fn condition(headers: &HeaderMap) -> Result<Condition, String> {
    let mut given = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = given.next() else { return Ok(Condition::None) };
    let text = value.to_str().map_err(|_| "If-Match is no text".to_owned())?.trim();
    let one =
        |tag: &str| tag.len() >= 2 && tag.ends_with('"') && !tag[1..tag.len() - 1].contains('"');
    match text {
        _ if given.next().is_some() => Err("more than one If-Match".to_owned()),
        "*" => Ok(Condition::None),
        tag if tag.starts_with('"') && one(tag) => {
            Ok(Condition::At(Revision(tag[1..tag.len() - 1].to_owned())))
        }
        weak if weak.strip_prefix("W/").is_some_and(|tag| tag.starts_with('"') && one(tag)) => {
            Ok(Condition::Never)
        }
        other => Err(format!("If-Match names no single quoted tag, but {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static str) -> Result<Condition, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_MATCH, HeaderValue::from_static(value));
        condition(&headers)
    }

    #[test]
    fn a_condition_is_read_as_it_is_written() {
        assert_eq!(condition(&HeaderMap::new()), Ok(Condition::None));
        assert_eq!(of("*"), Ok(Condition::None));
        assert_eq!(of("\"17\""), Ok(Condition::At(Revision("17".to_owned()))));
        assert_eq!(of(" \"17\" "), Ok(Condition::At(Revision("17".to_owned()))));
        assert_eq!(of("W/\"17\""), Ok(Condition::Never));
        for wrong in ["17", "\"17", "17\"", "\"", "\"1\", \"2\"", "W/17", "", "W/"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        let mut twice = HeaderMap::new();
        twice.append(header::IF_MATCH, HeaderValue::from_static("\"1\""));
        twice.append(header::IF_MATCH, HeaderValue::from_static("\"2\""));
        assert!(condition(&twice).is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_tag_names_its_revision(text in "[0-9a-zA-Z._-]{1,40}") {
            let wanted = Revision(text);
            let tag = etag(&wanted).unwrap();
            proptest::prop_assert_eq!(revision(&tag), Some(wanted.clone()));
            let headers = HeaderMap::from_iter([(header::IF_MATCH, tag)]);
            proptest::prop_assert_eq!(condition(&headers), Ok(Condition::At(wanted)));
        }

        #[test]
        fn no_condition_is_too_odd_to_read(text in "[ -~]{0,12}") {
            if let Ok(value) = HeaderValue::from_str(&text) {
                let _ = condition(&HeaderMap::from_iter([(header::IF_MATCH, value)]));
            }
        }
    }
}
