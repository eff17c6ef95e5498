//! Everything measured in one cell, by step.

use std::collections::BTreeMap;
use std::path::Path;

use kab_evidence::folder::CellFolder;
use kab_evidence::join::{Joined, OpIndex, Trace, read_store};
use kab_evidence::jsonl::JsonlError;
use kab_evidence::record::{CellRecord, Pressure, StepRecord};
use kab_scenario::model::System;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attempt::{self, Attempted};
use crate::capacity::{self, Capacity};
use crate::cost::{self, Cost};
use crate::deletes::Deletes;
use crate::delivery::{self, Coverage, Delivery};
use crate::distribution::Summary;
use crate::inner::{Inner, inner};
use crate::kinds::{self, OfKind};
use crate::objective::PROBE;
use crate::outcome::{self, Latency, Media, Ops, RateOfOps};
use crate::reviews::Reviews;
use crate::server::{AllSeries, OverTime, Servers, over_time, servers};
use crate::stored::{self, Stored};
use crate::timeline::{Distributions, Timeline, timeline};
use crate::watch::{self, Watch};
use crate::waterfall::{Waterfall, waterfall};

/// Verbs of steps that send operations, also as parts of others.
const SENDING: [&str; 4] = ["seed", "load", "search", PROBE];

/// A length of time in a trace, in nanoseconds, if both its ends are known.
pub(crate) type Nanoseconds = Option<i64>;

/// Everything measured in one cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CellMeasurements {
    /// The cell.
    pub cell: String,
    /// The system under test.
    pub system: String,
    /// What the machine did meanwhile, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// Of each step that sends operations, in order.
    pub steps: Vec<StepMeasurements>,
    /// What the servers did, from the first step's beginning to the last one's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers: Option<Servers>,
    /// What they did over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers_over_time: Option<OverTime>,
    /// What came of single requests, by step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempted>,
    /// How many processes of each kind ended although nobody asked them to: of
    /// those kinds of which there were any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub died: BTreeMap<String, u64>,
    /// Notifications of anything; none if nobody subscribed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifications: Option<Notifications>,
    /// How the evidence fitted together.
    pub join: JoinCounts,
    /// What watch streams received; none if nobody wrote it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
}

/// Notifications, whatever they were of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notifications {
    /// How many were received.
    pub received: u64,
    /// How many of them do not say what they are about.
    pub nameless: u64,
}

/// How the evidence of a cell fitted together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinCounts {
    /// Notifications of later changes of an entity whose write is in the ledger.
    pub other_revisions: u64,
    /// Notifications that name no operation of the ledger.
    pub unexplained_deliveries: u64,
    /// Notifications of writes from before anybody subscribed: what was there
    /// already, told again.
    pub replayed: u64,
    /// Requests that the gateway saw and the ledger does not know.
    pub unfinished: u64,
    /// Evidence files whose last line was cut off, relative to the cell.
    pub truncated: Vec<String>,
}

/// Everything measured in one step. What is absent was not measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepMeasurements {
    /// The step's name.
    pub name: String,
    /// Its verb.
    pub verb: String,
    /// Operations by outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ops: Option<Ops>,
    /// Operations by class, such as `http-201`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, u64>,
    /// Complete answers by the encoding of their bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// Operations a second; only of steps with a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateOfOps>,
    /// From the intended start until the end was known.
    #[serde(default)]
    pub response: Latency,
    /// From the sending until the end was known.
    #[serde(default)]
    pub service: Latency,
    /// The same by kind of operation; only of steps that send several, where the
    /// whole mixes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<OfKind>,
    /// How late the generator was, over all operations sent.
    #[serde(default)]
    pub lateness: Summary,
    /// Notifications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// How much of the evidence could be joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// The ledger against the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
    /// Deletes, and who was told of them; only of steps that delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletes: Option<Deletes>,
    /// Whose webhooks judged its writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviews: Option<Reviews>,
    /// Where the time goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waterfall: Option<Waterfall>,
    /// Where the time goes inside the apiserver; only if it traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apiserver: Option<Inner>,
    /// Over the time of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    /// What the servers did meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers: Option<Servers>,
    /// What the whole system took for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What a search found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
}

impl CellMeasurements {
    /// A cell of which nothing was measured.
    pub fn none(cell: &CellRecord) -> Self {
        let (cell_id, system) = (cell.id.clone(), cell.system.clone());
        Self { cell: cell_id, system, pressure: cell.pressure.clone(), ..Self::default() }
    }

