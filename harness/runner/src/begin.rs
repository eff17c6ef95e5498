//! From nothing to a system on trial in a lab of its own, through its steps,
//! and back to nothing.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kab_backend::conventional::{Ground, POOL_SIZE};
use kab_backend::deploy::{DeployError, DeploySpec, Limits};
use kab_backend::system::{Deployed, NoSuchSystem, Variant};
use kab_evidence::event::Happening;
use kab_evidence::folder::{CellFolder, FolderError};
use kab_evidence::jsonl::{Health, JsonlError, JsonlWriter};
use kab_evidence::record::{CellRecord, Conditions, Pressure, RunState};
use kab_lab::keep::{KeepError, LabDir};
use kab_lab::local::{ComponentSpec, EtcdSpec, LabError, Local, LocalSpec};
use kab_lab::process::{ProcessError, Supervisor};
use kab_lab::progress::Progress;
use kab_lab::servers::{Servers, ServersError, ServersSpec};
use kab_scenario::model::{Cluster, DeployedBy, Mortal};
use kab_scenario::plan;
use serde::Serialize;

use crate::cell::Cell;
use crate::deaths;
use crate::instances;
use crate::meters::{Meters, MetersError};
use crate::otlp::{OtlpError, Receiver};
use crate::recorder::{Recorder, RecorderError};
use crate::run::{Programs, Request};
use crate::sampler::Pids;
use crate::steps;
use crate::stop::Stop;

/// How long apps may take to write out their spans and end.
const FAREWELL: Duration = Duration::from_secs(5);

/// How often it is looked whether evidence still reaches the disk.
const LOOK: Duration = Duration::from_millis(250);

/// The system's namespace.
const NAMESPACE: &str = "kab01";

