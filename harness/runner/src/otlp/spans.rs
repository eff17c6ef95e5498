//! Spans in an OTLP message: `ExportTraceServiceRequest` of
//! `opentelemetry/proto/collector/trace/v1`, as far as it is needed.

use kab_evidence::clock::WallOffset;
use kab_evidence::id::OpId;
use kab_evidence::span::Span;

use super::proto::{Fields, Malformed};

/// A span, in the sender's calendar time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// 16 bytes.
    pub trace: [u8; 16],
    /// 8 bytes.
    pub id: u64,
    /// 8 bytes; 0 for none.
    pub parent: u64,
    /// What it is about.
    pub name: String,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds since 1970.
    pub end: u64,
    /// The trace of its first link.
    pub link: Option<[u8; 16]>,
}

impl Received {
    /// As evidence, on the run's clock.
    pub fn on(self, clock: WallOffset) -> Span {
        let digits = |id: u64| format!("{id:016x}");
        Span::Server {
            trace: OpId::from_bytes(self.trace),
            op: self.link.map(OpId::from_bytes),
            id: digits(self.id),
            parent: (self.parent != 0).then(|| digits(self.parent)),
            name: self.name,
            start: clock.monotonic(self.start),
            end: clock.monotonic(self.end),
        }
    }
}

/// The spans in `message`.
///
/// # Errors
/// If it is no such message.
pub fn spans(message: &[u8]) -> Result<Vec<Received>, Malformed> {
    let mut found = Vec::new();
    // The message has resources (1), these have scopes (2), and these spans (2).
    for resource in parts(message, 1) {
        for scope in parts(resource?, 2) {
            for span in parts(scope?, 2) {
                found.push(span_in(span?)?);
            }
        }
    }
    Ok(found)
}

/// The parts of `message` that are messages and have the number `wanted`.
fn parts(message: &[u8], wanted: u64) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    Fields::of(message).filter_map(move |field| match field {
        Ok((number, value)) => (number == wanted).then(|| value.bytes()),
        Err(error) => Some(Err(error)),
    })
}

fn span_in(message: &[u8]) -> Result<Received, Malformed> {
    let mut span = Received::default();
    for field in Fields::of(message) {
        let (number, value) = field?;
        match number {
            1 => span.trace = id(value.bytes()?),
            2 => span.id = u64::from_be_bytes(id(value.bytes()?)),
            4 => span.parent = u64::from_be_bytes(id(value.bytes()?)),
            5 => span.name = String::from_utf8_lossy(value.bytes()?).into_owned(),
            7 => span.start = value.fixed64()?,
            8 => span.end = value.fixed64()?,
            13 if span.link.is_none() => {
                span.link = parts(value.bytes()?, 1).next().transpose()?.map(id);
            }
            _ => {}
        }
    }
    Ok(span)
}

/// An id; all zero, which is none, if it has not as many bytes as it should.
fn id<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}

#[cfg(test)]
pub mod tests {
    use super::super::proto::Value::{Bytes, Fixed32, Fixed64, Varint};
    use super::super::proto::tests::field;
    use super::*;
    use proptest::prelude::*;

    /// A message with `spans`, and things in it that nobody asked for.
    pub fn message(spans: &[Received]) -> Vec<u8> {
        let mut scope = Vec::new();
        field(1, Bytes(b"\x0a\x01x"), &mut scope);
        for span in spans {
            let mut one = Vec::new();
            field(1, Bytes(&span.trace), &mut one);
            field(2, Bytes(&span.id.to_be_bytes()), &mut one);
            if span.parent != 0 {
                field(4, Bytes(&span.parent.to_be_bytes()), &mut one);
            }
            field(5, Bytes(span.name.as_bytes()), &mut one);
            field(6, Varint(2), &mut one);
            field(7, Fixed64(span.start), &mut one);
            field(8, Fixed64(span.end), &mut one);
            field(9, Bytes(b"\x0a\x01k"), &mut one);
            if let Some(link) = &span.link {
                let mut of = Vec::new();
                field(1, Bytes(link), &mut of);
                field(2, Bytes(&[7; 8]), &mut of);
                field(13, Bytes(&of), &mut one);
            }
            field(16, Fixed32(257), &mut one);
            field(2, Bytes(&one), &mut scope);
        }
        let (mut resource, mut whole) = (Vec::new(), Vec::new());
        field(1, Bytes(b""), &mut resource);
        field(2, Bytes(&scope), &mut resource);
        field(1, Bytes(&resource), &mut whole);
        whole
    }

    fn span() -> impl Strategy<Value = Received> {
        let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
        (any::<[u8; 16]>(), numbers, "\\PC*", any::<Option<[u8; 16]>>()).prop_map(
            |(trace, (id, parent, start, end), name, link)| Received {
                trace,
                id,
                parent,
                name,
                start,
                end,
                link,
            },
        )
    }

    proptest! {
        #[test]
        fn spans_are_read(sent in prop::collection::vec(span(), 0..4)) {
            prop_assert_eq!(spans(&message(&sent)), Ok(sent));
        }

        #[test]
        fn a_spoilt_message_is_refused_or_read_but_nothing_worse(
            sent in prop::collection::vec(span(), 1..3), at: prop::sample::Index, byte: u8,
        ) {
            let mut spoilt = message(&sent);
            let place = at.index(spoilt.len());
            spoilt[place] = byte;
            let _ = spans(&spoilt);
            let _ = spans(&spoilt[..place]);
        }
    }

    #[test]
    fn a_span_becomes_evidence_on_the_runs_clock() {
        let sent = Received {
            trace: [1; 16],
            id: 10,
            name: "Create".into(),
            start: 1_000,
            end: 1_500,
            link: Some([2; 16]),
            ..Received::default()
        };
        let span = sent.on(WallOffset { ahead: 900, error: 1 });
        let Span::Server { op, id, parent, start, end, .. } = span else { panic!("{span:?}") };
        assert_eq!(op, Some(OpId::from_bytes([2; 16])));
        assert_eq!((id.as_str(), parent), ("000000000000000a", None));
        assert_eq!((start.nanos(), end.nanos()), (100, 600));
    }
}
