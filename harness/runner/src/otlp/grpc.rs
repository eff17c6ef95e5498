//! One gRPC method, by hand: `TraceService/Export` of OpenTelemetry, over
//! HTTP/2 without TLS. <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::convert::Infallible;
use std::future::{Ready, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;

/// The only method there is.
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Longest message that is taken in. The sender packs 512 spans into one.
const LONGEST: usize = 16 << 20;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// An answer, with its status in the trailers.
pub type Answer = Response<WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>>;

/// Why a call was refused: gRPC's number, and a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub u16, pub &'static str);

/// gRPC's `INVALID_ARGUMENT`.
pub const INVALID_ARGUMENT: u16 = 3;
const RESOURCE_EXHAUSTED: u16 = 8;
const UNIMPLEMENTED: u16 = 12;

/// The one message of the call `request`.
///
/// # Errors
/// If it calls something else, is compressed, too long or cut off.
pub async fn message(request: Request<Incoming>) -> Result<Bytes, Refused> {
    if request.uri().path() != EXPORT {
        return Err(Refused(UNIMPLEMENTED, "only TraceService/Export is served here"));
    }
    let body = Limited::new(request.into_body(), LONGEST).collect().await;
    let body =
        body.map_err(|_| Refused(RESOURCE_EXHAUSTED, "the message is cut off or too long"))?;
    unwrap(&body.to_bytes())
}

/// What is in the frame `framed`: whether compressed, the length, the message.
fn unwrap(framed: &Bytes) -> Result<Bytes, Refused> {
    match framed.split_first_chunk::<5>() {
        Some(([0, a, b, c, d], rest)) => {
            let length = u32::from_be_bytes([*a, *b, *c, *d]);
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if rest.len() != length {
                return Err(Refused(INVALID_ARGUMENT, "not exactly one message"));
            }
            Ok(framed.slice(5..))
        }
        Some(_) => Err(Refused(UNIMPLEMENTED, "compressed messages are not read here")),
        None => Err(Refused(INVALID_ARGUMENT, "no message")),
    }
}

/// The answer: an empty `ExportTraceServiceResponse`, or why not.
pub fn answer(outcome: Result<(), Refused>) -> Answer {
    const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
    let mut trailers = HeaderMap::new();
    let body = match outcome {
        Ok(()) => {
            trailers.insert(STATUS, HeaderValue::from(0));
            Bytes::from_static(&[0; 5])
        }
        Err(Refused(status, why)) => {
            trailers.insert(STATUS, HeaderValue::from(status));
            trailers.insert(MESSAGE, HeaderValue::from_static(why));
            Bytes::new()
        }
    };
    let mut answer = Response::new(Full::new(body).with_trailers(ready(Some(Ok(trailers)))));
    answer.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_unwrapped_and_what_is_none_refused() {
        let of = |bytes: &'static [u8]| unwrap(&Bytes::from_static(bytes));
        assert_eq!(of(b"\0\0\0\0\x02ab"), Ok(Bytes::from_static(b"ab")));
        assert_eq!(of(b"\0\0\0\0\0"), Ok(Bytes::new()));
        assert_eq!(of(b"\x01\0\0\0\x02ab").unwrap_err().0, UNIMPLEMENTED);
        for bad in [&b"\0\0\0"[..], b"\0\0\0\0\x03ab", b"\0\0\0\0\x01ab", b"\0\xff\xff\xff\xffab"] {
            assert_eq!(of(bad).unwrap_err().0, INVALID_ARGUMENT, "{bad:?}");
        }
    }
}