/// A lab, or the system in it, did not come up or could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The lab's folder.
    #[error(transparent)]
    Dir(#[from] KeepError),
    /// Child processes.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The control plane.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// PostgreSQL, or the broker.
    #[error(transparent)]
    Servers(#[from] ServersError),
    /// No programs were looked for.
    #[error("a lab is to be started for which no programs were looked for")]
    NoPrograms,
    /// The system under test.
    #[error("deploying the system under test: {0}")]
    Deploy(#[from] DeployError),
    /// Which system.
    #[error(transparent)]
    System(#[from] NoSuchSystem),
    /// The evidence.
    #[error(transparent)]
    Evidence(#[from] JsonlError),
    /// The record.
    #[error(transparent)]
    Record(#[from] RecorderError),
    /// The run folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What is measured beside the operations.
    #[error(transparent)]
    Meters(#[from] MetersError),
    /// The apiserver's own spans.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
}

/// What all cells of a run share.
pub struct Setting<'a> {
    pub request: &'a Request,
    pub programs: &'a Programs,
    pub part: u32,
    pub nonce: u64,
    pub recorder: &'a Recorder,
    pub stop: &'a Stop,
    pub progress: &'a dyn Progress,
}

/// Runs one cell: how it ended.
pub async fn cell(setting: &Setting<'_>, planned: &plan::Cell) -> Result<RunState, BeginError> {
    let Setting { recorder, progress, stop, .. } = *setting;
    let variant: Variant = planned.system.to_string().parse()?;
    recorder.update(|record| {
        record.cells.push(CellRecord {
            id: planned.id.clone(),
            part: setting.part,
            system: planned.system.to_string(),
            axes: planned.axes.clone(),
            defects: instances::names(&instances::defects(variant, &planned.spec.defects)),
            differences: names(&variant.differences()),
            may_die: planned.spec.may_die.iter().map(|kind| kind.name().to_owned()).collect(),
            ..CellRecord::default()
        });
    })?;
    let supervisor = Supervisor::new()?;
    let mut deaths = supervisor.deaths();
    let ended = tokio::select! {
        biased;
        () = deaths::report(&mut deaths, recorder, progress) => unreachable_end(),
        ended = supervised(setting, planned, &supervisor, stop) => ended,
    };
    deaths::report_rest(&mut deaths, recorder, progress);
    // From here on every death is asked for.
    supervisor.stop_all(Duration::ZERO).await;
    ended
}

/// The reporter of deaths goes on as long as the supervisor, which outlives it.
fn unreachable_end() -> Result<RunState, BeginError> {
    Ok(RunState::Failed { reason: "the supervisor of child processes is gone".into() })
}

async fn supervised(
    setting: &Setting<'_>,
    planned: &plan::Cell,
    supervisor: &Supervisor,
    stop: &Stop,
) -> Result<RunState, BeginError> {
    // Dropped, and so removed, after the processes that use it were stopped.
    let dir = setting.request.labs.create(None)?;
    let mut cell = tokio::select! {
        biased;
        () = stop.wait() => return Ok(RunState::Interrupted),
        cell = bring_up(setting, planned, supervisor, &dir) => cell?,
    };
    let meters = Meters::start(&cell).await?;
    let ended = go_through(planned, &mut cell, &meters).await;
    let (pressure, series) = meters.stop().await;
    take_down(cell, &planned.spec.may_die, pressure, series).await?;
    Ok(ended)
}

async fn bring_up<'a>(
    setting: &Setting<'a>,
    planned: &plan::Cell,
    supervisor: &'a Supervisor,
    dir: &LabDir,
) -> Result<Cell<'a>, BeginError> {
    let Setting { request, nonce, recorder, stop, progress, .. } = *setting;
    let folder = recorder.folder().cell(&planned.id);
    let variant: Variant = planned.system.to_string().parse()?;
    let (mut receiver, mut local, mut servers) = (None, None, None);
    if variant.on_kubernetes() {
        if planned.spec.cluster.apiserver.tracing {
            receiver = Some(Receiver::start(&folder.spans_dir()).await?);
        }
        let tracing = receiver.as_ref().map(Receiver::address);
        local = Some(plane(setting, planned, supervisor, dir, &folder, tracing).await?);
    } else {
        servers = Some(bring_up_servers(setting, supervisor, dir, &folder).await?);
    }
    let spec = DeploySpec {
        variant,
        defects: instances::defects(variant, &planned.spec.defects),
        limits: Limits::default(),
        // A system without a cluster does not look at it.
        kubeconfig: local.as_ref().map(|local| local.kubeconfig().to_owned()).unwrap_or_default(),
        namespace: NAMESPACE.to_owned(),
        prefix: String::new(),
        program: request.program.clone(),
        leading_args: Vec::new(),
        work_dir: dir.path().join("apps"),
        spans_dir: folder.spans_dir(),
        logs_dir: folder.logs_dir(),
    };
    let count = planned.spec.instances;
    let (operator, system, others) = match planned.spec.deployed_by {
        DeployedBy::Operator if variant.on_kubernetes() => {
            let (operator, system) = instances::by_operator(&spec, count, supervisor).await?;
            (Some(operator), system, Vec::new())
        }
        _ => {
            let ground = servers.as_ref().map(Ground::from);
            let system = Deployed::deploy(&spec, ground.as_ref(), supervisor).await?;
            (None, system, instances::beside(&spec, count, supervisor).await?)
        }
    };
    recorder.event(Happening::Ready { what: planned.system.to_string() });
    progress.say(&format!("system {} ready: gateway {}", planned.system, system.gateway()));
    let ledger = Arc::new(JsonlWriter::append_to(&folder.ops_path())?);
    let pids = Pids::default();
    pids.add("kab", std::process::id());
    let cell = Cell {
        folder,
        recorder,
        progress,
        supervisor,
        stop: stop.clone(),
        program: &request.program,
        local,
        servers,
        system,
        others,
        pod_deaths: operator.as_ref().map(|operator| operator.standin().deaths()),
        operator,
        ledger,
        pids,
        seed: request.plan.seed,
        nonce,
        next_sequence: 0,
        seeded: HashMap::new(),
        subscribers: Vec::new(),
        watchers: Vec::new(),
        acknowledged: Vec::new(),
        selected: HashMap::new(),
        receiver,
    };
    cell.note_processes();
    Ok(cell)
}

/// Starts the control plane of a cell.
async fn plane(
    setting: &Setting<'_>,
    planned: &plan::Cell,
    supervisor: &Supervisor,
    dir: &LabDir,
    folder: &CellFolder,
    tracing: Option<SocketAddr>,
) -> Result<Local, BeginError> {
    let Setting { request, programs, recorder, progress, .. } = *setting;
    let assets = programs.assets.as_ref().ok_or(BeginError::NoPrograms)?;
    let mut spec = local_spec(&planned.spec.cluster, folder);
    spec.tracing = tracing;
    progress.say("starting etcd and kube-apiserver");
    let local = Local::start(&spec, assets, dir.path(), supervisor, progress).await?;
    dir.note(Some(&local))?;
    recorder.event(Happening::Ready { what: "control plane".into() });
    let conditions =
        Conditions { calibration: request.calibration.clone(), ..local.conditions().clone() };
    progress.say(&format!(
        "control plane ready: Kubernetes {}, etcd {}",
        version(&conditions.versions, "kubernetes"),
        version(&conditions.versions, "etcd"),
    ));
    recorder.conditions(conditions)?;
    Ok(local)
}

/// Starts the servers of a cell without a control plane.
async fn bring_up_servers(
    setting: &Setting<'_>,
    supervisor: &Supervisor,
    dir: &LabDir,
    folder: &CellFolder,
) -> Result<Servers, BeginError> {
    let Setting { request, programs, recorder, progress, .. } = *setting;
    let programs = programs.servers.as_ref().ok_or(BeginError::NoPrograms)?;
    progress.say("starting PostgreSQL and nats-server");
    let spec = ServersSpec::from_env(folder.logs_dir());
    let servers = Servers::start(&spec, programs, dir, supervisor, progress).await?;
    dir.note_servers(servers.pids())?;
    recorder.event(Happening::Ready { what: "PostgreSQL and nats-server".into() });
    let mut conditions =
        Conditions { calibration: request.calibration.clone(), ..servers.conditions().clone() };
    conditions.settings.insert("gateway pool".to_owned(), POOL_SIZE.to_string());
    recorder.conditions(conditions)?;
    Ok(servers)
}

fn version<'v>(versions: &'v std::collections::BTreeMap<String, String>, of: &str) -> &'v str {
    versions.get(of).map_or("of unknown version", String::as_str)
}

fn local_spec(cluster: &Cluster, folder: &CellFolder) -> LocalSpec {
    LocalSpec {
        etcd: EtcdSpec {
            quota_bytes: cluster.etcd.quota.get(),
            fsync: cluster.etcd.fsync,
            flags: cluster.etcd.flags.clone(),
        },
        apiserver: ComponentSpec { flags: cluster.apiserver.flags.clone() },
        controller_manager: cluster
            .controller_manager
            .as_ref()
            .map(|component| ComponentSpec { flags: component.flags.clone() }),
        tracing: None,
        logs: Some(folder.logs_dir()),
    }
}

/// The names in `of`, a list of what has names.
fn names(of: &impl Serialize) -> Vec<String> {
    let listed = serde_json::to_value(of).and_then(serde_json::from_value);
    listed.unwrap_or_default()
}

/// Goes through the steps, until one fails or the run is to stop.
async fn go_through(planned: &plan::Cell, cell: &mut Cell<'_>, meters: &Meters) -> RunState {
    for step in &planned.spec.steps {
        if cell.stop.requested() {
            return RunState::Interrupted;
        }
        cell.say(&format!("step {}: {}", step.name, step.verb.name()));
        let done = async {
            cell.recorder.step_started(&step.name, step.verb.name())?;
            let ledger = cell.ledger.health();
            let results = tokio::select! {
                results = steps::run(step, cell) => results?,
                error = failing(&ledger) => return Err(error.into()),
            };
            ledger.check()?;
            cell.tell_pod_deaths();
            cell.recorder.check()?;
            // A step that was stopped has not ended: the record says so.
            if !cell.stop.requested() {
                cell.recorder.step_ended(&step.name, results)?;
                meters.read().await;
            }
            Ok::<_, steps::StepError>(())
        };
        if let Err(error) = done.await {
            let reason = format!("step {}: {error}", step.name);
            cell.warn(reason.clone());
            return RunState::Failed { reason };
        }
    }
    if cell.stop.requested() { RunState::Interrupted } else { RunState::Complete }
}

/// Waits until evidence does not reach the disk any more: a run without it is
/// not worth its time.
async fn failing(ledger: &Health) -> JsonlError {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = ledger.check() {
            return error;
        }
    }
}