    /// Reads the evidence of `cell` in `folder`, and measures it.
    ///
    /// # Errors
    /// If a file cannot be read, or is no evidence.
    pub fn read(folder: &CellFolder, cell: &CellRecord) -> Result<Self, JsonlError> {
        let joined = Joined::read(folder)?;
        let store = read_store(folder)?;
        let mut measured = Self::from_joined(cell, &joined, store.as_ref().map(|(ops, _)| ops));
        let (series, series_cut) = AllSeries::read(&folder.series_path())?;
        measured.add_servers(cell, &series);
        measured.watch = watch::read(folder, &joined)?;
        let (attempts, attempts_cut) = attempt::read(&folder.attempts_path())?;
        measured.attempts = attempts;
        measured.add_deletes(folder, cell, &joined)?;
        measured.add_reviews(folder, &joined)?;
        let watched = measured.watch.iter().flat_map(|watch| watch.truncated.clone());
        let watched: Vec<String> = watched.collect();
        let cut = store.is_some_and(|(_, cut)| cut).then(|| folder.store_path());
        let series_cut = series_cut.then(|| folder.series_path());
        let attempts_cut = attempts_cut.then(|| folder.attempts_path());
        let relative =
            |path: &Path| path.strip_prefix(folder.path()).unwrap_or(path).display().to_string();
        measured.join.truncated = joined
            .truncated
            .iter()
            .map(|path| relative(path))
            .chain(cut.as_deref().map(relative))
            .chain(series_cut.as_deref().map(relative))
            .chain(attempts_cut.as_deref().map(relative))
            .chain(watched)
            .collect();
        Ok(measured)
    }

    /// Measures what was joined; `store` names the operations found in the
    /// store, if it was read.
    pub fn from_joined(cell: &CellRecord, joined: &Joined, store: Option<&OpIndex>) -> Self {
        let mut measured = Self::none(cell);
        let cell = &capacity::with_probes(cell);
        // Every step that sends operations, and any that only the ledger knows.
        let sends = |step: &&StepRecord| SENDING.contains(&step.verb.as_str());
        let of_record = cell.steps.iter().filter(sends).map(|step| step.name.as_str());
        let mut names: Vec<&str> = of_record.collect();
        let known: Vec<&str> = joined.steps.iter().map(String::as_str).collect();
        names.extend(known.iter().filter(|name| !cell.steps.iter().any(|s| s.name == **name)));
        let steps = names.into_iter().map(|name| measure(cell, name, joined, store));
        measured.steps = steps.collect();
        for step in cell.steps.iter().filter(|step| step.verb == "search") {
            let capacity = Capacity::of(step, &measured.steps);
            let found = measured.steps.iter_mut().find(|measured| measured.name == step.name);
            if let Some(found) = found {
                found.capacity = capacity;
            }
        }
        let listened = cell.steps.iter().filter_map(subscribers_of).any(|count| count > 0);
        measured.notifications = listened
            .then_some(Notifications { received: joined.notifications, nameless: joined.nameless });
        measured.join = JoinCounts {
            other_revisions: joined.other_revisions,
            unexplained_deliveries: joined.unexplained_deliveries,
            replayed: replayed(cell, joined),
            unfinished: joined.unfinished,
            truncated: Vec::new(),
        };
        measured
    }

    /// Adds what `series` say of the servers, in each step and over all.
    pub fn add_servers(&mut self, cell: &CellRecord, series: &AllSeries) {
        let ok = |step: &StepMeasurements| step.ops.as_ref().map_or(0, |ops| ops.ok);
        let rest_cores = cost::at_rest(series, cell);
        for step in &mut self.steps {
            let Some(ran) = cell.steps.iter().find(|ran| ran.name == step.name) else { continue };
            let Some(ended) = ran.ended else { continue };
            step.servers = servers(series, ran.started, ended, ok(step));
            let cost = cost::cost(series, ran.started, ended, ok(step));
            step.cost = cost.map(|cost| Cost { rest_cores, ..cost });
        }
        // Without an end to the last step, there is none to measure to.
        let ends: Option<Vec<_>> = cell.steps.iter().map(|step| step.ended).collect();
        let end = ends.and_then(|ends| ends.into_iter().max());
        if let (Some(first), Some(end)) = (cell.steps.first(), end) {
            let all = self.steps.iter().map(ok).sum();
            self.servers = servers(series, first.started, end, all);
        }
        self.servers_over_time = over_time(series, cell);
    }

    /// Forgets what was written to the disk: the data were in memory.
    pub(crate) fn in_memory(&mut self) {
        self.steps.iter_mut().filter_map(|step| step.cost.as_mut()).for_each(Cost::in_memory);
    }

    /// The step called `name`.
    pub fn step(&self, name: &str) -> Option<&StepMeasurements> {
        self.steps.iter().find(|step| step.name == name)
    }
}

/// How many subscribers `step` says it started.
pub(crate) fn subscribers_of(step: &StepRecord) -> Option<u32> {
    step.results.get("subscribers")?.as_u64().and_then(|n| u32::try_from(n).ok())
}

