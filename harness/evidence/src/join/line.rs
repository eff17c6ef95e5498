//! Lines of evidence, reduced to what a trace needs of them.
//!
//! Each kind of line has a quick reader for the form that kab writes, and falls
//! back to the type that defines the format.

use std::num::NonZeroU64;

use serde::Deserialize;
use serde::de::value::{BorrowedStrDeserializer, Error as Unknown};

use super::scan::{Scalar, members};
use super::{GatewayTimes, Interval, Layer};
use crate::clock::Mono;
use crate::id::OpId;
use crate::ledger::{OpKind, OpRecord, Outcome};
use crate::span::{Change, Span};
use crate::store::StoredEntity;

/// A line of the ledger; its step and class by number, as `intern` gave them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Op {
    pub op: OpId,
    pub step: u16,
    pub class: u16,
    pub kind: OpKind,
    pub outcome: Outcome,
    pub intended: Mono,
    pub sent: Option<Mono>,
    pub done: Option<Mono>,
    /// The resourceVersion that the answer named.
    pub revision: Option<NonZeroU64>,
}

impl Op {
    /// Reads `line`; `step` and `class` number the names in it.
    pub fn read(
        line: &[u8],
        step: impl FnMut(&str) -> u16,
        class: impl FnMut(&str) -> u16,
    ) -> Result<Self, serde_json::Error> {
        let (mut step, mut class) = (step, class);
        if let Some((mut op, names)) = Self::quick(line) {
            (op.step, op.class) = (step(names.0), class(names.1));
            return Ok(op);
        }
        let record: OpRecord = serde_json::from_slice(line)?;
        Ok(Self {
            op: record.op,
            step: step(&record.step),
            class: class(&record.class),
            kind: record.kind,
            outcome: record.outcome,
            intended: record.intended,
            sent: record.sent,
            done: record.done,
            revision: record.rv.as_deref().and_then(revision),
        })
    }

    fn quick(line: &[u8]) -> Option<(Self, (&str, &str))> {
        let (mut op, mut kind, mut outcome) = (None, None, None);
        let (mut step, mut class) = (None, None);
        let [mut intended, mut sent, mut done] = [None; 3];
        let [mut key, mut uid, mut detail, mut bytes_out, mut bytes_in] = [None; 5];
        let mut rv = None;
        members(line, |name, value| match name {
            "op" => put(&mut op, id(value)?),
            "step" => put(&mut step, text(value)?),
            "kind" => put(&mut kind, variant::<OpKind>(value)?),
            "intended" => put(&mut intended, time(value)?),
            "sent" => put(&mut sent, time(value)?),
            "done" => put(&mut done, time(value)?),
            "outcome" => put(&mut outcome, variant::<Outcome>(value)?),
            "class" => put(&mut class, text(value)?),
            "key" => put(&mut key, text(value).map(drop)?),
            "uid" => put(&mut uid, text(value).map(drop)?),
            "rv" => put(&mut rv, text(value)?),
            "detail" => put(&mut detail, text(value).map(drop)?),
            "bytesOut" => put(&mut bytes_out, number(value).map(drop)?),
            "bytesIn" => put(&mut bytes_in, number(value).map(drop)?),
            _ => Some(()),
        })?;
        let op = Self {
            op: op?,
            step: 0,
            class: 0,
            kind: kind?,
            outcome: outcome?,
            intended: intended?,
            sent,
            done,
            revision: rv.and_then(revision),
        };
        Some((op, (step?, class?)))
    }
}

/// A span, without what no trace keeps.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Gateway {
        op: Option<OpId>,
        times: GatewayTimes,
        revision: Option<NonZeroU64>,
    },
    Validate {
        op: Option<OpId>,
        interval: Interval,
    },
    Webhook {
        op: Option<OpId>,
        interval: Interval,
    },
    Informer {
        op: Option<OpId>,
        seen: Mono,
        revision: Option<NonZeroU64>,
    },
    Delivery {
        op: Option<OpId>,
        receipt: super::Receipt,
        revision: Option<NonZeroU64>,
        /// Whether it names no entity.
        nameless: bool,
    },
    Server(ServerLine),
}

