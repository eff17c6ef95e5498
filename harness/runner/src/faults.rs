//! What a scenario does to processes and subscribers. Each is written down, so
//! that what follows from it is known to be part of the scenario.

use std::time::Duration;

use http::StatusCode;
use kab_backend::system::Deployed;
use kab_evidence::event::Happening;
use kab_evidence::process::instance_of;
use kab_lab::process::Child;
use kab_load::Behaviour;
use kab_scenario::model::{self, SubscriberFault};

use crate::cell::Cell;
use crate::steps::StepError;

/// There is nothing to do it to.
#[derive(Debug, thiserror::Error)]
pub enum NothingHit {
    /// No such process.
    #[error("there is no process called {name:?}; there are {}", there.join(", "))]
    Process {
        /// What was looked for.
        name: String,
        /// What there is.
        there: Vec<String>,
    },
    /// No such subscriber.
    #[error("there is no subscriber {index}; {there} were started, counted from 0")]
    Subscriber {
        /// What was looked for.
        index: u32,
        /// How many there are.
        there: usize,
    },
}

impl Cell<'_> {
    /// Kills the process called `name`, and waits until it is gone.
    pub(crate) async fn kill(&self, name: &str) -> Result<(), StepError> {
        let child = self.process(name)?;
        self.note("kill", name, Some(child.pid()));
        child.kill();
        child.ended().await;
        Ok(())
    }

    /// Has the process called `name` stand still.
    pub(crate) fn pause(&self, name: &str) -> Result<(), StepError> {
        let child = self.process(name)?;
        self.note("stop", name, Some(child.pid()));
        child.pause();
        Ok(())
    }

    /// Has the process called `name` go on.
    pub(crate) fn go_on(&self, name: &str) -> Result<(), StepError> {
        let child = self.process(name)?;
        self.note("continue", name, Some(child.pid()));
        child.go_on();
        Ok(())
    }

    /// Starts the process called `name` again, and waits until it is ready.
    pub(crate) async fn restart(&mut self, name: &str) -> Result<(), StepError> {
        let pid = self.process(name)?.pid();
        self.note("restart", name, Some(pid));
        let (instance, own) = instance_of(name);
        let supervisor = self.supervisor;
        // It is there: its process has just been found.
        if let Some(deployed) = self.instance_mut(instance) {
            deployed.restart(supervisor, own).await?;
        }
        self.note_processes();
        Ok(())
    }

    /// Has a subscriber behave otherwise.
    pub(crate) async fn misbehave(&self, fault: &SubscriberFault) -> Result<(), StepError> {
        let place = usize::try_from(fault.index).unwrap_or(usize::MAX);
        let subscriber = self
            .subscribers
            .get(place)
            .ok_or(NothingHit::Subscriber { index: fault.index, there: self.subscribers.len() })?;
        let behaviour = match fault.behaves {
            model::Behaviour::Normal => Behaviour::Normal,
            model::Behaviour::Refuse => Behaviour::Refuse(
                StatusCode::from_u16(fault.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            ),
            model::Behaviour::Silent => Behaviour::Silent,
            model::Behaviour::Down => Behaviour::Down,
        };
        self.note(fault.behaves.name(), &format!("subscriber-{}", fault.index), None);
        let time: Option<Duration> = fault.time.map(|time| time.duration());
        subscriber.behave(behaviour, time).await;
        Ok(())
    }

    fn note(&self, fault: &str, target: &str, pid: Option<u32>) {
        let (fault, target) = (fault.to_owned(), target.to_owned());
        self.recorder.event(Happening::Fault { fault, target, pid });
    }

    /// The instance called so; the first, if none is named.
    fn instance(&self, name: Option<&str>) -> Option<&Deployed> {
        let Some(name) = name else { return Some(&self.system) };
        self.others.iter().find(|other| other.namespace() == name)
    }

    fn instance_mut(&mut self, name: Option<&str>) -> Option<&mut Deployed> {
        let Some(name) = name else { return Some(&mut self.system) };
        self.others.iter_mut().find(|other| other.namespace() == name)
    }

    fn process(&self, name: &str) -> Result<Child, NothingHit> {
        let (instance, own) = instance_of(name);
        let child = self.instance(instance).and_then(|deployed| deployed.child(own));
        child.cloned().ok_or_else(|| self.no_process(name))
    }

    fn no_process(&self, name: &str) -> NothingHit {
        let all = self.others.iter().chain([&self.system]);
        let there = all.flat_map(Deployed::children).map(|child| child.name().to_owned()).collect();
        NothingHit::Process { name: name.to_owned(), there }
    }
}