/// How many subscribers listened when `name` began.
pub(crate) fn subscribers_before(cell: &CellRecord, name: &str) -> u32 {
    let earlier = cell.steps.iter().take_while(|step| step.name != name);
    earlier.filter(|step| step.verb == "subscribe").filter_map(subscribers_of).sum()
}

/// Measures the step `name` of `cell`.
pub(crate) fn measure(
    cell: &CellRecord,
    name: &str,
    joined: &Joined,
    store: Option<&OpIndex>,
) -> StepMeasurements {
    let step = cell.steps.iter().find(|step| step.name == name);
    let index = joined.steps.iter().position(|known| known == name);
    let counted_from = step.filter(|step| step.verb == PROBE).map(|step| step.started);
    let of_step = |trace: &&Trace| {
        Some(usize::from(trace.step)) == index && Some(trace.intended) >= counted_from
    };
    let traces = joined.traces.iter().filter(of_step);
    // Nobody is notified of objects that are not the system's own.
    let own = step.is_none_or(|step| !step.results.contains_key("resource"));
    let subscribers = if own { subscribers_before(cell, name) } else { 0 };

    let scheduled = step.is_some_and(|step| ["load", PROBE].contains(&step.verb.as_str()));
    let checked = cell.steps.iter().any(|step| {
        let of = step.results.get("stored").and_then(serde_json::Value::as_str);
        step.verb == "check" && step.ended.is_some() && of == Some(name)
    });
    // A system that is not known is expected to have every part.
    let hook = System::called(&cell.system).is_none_or(System::has_webhook);
    // Of a million traces each half takes a second.
    let (waterfall, of_ledger) = std::thread::scope(|scope| {
        let falls = scope.spawn(|| index.map(|_| waterfall(traces.clone(), directly(step), hook)));
        let audience = Audience { subscribers, hook };
        let of_ledger = measure_ledger(name, step, joined, traces.clone(), audience);
        let falls = falls.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (falls, of_ledger)
    });
    StepMeasurements {
        apiserver: index.and_then(|index| inner(joined, index)),
        rate: if scheduled { of_ledger.rate } else { None },
        stored: store.filter(|_| checked).and_then(|ops| stored::compare(traces, ops)),
        waterfall,
        ..of_ledger
    }
}

/// Whether the operations of `step` went to the apiserver itself.
fn directly(step: Option<&StepRecord>) -> bool {
    step.and_then(|step| step.results.get("via")).is_some_and(|via| via == "apiserver")
}

/// Who is to be expected on a write's way, beside the gateway.
#[derive(Clone, Copy)]
struct Audience {
    subscribers: u32,
    hook: bool,
}

/// Everything but where the time goes and what the store holds.
fn measure_ledger<'a>(
    name: &str,
    step: Option<&StepRecord>,
    joined: &Joined,
    traces: impl Iterator<Item = &'a Trace> + Clone,
    Audience { subscribers, hook }: Audience,
) -> StepMeasurements {
    // The ledger is in the order in which operations ended; what depends on
    // its neighbours is wanted in the order in which they were due.
    let mut due: Vec<&Trace> = traces.clone().collect();
    due.sort_by_key(|trace| trace.intended);
    let in_order = || due.iter().copied();
    let (response, responses) = outcome::latency(in_order(), outcome::response);
    let (service, services) = outcome::latency(in_order(), outcome::service);
    let (delivery, lags) = delivery::delivery(in_order(), subscribers).unzip();
    let distributions = Distributions { response: responses, service: services, lag: lags };
    StepMeasurements {
        name: name.to_owned(),
        verb: step.map(|step| step.verb.clone()).unwrap_or_default(),
        ops: outcome::ops(traces.clone(), step),
        classes: outcome::classes(joined, traces.clone()),
        media: step.and_then(outcome::media),
        rate: outcome::rate(traces.clone(), step),
        response,
        service,
        kinds: kinds::kinds(in_order()),
        lateness: outcome::lateness_of(traces.clone()),
        delivery,
        coverage: delivery::coverage(traces.clone(), subscribers, directly(step), hook),
        timeline: timeline(traces, &distributions),
        ..StepMeasurements::default()
    }
}

/// Receipts of writes from before anybody subscribed.
fn replayed(cell: &CellRecord, joined: &Joined) -> u64 {
    let unheard: Vec<bool> =
        joined.steps.iter().map(|name| subscribers_before(cell, name) == 0).collect();
    let early = |trace: &&Trace| unheard.get(usize::from(trace.step)) == Some(&true);
    joined.traces.iter().filter(early).map(|trace| trace.receipts.len() as u64).sum()
}