/// A span of the apiserver; its ids as numbers, 0 for no parent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ServerLine {
    pub trace: OpId,
    pub op: Option<OpId>,
    pub id: u64,
    pub parent: u64,
    pub layer: Layer,
    pub interval: Interval,
}

impl Part {
    /// Reads `line`.
    pub fn read(line: &[u8]) -> Result<Self, serde_json::Error> {
        Self::quick(line).map_or_else(|| serde_json::from_slice::<Span>(line).map(Self::from), Ok)
    }

    fn quick(line: &[u8]) -> Option<Self> {
        let (mut span, mut op) = (None, None);
        let [mut start, mut end, mut api_sent, mut api_done, mut seen, mut received] = [None; 6];
        let (mut subscriber, mut status, mut rv) = (None, None, None);
        let [mut change, mut valid, mut allowed, mut posted, mut api_status] = [None; 5];
        let mut uid = None;
        let (mut trace, mut own, mut parent, mut title) = (None, None, None, None);
        members(line, |name, value| match name {
            "span" => put(&mut span, text(value)?),
            "op" => put(&mut op, id(value)?),
            "start" => put(&mut start, time(value)?),
            "end" => put(&mut end, time(value)?),
            "apiSent" => put(&mut api_sent, time(value)?),
            "apiDone" => put(&mut api_done, time(value)?),
            "seen" => put(&mut seen, time(value)?),
            "received" => put(&mut received, time(value)?),
            "posted" => put(&mut posted, time(value).map(drop)?),
            "subscriber" => put(&mut subscriber, u32::try_from(number(value)?).ok()?),
            "status" => put(&mut status, u16::try_from(number(value)?).ok()?),
            "apiStatus" => put(&mut api_status, u16::try_from(number(value)?).map(drop).ok()?),
            "rv" => put(&mut rv, text(value)?),
            "uid" => put(&mut uid, text(value)?),
            "change" => put(&mut change, variant::<Change>(value).map(drop)?),
            "valid" => put(&mut valid, flag(value)?),
            "allowed" => put(&mut allowed, flag(value)?),
            "trace" => put(&mut trace, id(value)?),
            "id" => put(&mut own, text(value)?),
            "parent" => put(&mut parent, text(value)?),
            "name" => put(&mut title, text(value)?),
            _ => Some(()),
        })?;
        let whole = || Some(Interval { start: start?, end: end? });
        let revision = rv.and_then(revision);
        match span? {
            "gateway" => {
                status?;
                let api = Interval { start: api_sent?, end: api_done? };
                Some(Self::Gateway { op, times: GatewayTimes { whole: whole()?, api }, revision })
            }
            "validate" if valid.is_some() => Some(Self::Validate { op, interval: whole()? }),
            "webhook" if allowed.is_some() => Some(Self::Webhook { op, interval: whole()? }),
            "informer" if uid.is_some() && change.is_some() && rv.is_some() => {
                Some(Self::Informer { op, seen: seen?, revision })
            }
            "delivery" => {
                let receipt = super::Receipt { subscriber: subscriber?, received: received? };
                Some(Self::Delivery { op, receipt, revision, nameless: uid?.is_empty() })
            }
            "server" => Some(Self::Server(ServerLine {
                trace: trace?,
                op,
                id: span_id(own?),
                parent: parent.map_or(0, span_id),
                layer: Layer::of(title?),
                interval: whole()?,
            })),
            _ => None,
        }
    }
}

