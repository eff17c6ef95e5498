//! Instances of the system beside the first one, and the defects that all of
//! them have.

use std::time::Duration;

use kab_backend::defect::{Defect, Defects};
use kab_backend::deploy::{DeployError, DeploySpec};
use kab_backend::kubernetes;
use kab_backend::operator::{self, OperatorDeployed};
use kab_backend::system::{Deployed, Variant};
use kab_evidence::process::kind_of;
use kab_lab::process::{Ended, Supervisor};
use kab_scenario::model::{self, Mortal, Switches};

/// The defects of `variant`, with `switches` thrown. They are those of systems
/// in the cluster: others have none, whatever is said.
pub fn defects(variant: Variant, switches: &Switches) -> Defects {
    let own = variant.defects();
    if !variant.on_kubernetes() {
        return own;
    }
    switches.0.iter().fold(own, |defects, (defect, on)| defects.with(named(*defect), *on))
}

/// What a defect of the scenario's language is in the system.
const fn named(defect: model::Defect) -> Defect {
    match defect {
        model::Defect::ClusterAdmin => Defect::ClusterAdmin,
        model::Defect::NoSchema => Defect::NoSchema,
        model::Defect::AlwaysValid => Defect::AlwaysValid,
        model::Defect::FailOpen => Defect::FailOpen,
        model::Defect::SharedWebhook => Defect::SharedWebhook,
        model::Defect::NoRetry => Defect::NoRetry,
        model::Defect::NamelessDeletes => Defect::NamelessDeletes,
        model::Defect::CrashOnSilence => Defect::CrashOnSilence,
        model::Defect::ReplayOnStart => Defect::ReplayOnStart,
        model::Defect::ForgetfulReplicas => Defect::ForgetfulReplicas,
        model::Defect::OneStatus => Defect::OneStatus,
        model::Defect::EveryReplicaNotifies => Defect::EveryReplicaNotifies,
        model::Defect::UnboundedList => Defect::UnboundedList,
        model::Defect::MakeOnceOperator => Defect::MakeOnceOperator,
        model::Defect::SharedCertificate => Defect::SharedCertificate,
    }
}

/// Their names, for the record.
pub fn names(defects: &Defects) -> Vec<String> {
    let all = model::Defect::ALL.into_iter();
    all.filter(|(defect, ..)| defects.has(named(*defect)))
        .map(|(_, name, _)| name.to_owned())
        .collect()
}

/// The name of instance `number`, from 1: of its namespace too.
pub fn name(number: u32) -> String {
    format!("kab{number:02}")
}

/// Has an operator deploy the system, and the instances from the second to number
/// `count` beside it; and the first one, for steps to work with.
pub async fn by_operator(
    first: &DeploySpec,
    count: u32,
    supervisor: &Supervisor,
) -> Result<(OperatorDeployed, Deployed), DeployError> {
    let operator = operator::deploy(first, supervisor).await?;
    for number in 2..=count {
        let name = name(number);
        operator.make(&name, &name, &operator::instance(first)).await?;
    }
    let gateway = operator.gateway_address();
    let gateway = gateway.ok_or_else(|| DeployError::NoAddress { name: "gateway".to_owned() })?;
    let account = format!("{}-app", operator::FIRST);
    let system = kubernetes::Deployed::attach(first, gateway, &account).await?;
    Ok((operator, Deployed::Kubernetes(Box::new(system))))
}

/// Deploys the instances from the second to number `count` beside `first`, in
/// namespaces of their own.
pub async fn beside(
    first: &DeploySpec,
    count: u32,
    supervisor: &Supervisor,
) -> Result<Vec<Deployed>, DeployError> {
    let mut others = Vec::new();
    for number in 2..=count {
        let name = name(number);
        let spec = DeploySpec {
            prefix: format!("{name}-"),
            work_dir: first.work_dir.join(&name),
            namespace: name,
            ..first.clone()
        };
        others.push(Deployed::deploy(&spec, None, supervisor).await?);
    }
    Ok(others)
}

/// Stops all instances; how each process ended that had not before, as it may
/// have if it is one of `may_die`.
pub async fn stop(
    system: Deployed,
    others: Vec<Deployed>,
    may_die: &[Mortal],
    grace: Duration,
) -> Vec<(String, Ended)> {
    let mut ends = Vec::new();
    for instance in others.into_iter().chain([system]) {
        let mortal = |name: &str| may_die.iter().any(|kind| Some(kind.name()) == kind_of(name));
        let gone = instance.children().iter().filter(|child| child.has_ended().is_some());
        let gone: Vec<u32> =
            gone.filter(|child| mortal(child.name())).map(|child| child.pid()).collect();
        let pids = instance.pids();
        let ended = instance.stop(grace).await;
        let both = pids.into_iter().zip(ended);
        ends.extend(both.filter(|((_, pid), _)| !gone.contains(pid)).map(|(_, end)| end));
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switches(json: serde_json::Value) -> Switches {
        serde_json::from_value(json).unwrap()
    }

    /// The language and the systems know the same defects by the same names, in
    /// the same order.
    #[test]
    fn the_two_lists_of_defects_are_one() {
        let language = model::Defect::ALL.map(|(defect, name, _)| (named(defect), name.to_owned()));
        let name = |defect: Defect| {
            let name = serde_json::to_value(defect).unwrap();
            (defect, name.as_str().unwrap().to_owned())
        };
        assert_eq!(language, Defect::ALL.map(name));
    }

    #[test]
    fn switches_count_where_there_is_something_to_switch() {
        let thrown = switches(serde_json::json!({ "noRetry": false, "failOpen": true }));
        let naive = defects(Variant::Naive, &thrown);
        assert_eq!(naive, Defects::all().with(Defect::NoRetry, false));
        assert_eq!(names(&naive).len(), 14);
        let hardened = defects(Variant::Hardened, &thrown);
        assert_eq!(names(&hardened), ["failOpen"]);
        assert_eq!(defects(Variant::Conventional, &thrown), Defects::none());
        assert_eq!(defects(Variant::Naive, &Switches::default()), Defects::all());
    }
}
