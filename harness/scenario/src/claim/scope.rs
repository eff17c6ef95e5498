//! What an expression may speak of.

use cel::Context;

use super::StepFacts;
use crate::measure::{self, Kind};
use crate::suggest::suggestion;

/// What an expression may speak of.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// A claim: of steps, by their names, and of the run.
    Claim(&'a [StepFacts<'a>]),
    /// The objective of a search: of one probe, without a name.
    Probe,
}

impl<'a> Scope<'a> {
    /// Whether there is something to speak of: without steps, what is wrong
    /// with them comes first.
    pub(super) fn is_known(self) -> bool {
        !matches!(self, Self::Claim([]))
    }

    /// The step called `name`.
    pub(super) fn step(self, name: &str) -> Option<&'a StepFacts<'a>> {
        match self {
            Self::Claim(steps) => steps.iter().find(|step| step.name == name),
            Self::Probe => None,
        }
    }

    /// What is measured under `root`, or why nothing is.
    pub(super) fn root(self, root: &str) -> Result<Kind, String> {
        match self {
            Self::Probe => measure::PROBE
                .get(root)
                .ok_or_else(|| format!("nothing called `{root}` is measured of a probe")),
            Self::Claim(_) => {
                if let Some((_, kind)) = measure::ROOTS.iter().find(|(name, _)| *name == root) {
                    return Ok(*kind);
                }
                let step = self.step(root).ok_or_else(|| format!("no step is called `{root}`"))?;
                measure::of_verb(step.verb).ok_or_else(|| {
                    format!("nothing is measured of `{root}`, a `{}` step", step.verb)
                })
            }
        }
    }

    /// What to write instead of `wrong`.
    pub(super) fn known_names(self, wrong: &str) -> Option<String> {
        match self {
            Self::Probe => suggestion(wrong, measure::PROBE.names()),
            Self::Claim(_) => {
                let steps = self.measured().map(|(name, _)| name);
                suggestion(wrong, steps.chain(measure::ROOTS.map(|(name, _)| name)))
            }
        }
    }

    /// Sample values of everything.
    pub(super) fn sample(self) -> Context<'static, 'static> {
        match self {
            Self::Claim(_) => measure::sample(self.measured()),
            Self::Probe => measure::sample(
                measure::PROBE
                    .names()
                    .into_iter()
                    .filter_map(|name| Some((name, measure::PROBE.get(name)?))),
            ),
        }
    }

    fn measured(self) -> impl Iterator<Item = (&'a str, Kind)> {
        let steps: &'a [StepFacts<'a>] = match self {
            Self::Claim(steps) => steps,
            Self::Probe => &[],
        };
        steps.iter().filter_map(|step| Some((step.name, measure::of_verb(step.verb)?)))
    }
}
