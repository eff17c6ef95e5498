//! What stands in for pods where a cluster has no nodes: each container of a
//! Deployment's pods is run as a process, from the same template.
//!
//! It does what a node and the controllers of workloads do, as far as an
//! operator can tell: volumes become folders, accounts get tokens, replicas
//! are counted, a changed template rolls the pods one by one, a Secret that
//! changes reaches the pods that mount it, a container that ends is started
//! again, ever later, and all of it is told in the Deployment's status.
//!
//! There are no addresses of pods. All replicas of a Deployment listen at one
//! port of the loopback address, among which the kernel deals out connections
//! as a Service would; it is written on the Deployment, as
//! [`ADDRESS_ANNOTATION`]. So a sidecar that speaks to the app in its own pod
//! reaches any of the replicas.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kab_lab::process::{Child, Deaths, Supervisor};
use kube::Client;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use crate::client::connect;
use crate::deploy::{DeployError, DeploySpec};

mod container;
mod error;
mod network;
mod pod;
mod volumes;
mod watch;
mod workload;

pub use error::StandInError;

/// The annotation of a Deployment that says where its pods listen.
pub const ADDRESS_ANNOTATION: &str = "kab.dev/address";

/// What a stand-in needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandInSpec {
    /// Kubeconfig of somebody who may do everything.
    pub kubeconfig: PathBuf,
    /// Selects the Deployments it runs, and the Secrets it follows.
    pub selector: String,
    /// Program of all containers, whatever their image...
    pub program: PathBuf,
    /// ... and its arguments before the container's own.
    pub leading_args: Vec<OsString>,
    /// Folder for the pods' volumes and tokens.
    pub work_dir: PathBuf,
    /// Folder for the apps' spans.
    pub spans_dir: PathBuf,
    /// Folder for the containers' logs.
    pub logs_dir: PathBuf,
    /// Whether a container that ends is started again.
    pub restart: bool,
    /// The namespace whose apps' spans are those of the first instance.
    pub first: String,
}

impl StandInSpec {
    /// For whatever an operator makes, by the means of `spec`.
    pub fn of(spec: &DeploySpec) -> Self {
        Self {
            kubeconfig: spec.kubeconfig.clone(),
            selector: crate::app::operator::MANAGED_SELECTOR.to_owned(),
            program: spec.program.clone(),
            leading_args: spec.leading_args.clone(),
            work_dir: spec.work_dir.join("pods"),
            spans_dir: spec.spans_dir.clone(),
            logs_dir: spec.logs_dir.clone(),
            restart: true,
            first: spec.namespace.clone(),
        }
    }

    /// What the files of spans of a pod in `namespace` begin with: of the first one
    /// nothing, of every other its name.
    fn prefix_of(&self, namespace: &str) -> String {
        if namespace == self.first { String::new() } else { format!("{namespace}-") }
    }
}

/// A container that runs, or has ended and was not started again yet.
#[derive(Debug, Clone)]
pub struct Container {
    /// The namespace of its pod.
    pub namespace: String,
    /// The Deployment that its pod is one of.
    pub deployment: String,
    /// Its pod.
    pub pod: String,
    /// What it is called in the pod.
    pub name: String,
    /// Its process.
    pub child: Child,
}

/// Runs Deployments, until it is stopped or dropped; its processes end with it.
pub struct StandIn {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// A container's port, by namespace and Deployment.
type Port = (String, String, u16);

/// What the tasks of a stand-in share.
struct Shared {
    client: Client,
    spec: StandInSpec,
    supervisor: Supervisor,
    /// By pod.
    containers: Mutex<BTreeMap<String, Vec<Container>>>,
    /// Where each port is. The sockets keep the addresses from being given to
    /// others; they do not listen.
    ports: Mutex<HashMap<Port, (SocketAddr, TcpSocket)>>,
    /// Folders into which a Secret, by namespace and name, is mounted.
    mounts: Mutex<HashMap<(String, String), Vec<PathBuf>>>,
    /// What each Deployment lacks, by its name.
    troubles: Mutex<BTreeMap<String, String>>,
    pods: AtomicU32,
}

impl StandIn {
    /// Begins to run the Deployments that are there, and those to come.
    ///
    /// # Errors
    /// If there is no client for the cluster, or no process can be started.
    pub async fn start(spec: StandInSpec) -> Result<Self, DeployError> {
        let shared = Arc::new(Shared {
            client: connect(&spec.kubeconfig).await?,
            spec,
            supervisor: Supervisor::new()?,
            containers: Mutex::default(),
            ports: Mutex::default(),
            mounts: Mutex::default(),
            troubles: Mutex::default(),
            pods: AtomicU32::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(watch::deployments(Arc::clone(&shared)));
        tasks.spawn(watch::secrets(Arc::clone(&shared)));
        Ok(Self { shared, tasks })
    }

    /// All containers, in the order of their pods' names.
    pub fn containers(&self) -> Vec<Container> {
        locked(&self.shared.containers).values().flatten().cloned().collect()
    }

    /// Every end of a container that nobody asked for.
    pub fn deaths(&self) -> Deaths {
        self.shared.supervisor.deaths()
    }

    /// What keeps Deployments from being as they are wanted.
    pub fn troubles(&self) -> Vec<String> {
        locked(&self.shared.troubles).values().cloned().collect()
    }

    /// Stops all containers, each in order, `grace` at most.
    pub async fn stop(mut self, grace: Duration) {
        self.tasks.shutdown().await;
        self.shared.supervisor.stop_all(grace).await;
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.tasks.abort_all();
        self.shared.supervisor.children().iter().for_each(Child::kill);
    }
}

impl Shared {
    /// Where the pods of a Deployment listen in place of `port`.
    fn address(
        &self,
        namespace: &str,
        deployment: &str,
        port: u16,
    ) -> Result<SocketAddr, StandInError> {
        let mut ports = locked(&self.ports);
        let key = (namespace.to_owned(), deployment.to_owned(), port);
        if let Some((address, _)) = ports.get(&key) {
            return Ok(*address);
        }
        let reserved = reserve().map_err(|source| StandInError::Io {
            action: format!("reserving a port for Deployment {deployment}"),
            source,
        })?;
        let address = reserved.0;
        ports.insert(key, reserved);
        Ok(address)
    }

    fn next_pod(&self, deployment: &str) -> String {
        format!("{deployment}-{}", self.pods.fetch_add(1, Ordering::Relaxed))
    }
}

/// A loopback port, and the socket that keeps it.
fn reserve() -> std::io::Result<(SocketAddr, TcpSocket)> {
    let socket = TcpSocket::new_v4()?;
    // First without, or the kernel may give a port that others share.
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    socket.set_reuseport(true)?;
    Ok((socket.local_addr()?, socket))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
