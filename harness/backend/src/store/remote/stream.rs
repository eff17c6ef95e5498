//! Changes, as a gateway tells them.

use futures::Stream;
use http_body_util::{BodyDataStream, BodyExt};
use hyper::body::Incoming;

use super::refusal::told;
use super::{entity, unreadable};
use crate::app::gateway::messages::{Broke, ChangeView};
use crate::store::lines::Lines;
use crate::store::{Change, Refused};

/// The changes in a body of JSON lines.
pub(super) fn changes(body: Incoming) -> impl Stream<Item = Result<Change, Refused>> {
    let lines = Some(Lines::new(body.into_data_stream()));
    futures::stream::unfold(lines, |lines| async {
        let mut lines: Lines<BodyDataStream<Incoming>> = lines?;
        match lines.next().await? {
            Ok(line) => match read(&line) {
                Ok(change) => Some((Ok(change), Some(lines))),
                Err(why) => Some((Err(why), None)),
            },
            Err(why) => Some((Err(Refused::Unavailable(why)), None)),
        }
    })
}

fn read(line: &[u8]) -> Result<Change, Refused> {
    match serde_json::from_slice::<ChangeView<'_>>(line) {
        Ok(view) => {
            let mut entity = entity(view.entity);
            entity.op = view.op;
            Ok(Change { kind: view.kind, entity })
        }
        Err(e) => match serde_json::from_slice::<Broke<'_>>(line) {
            Ok(Broke { problem }) => Err(told(&problem, None).unwrap_or_else(|| unreadable(&e))),
            Err(_) => Err(unreadable(&e)),
        },
    }
}