/// Ends the system in an order in which each can still write down what it saw,
/// and writes down who could not.
async fn take_down(
    cell: Cell<'_>,
    may_die: &[Mortal],
    pressure: Pressure,
    series: Result<(), JsonlError>,
) -> Result<(), BeginError> {
    let Cell {
        folder,
        recorder,
        subscribers,
        watchers,
        ledger,
        system,
        others,
        operator,
        local,
        servers,
        receiver,
        nonce,
        ..
    } = cell;
    let mut lost = Vec::new();
    // Before anything they watch goes away, which would look like a fault.
    for (_, group) in watchers {
        lost.extend(group.stop().await.err().map(|error| error.to_string()));
    }
    for (name, ended) in instances::stop(system, others, may_die, FAREWELL).await {
        // By a signal: killed, which is told elsewhere.
        if ended.status.is_some_and(|status| status != 0) {
            lost.push(format!("{name} could not end in order ({ended}); its log says why"));
        }
    }
    if let Some(operator) = operator {
        operator.stop(FAREWELL).await;
    }
    for subscriber in subscribers {
        lost.extend(subscriber.stop().await.err().map(|error| error.to_string()));
    }
    let mut tracing = None;
    if let (Some(receiver), Some(local)) = (receiver, &local) {
        let (record, written) = receiver.finish(local, nonce).await;
        lost.extend(written.err().map(|error| error.to_string()));
        if !record.complete {
            let text = "the apiserver's last spans did not come: its coverage is too low";
            recorder.event(Happening::Warning { text: text.into() });
        }
        tracing = Some(record);
    }
    // Every generator has ended, and with it its share of the ledger.
    let ledger = Arc::into_inner(ledger).map_or(Ok(0), JsonlWriter::finish);
    let errors = [ledger.as_ref().err(), series.as_ref().err()];
    lost.extend(errors.into_iter().flatten().map(ToString::to_string));
    let evidence = folder.inventory();
    // The lab is thrown away with its data: there is nothing to end in order.
    if let Some(local) = local {
        local.stop_now().await;
    }
    if let Some(servers) = servers {
        servers.stop_now().await;
    }
    let kept = recorder.update_cell(|cell| {
        cell.pressure = Some(pressure);
        cell.lost = lost;
        cell.tracing = tracing;
        cell.evidence = evidence.as_ref().ok().cloned();
    });
    // What went wrong first is what is to be mended.
    ledger?;
    series?;
    kept?;
    evidence?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_system_and_what_it_cannot_do_are_written_by_name() {
        assert_eq!(names(&Variant::Naive.defects()).len(), 15);
        assert!(names(&Variant::Naive.differences()).contains(&"oneRefusal".to_owned()));
        assert_eq!(names(&Variant::Hardened.differences()), ["noTransaction", "positionsExpire"]);
        assert_eq!(names(&Variant::Conventional.defects()), Vec::<String>::new());
    }

    #[test]
    fn the_scenario_format_knows_which_systems_ask_a_webhook() {
        use kab_backend::system::Admission;
        use kab_scenario::model::System;
        let named = |system: System| system.to_string().parse::<Variant>().unwrap();
        for system in System::ALL {
            let asks = named(system).admission() == Some(Admission::Webhook);
            assert_eq!(system.has_webhook(), asks, "{system}");
        }
        assert_eq!(System::ALL.len(), Variant::ALL.len());
    }
}
