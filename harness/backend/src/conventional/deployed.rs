//! The system in place: its processes, and the database that is its own.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use kab_evidence::store::StoredEntity;
use kab_lab::process::{Child, Ended, Supervisor};
use kab_lab::servers::Servers;

use super::Database;
use super::broker::{self, BrokerConfig};
use crate::app::any_loopback_port;
use crate::app::consumer::{ConsumerConfig, IN_FLIGHT, MAX_DELIVER};
use crate::app::gateway::{GatewayConfig, StoreConfig};
use crate::app::relay::RelayConfig;
use crate::defect::Defects;
use crate::deploy::process::start;
use crate::deploy::{DeployError, DeploySpec, again};

/// How long an app may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(5);

/// What the system stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// The URL of PostgreSQL's administrator.
    pub postgres: String,
    /// Whether that PostgreSQL goes on after the system.
    pub given: bool,
    /// The broker.
    pub broker: BrokerConfig,
}

impl From<&Servers> for Ground {
    fn from(servers: &Servers) -> Self {
        let access = servers.nats().access();
        Self {
            postgres: servers.postgres_url().to_owned(),
            given: servers.postgres().is_none(),
            broker: BrokerConfig {
                url: format!("nats://{}", access.address),
                user: access.user.clone(),
                password: access.password.clone(),
            },
        }
    }
}

/// A system that is in place. Its processes end with the supervisor; its
/// database stays until [`Deployed::teardown`].
pub struct Deployed {
    spec: DeploySpec,
    database: Database,
    given: bool,
    broker: BrokerConfig,
    gateway: SocketAddr,
    children: Vec<Child>,
}

impl Deployed {
    /// Makes a database, and starts relay and gateway. Consumers come with their
    /// subscribers, by [`Deployed::add_informer`]. The namespace of `spec` is the
    /// tenant; its kubeconfig is not looked at.
    ///
    /// # Errors
    /// If the servers refuse something, or an app does not start.
    pub async fn deploy(
        spec: &DeploySpec,
        ground: &Ground,
        supervisor: &Supervisor,
    ) -> Result<Self, DeployError> {
        let database = Database::create(&ground.postgres).await?;
        // The streams are there before anybody looks for them.
        broker::connect(&ground.broker, "deploy").await?;
        let relay = RelayConfig {
            database: database.relay_url().to_owned(),
            broker: ground.broker.clone(),
        };
        let relay = start(spec, supervisor, "relay", "relay", &relay).await?;
        let config = gateway_config(spec, &database);
        let gateway = start(spec, supervisor, "gateway", "gateway", &config).await?;
        Ok(Self {
            spec: spec.clone(),
            database,
            given: ground.given,
            broker: ground.broker.clone(),
            gateway: gateway.address()?,
            children: vec![relay.child, gateway.child],
        })
    }

    /// The gateway's address.
    pub const fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// Where the gateway takes requests: `http://127.0.0.1:41001`.
    pub fn gateway_url(&self) -> String {
        format!("http://{}", self.gateway)
    }

    /// The tenant.
    pub fn namespace(&self) -> &str {
        &self.spec.namespace
    }

    /// What is wrong with it.
    pub const fn defects(&self) -> &Defects {
        &self.spec.defects
    }

    /// The database.
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Starts `replicas` consumers for subscriber `index`, which listens at
    /// `subscriber_url`: `consumer-<index>`, `consumer-<index>-1`, and so on. They
    /// share what the broker remembers of the subscriber. When this returns, no
    /// change from now on is missed. If there were consumers of that subscriber,
    /// these take their place, and go on where they were.
    ///
    /// # Errors
    /// If one does not start.
    pub async fn add_informer(
        &mut self,
        supervisor: &Supervisor,
        index: u32,
        replicas: u32,
        subscriber_url: &str,
    ) -> Result<(), DeployError> {
        let name = |replica: u32| match replica {
            0 => format!("consumer-{index}"),
            replica => format!("consumer-{index}-{replica}"),
        };
        let is_replica = |child: &Child| {
            let rest = child.name().strip_prefix(&name(0));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let (before, others): (Vec<_>, Vec<_>) = self.children.drain(..).partition(is_replica);
        self.children = others;
        futures::future::join_all(before.iter().map(|child| child.stop(GRACE))).await;
        let config = ConsumerConfig {
            broker: self.broker.clone(),
            tenant: self.spec.namespace.clone(),
            subscriber: index,
            subscriber_url: subscriber_url.to_owned(),
            max_deliver: MAX_DELIVER,
            in_flight: IN_FLIGHT,
        };
        for replica in 0..replicas.max(1) {
            let name = name(replica);
            let running = start(&self.spec, supervisor, "consumer", &name, &config).await?;
            self.children.push(running.child);
        }
        Ok(())
    }

    /// Everything the database holds now.
    ///
    /// # Errors
    /// If it does not tell.
    pub async fn stored(&self) -> Result<Vec<StoredEntity>, DeployError> {
        Ok(self.database.stored(&self.spec.namespace).await?)
    }

    /// Name and process id of each app, also of those that have ended.
    pub fn pids(&self) -> Vec<(String, u32)> {
        self.children.iter().map(|child| (child.name().to_owned(), child.pid())).collect()
    }

    /// The process called `name`: `gateway`, `relay`, `consumer-0`, ...
    pub fn child(&self, name: &str) -> Option<&Child> {
        self.children.iter().find(|child| child.name() == name)
    }

    /// The processes, also those that have ended.
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// Starts the process called `name` again, at the same address. When this
    /// returns, it is ready.
    ///
    /// # Errors
    /// If there was no such process, or it does not start.
    pub async fn restart(
        &mut self,
        supervisor: &Supervisor,
        name: &str,
    ) -> Result<(), DeployError> {
        again::restart(&self.spec, &mut self.children, supervisor, name).await
    }

    /// Stops the apps, each in order, `grace` at most; what they saw is then
    /// written out. How each ended, by name. The database stays.
    pub async fn stop(&self, grace: Duration) -> Vec<(String, Ended)> {
        let stops = self
            .children
            .iter()
            .map(|child| async { (child.name().to_owned(), child.stop(grace).await) });
        futures::future::join_all(stops).await
    }

    /// Removes the database, if its server goes on. That it cannot be removed is
    /// said, and no error: what was measured is measured.
    pub async fn leave(self) {
        if self.given
            && let Err(error) = self.database.drop().await
        {
            tracing::warn!(%error, "a database stays behind");
        }
    }

    /// Stops the apps, and removes the database: for a server that goes on.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn teardown(self) -> Result<(), DeployError> {
        self.stop(GRACE).await;
        Ok(self.database.drop().await?)
    }
}

/// The configuration of a gateway over the database.
fn gateway_config(spec: &DeploySpec, database: &Database) -> GatewayConfig {
    GatewayConfig {
        store: StoreConfig::Postgres {
            url: database.gateway_url().to_owned(),
            tenant: spec.namespace.clone(),
            pool: database.pool(),
        },
        defects: spec.defects.clone(),
        pod_name: "gateway-0".to_owned(),
        listen: any_loopback_port(),
    }
}

impl fmt::Debug for Deployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Deployed");
        shown.field("spec", &self.spec).field("gateway", &self.gateway);
        shown.field("pids", &self.pids()).finish_non_exhaustive()
    }
}
