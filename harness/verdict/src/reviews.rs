//! Whose webhooks judged the writes of a step.

use std::collections::HashMap;

use kab_evidence::folder::CellFolder;
use kab_evidence::id::OpId;
use kab_evidence::join::Joined;
use kab_evidence::jsonl::{self, JsonlError};
use kab_evidence::process::{instance_of, kind_of};
use kab_evidence::span::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::CellMeasurements;

/// Judgements of a step's writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reviews {
    /// By the webhook of the instance that was written to.
    pub own: u64,
    /// By webhooks of other instances; none where there is no other webhook that
    /// could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<u64>,
}

impl CellMeasurements {
    /// Adds who judged the writes of each step; nothing where no webhook was.
    /// Writes go to the first instance.
    pub(crate) fn add_reviews(
        &mut self,
        folder: &CellFolder,
        joined: &Joined,
    ) -> Result<(), JsonlError> {
        let files = kab_evidence::join::span_files(folder)?;
        let name = |file: &std::path::Path| {
            file.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned()
        };
        let hooks: Vec<_> =
            files.iter().filter(|file| kind_of(&name(file)) == Some("webhook")).collect();
        if hooks.is_empty() {
            return Ok(());
        }
        let others = hooks.iter().any(|file| instance_of(&name(file)).0.is_some());
        let none = Reviews { own: 0, foreign: others.then_some(0) };
        let mut reviews = vec![none; joined.steps.len()];
        if others {
            let steps: HashMap<OpId, u16> =
                joined.traces.iter().map(|trace| (trace.op, trace.step)).collect();
            for file in hooks {
                let own = instance_of(&name(file)).0.is_none();
                jsonl::for_each(file, |span: Span| {
                    let Span::Webhook { op: Some(op), .. } = span else { return };
                    let step = steps.get(&op).and_then(|step| reviews.get_mut(usize::from(*step)));
                    if let Some(reviews) = step {
                        *(if own { &mut reviews.own } else { reviews.foreign.get_or_insert(0) }) +=
                            1;
                    }
                })?;
            }
        } else {
            // Of a million operations it takes a second to read them again.
            for trace in joined.traces.iter().filter(|trace| trace.webhook.is_some()) {
                if let Some(reviews) = reviews.get_mut(usize::from(trace.step)) {
                    reviews.own += 1;
                }
            }
        }
        for (name, found) in joined.steps.iter().zip(reviews) {
            if let Some(step) = self.steps.iter_mut().find(|step| step.name == *name) {
                step.reviews = Some(found);
            }
        }
        Ok(())
    }
}