impl From<Span> for Part {
    fn from(span: Span) -> Self {
        let known = |rv: Option<String>| rv.as_deref().and_then(revision);
        match span {
            Span::Gateway { op, start, api_sent, api_done, end, rv, .. } => {
                let api = Interval { start: api_sent, end: api_done };
                let times = GatewayTimes { whole: Interval { start, end }, api };
                Self::Gateway { op, times, revision: known(rv) }
            }
            Span::Validate { op, start, end, .. } => {
                Self::Validate { op, interval: Interval { start, end } }
            }
            Span::Webhook { op, start, end, .. } => {
                Self::Webhook { op, interval: Interval { start, end } }
            }
            Span::Informer { op, rv, seen, .. } => {
                Self::Informer { op, seen, revision: revision(&rv) }
            }
            Span::Delivery { op, subscriber, rv, received, uid } => {
                let receipt = super::Receipt { subscriber, received };
                Self::Delivery { op, receipt, revision: known(rv), nameless: uid.is_empty() }
            }
            Span::Server { trace, op, id, parent, name, start, end } => Self::Server(ServerLine {
                trace,
                op,
                id: span_id(&id),
                parent: parent.as_deref().map_or(0, span_id),
                layer: Layer::of(&name),
                interval: Interval { start, end },
            }),
        }
    }
}

/// The operation that wrote the entity of a `line` of `store.jsonl` last.
pub(super) fn stored(line: &[u8]) -> Result<Option<OpId>, serde_json::Error> {
    let quick = || {
        let mut op = None;
        let [mut name, mut uid, mut rv] = [None; 3];
        members(line, |member, value| match member {
            "op" => put(&mut op, id(value)?),
            "name" => put(&mut name, text(value)?),
            "uid" => put(&mut uid, text(value)?),
            "rv" => put(&mut rv, text(value)?),
            _ => Some(()),
        })?;
        (name.is_some() && uid.is_some() && rv.is_some()).then_some(op)
    };
    match quick() {
        Some(op) => Ok(op),
        None => serde_json::from_slice::<StoredEntity>(line).map(|entity| entity.op),
    }
}

/// The id of a span as a number; 0, which is no id, for anything else.
fn span_id(digits: &str) -> u64 {
    u64::from_str_radix(digits, 16).unwrap_or(0)
}

/// Sets `place`, once: a member named twice is for the general parser to refuse.
fn put<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

// A null is left to the general parser too: kab leaves out what it does not know.
fn text(value: Scalar<'_>) -> Option<&str> {
    if let Scalar::Text(text) = value { Some(text) } else { None }
}

fn number(value: Scalar<'_>) -> Option<u64> {
    if let Scalar::Number(number) = value { Some(number) } else { None }
}

fn flag(value: Scalar<'_>) -> Option<()> {
    (value == Scalar::Flag).then_some(())
}

fn time(value: Scalar<'_>) -> Option<Mono> {
    number(value).map(Mono::from_nanos)
}

fn id(value: Scalar<'_>) -> Option<OpId> {
    text(value)?.parse().ok()
}

/// One of an enum's names, as its own type reads them.
fn variant<'a, T: Deserialize<'a>>(value: Scalar<'a>) -> Option<T> {
    T::deserialize(BorrowedStrDeserializer::<Unknown>::new(text(value)?)).ok()
}

