//! What a search found, and whether its evidence says the same.

use kab_evidence::capacity::{CapacityRecord, ProbeRecord, ProbeResult, RESULT};
use kab_evidence::record::{CellRecord, StepRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::StepMeasurements;
use crate::objective::{self, Objective, Said};
use crate::value::Nanos;

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// What the search recorded.
    pub found: CapacityRecord,
    /// The length of time that the objective looks at first, such as
    /// `response.p99`; none if it looks at none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<String>,
    /// That of each probe, in their order.
    pub values: Vec<Option<Nanos>>,
    /// Probes whose evidence does not say what was recorded of them, each in a
    /// sentence: the search may have gone astray.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disagreements: Vec<String>,
}

/// What the search step `step` recorded; none if it came to no probe.
pub fn record(step: &StepRecord) -> Option<CapacityRecord> {
    serde_json::from_value(step.results.get(RESULT)?.clone()).ok()
}

/// `cell`, with each probe of its searches as a step of its own, behind the
/// search.
pub(crate) fn with_probes(cell: &CellRecord) -> CellRecord {
    let steps = cell.steps.iter().flat_map(|step| {
        let searched = (step.verb == "search").then(|| record(step)).flatten();
        let probes = searched.into_iter().flat_map(|found| found.probes);
        let probes = probes.map(|p| objective::record(&p.step, p.counted_from, p.scheduled));
        std::iter::once(step.clone()).chain(probes)
    });
    CellRecord { steps: steps.collect(), ..cell.clone() }
}

impl Capacity {
    /// What `step` found, asked again of its probes among `measured`.
    pub(crate) fn of(step: &StepRecord, measured: &[StepMeasurements]) -> Option<Self> {
        let found = record(step)?;
        let probes: Vec<Option<&StepMeasurements>> = found
            .probes
            .iter()
            .map(|probe| measured.iter().find(|step| step.name == probe.step))
            .collect();
        let (figure, values, disagreements) = match Objective::new(&found.hold, found.late_at_most)
        {
            Ok(objective) => {
                let figure = probes.iter().flatten().find_map(|p| objective.figure(p));
                let value = |probe: &Option<&StepMeasurements>| {
                    objective.value(figure.as_deref()?, (*probe)?)
                };
                let values = probes.iter().map(value).collect();
                let pairs = found.probes.iter().zip(&probes);
                let disagreements =
                    pairs.filter_map(|(probe, p)| disagreement(&objective, probe, *p));
                (figure, values, disagreements.collect())
            }
            Err(bad) => (None, vec![None; probes.len()], vec![bad.to_string()]),
        };
        Some(Self { found, figure, values, disagreements })
    }
}

fn disagreement(
    objective: &Objective,
    probe: &ProbeRecord,
    measured: Option<&StepMeasurements>,
) -> Option<String> {
    let name = &probe.step;
    let Some(measured) = measured else {
        return Some(format!("Probe {name} is not in the ledger."));
    };
    let (said, why) = match objective.ask(measured) {
        Said::Held => (ProbeResult::Held, String::new()),
        Said::Broke(why) => (ProbeResult::Broke, format!(": {why}")),
        Said::Invalid(why) => (ProbeResult::Invalid, format!(": {why}")),
    };
    (said != probe.outcome).then(|| {
        let words = |result| match result {
            ProbeResult::Held => "held",
            ProbeResult::Broke => "broken",
            ProbeResult::Invalid => "invalid",
        };
        format!(
            "Probe {name} was recorded as {}, but by its evidence it is {}{why}.",
            words(probe.outcome),
            words(said)
        )
    })
}