/// A resourceVersion as a number; none if it is not one. 0 is never that of a
/// stored entity.
fn revision(text: &str) -> Option<NonZeroU64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mono() -> impl Strategy<Value = Mono> {
        any::<u32>().prop_map(|n| Mono::from_nanos(n.into()))
    }

    fn op_id() -> impl Strategy<Value = Option<OpId>> {
        prop::option::of((any::<u64>(), any::<u64>()).prop_map(|(a, b)| OpId::new(a, b)))
    }

    fn rv() -> impl Strategy<Value = String> {
        prop_oneof![Just("1234".to_owned()), Just("0".to_owned()), "[0-9a-zé\"]{0,5}"]
    }

    fn span() -> impl Strategy<Value = Span> {
        let times = (mono(), mono(), mono(), mono());
        (0..6u8, op_id(), times, rv(), any::<u16>(), any::<bool>()).prop_map(
            |(kind, op, (start, api_sent, api_done, end), rv, status, flag)| match kind {
                0 => Span::Gateway {
                    op,
                    start,
                    api_sent,
                    api_done,
                    end,
                    status,
                    api_status: flag.then_some(status),
                    uid: flag.then(|| rv.clone()),
                    rv: flag.then_some(rv),
                },
                1 => Span::Validate { op, start, end, valid: flag },
                2 => Span::Webhook { op, start, end, allowed: flag },
                3 => Span::Informer {
                    op,
                    change: if flag { Change::Listed } else { Change::Deleted },
                    uid: rv.clone(),
                    rv,
                    seen: start,
                    posted: flag.then_some(end),
                    status: flag.then_some(status),
                },
                4 => Span::Server {
                    trace: OpId::new(start.nanos(), end.nanos()),
                    op,
                    id: format!("{:016x}", api_sent.nanos()),
                    parent: flag.then_some(rv),
                    name: "etcdserverpb.KV/Txn".into(),
                    start,
                    end,
                },
                _ => Span::Delivery {
                    op,
                    subscriber: status.into(),
                    uid: rv.clone(),
                    rv: flag.then_some(rv),
                    received: end,
                },
            },
        )
    }

    proptest! {
        #[test]
        fn both_readers_of_spans_agree(span in span()) {
            let line = serde_json::to_vec(&span).unwrap();
            let slow = Part::from(span);
            if let Some(quick) = Part::quick(&line) {
                prop_assert_eq!(&quick, &slow);
            }
            prop_assert_eq!(Part::read(&line).unwrap(), slow);
        }

        #[test]
        fn both_readers_of_the_ledger_agree(op in op_id(), at in mono(), there: bool, class in "[a-z\"é-]{0,9}") {
            let record = OpRecord {
                op: op.unwrap_or(OpId::new(1, 2)),
                step: "write".into(),
                kind: if there { OpKind::Create } else { OpKind::List },
                key: there.then(|| class.clone()),
                intended: at,
                sent: there.then_some(at),
                done: there.then_some(at),
                outcome: if there { Outcome::Ok } else { Outcome::Missed },
                class: class.clone(),
                uid: None,
                rv: there.then(|| "17".to_owned()),
                bytes_out: 3,
                bytes_in: 0,
                detail: (!there).then_some(class),
            };
            let line = serde_json::to_vec(&record).unwrap();
            let mut names = Vec::new();
            let read = Op::read(&line, |step| u16::from(step == "write"), |name| {
                names.push(name.to_owned());
                7
            }).unwrap();
            prop_assert_eq!(names, [record.class]);
            let made = Op {
                op: record.op, step: 1, class: 7, kind: record.kind, outcome: record.outcome,
                intended: record.intended, sent: record.sent, done: record.done,
                revision: there.then(|| NonZeroU64::new(17).unwrap()),
            };
            prop_assert_eq!(read, made);
        }

        #[test]
        fn a_spoilt_line_is_accepted_by_both_or_by_neither(span in span(), at: prop::sample::Index, byte: u8) {
            let mut line = serde_json::to_vec(&span).unwrap();
            let at = at.index(line.len());
            line[at] = byte;
            let slow = serde_json::from_slice::<Span>(&line).map(Part::from).ok();
            if let Some(quick) = Part::quick(&line) {
                prop_assert_eq!(Some(quick), slow);
            }
        }
    }

    #[test]
    fn what_kab_writes_is_read_quickly() {
        let op = Some(OpId::new(1, 2));
        let at = Mono::from_nanos(5);
        let spans = [
            Span::Validate { op, start: at, end: at, valid: true },
            Span::Webhook { op, start: at, end: at, allowed: false },
            Span::Delivery {
                op,
                subscriber: 3,
                uid: "u".into(),
                rv: Some("9".into()),
                received: at,
            },
        ];
        for span in spans {
            let line = serde_json::to_vec(&span).unwrap();
            assert_eq!(Part::quick(&line), Some(Part::from(span)));
        }
        let entity = StoredEntity { name: "a".into(), uid: "b".into(), rv: "1".into(), op };
        assert_eq!(stored(&serde_json::to_vec(&entity).unwrap()).unwrap(), op);
        assert!(stored(b"{\"name\":\"a\",\"uid\":\"b\"}").is_err());
    }
}
