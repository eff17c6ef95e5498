//! What every store must do, whatever keeps its entities: a suite that drives
//! the one interface and looks at typed outcomes.
//!
//! A store may declare that it cannot do something. Each case finds out by
//! itself what the store cannot do; what is found and not declared is a
//! failure, and so is what is declared and not found.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::store::{Difference, Revision, Store};

mod bench;
mod changes;
mod codes;
mod conditions;
mod lists;
mod rules;
mod transactions;
mod writes;

use bench::Bench;

/// A run of the suite.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What the codes of its entities begin with: lower-case letters and
    /// digits. No two trials of one store may share it.
    pub tag: String,
    /// A position from before anything was kept, to see whether positions
    /// expire.
    pub ancient: Revision,
}

/// What a case found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// The store does what it must.
    Passed,
    /// It does not, and says so.
    Differs(Vec<Difference>),
    /// It does not.
    Failed(String),
}

/// A case and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What the store must do, in a few words.
    pub case: String,
    /// Whether it does.
    pub verdict: Verdict,
}

impl Finding {
    /// Whether the store has failed.
    pub const fn failed(&self) -> bool {
        matches!(self.verdict, Verdict::Failed(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Passed => write!(f, "{}: passed", self.case),
            Verdict::Differs(differences) => write!(f, "{}: differs: {differences:?}", self.case),
            Verdict::Failed(why) => write!(f, "{}: FAILED: {why}", self.case),
        }
    }
}

/// What a case comes to: what the store cannot do, or what it does wrong.
type Seen = Result<BTreeSet<Difference>, String>;

/// Runs all cases against `store`, one after the other.
pub async fn run<S: Store>(store: &S, trial: &Trial) -> Vec<Finding> {
    let declared: BTreeSet<_> = store.differences().into_iter().collect();
    let bench = Bench { store, trial, one_refusal: declared.contains(&Difference::OneRefusal) };
    let mut suite = Suite { declared, found: BTreeSet::new(), findings: Vec::new() };
    suite.note("what is created can be read", writes::created(&bench).await);
    suite.note("a code is there once", writes::unique(&bench).await);
    suite.note("what is missing is not found", writes::missing(&bench).await);
    suite.note("an update replaces", writes::updated(&bench).await);
    suite.note("a delete removes", writes::deleted(&bench).await);
    suite.note("updates at the same time all count", writes::concurrent(&bench).await);
    suite.note("an update can depend on a state", conditions::update(&bench).await);
    suite.note("a delete can depend on a state", conditions::delete(&bench).await);
    suite.note("every text is a code", codes::any(&bench).await);
    suite.note("lists are in the order of codes", codes::order(&bench).await);
    suite.note("the rules are kept", rules::kept(&bench).await);
    suite.note("what the rules allow is taken", rules::large(&bench).await);
    suite.note("pages show everything once", lists::pages(&bench).await);
    suite.note("a filter shows what is asked for", lists::filter(&bench).await);
    suite.note("changes go on where a list ends", lists::then_changes(&bench).await);
    suite.note("every change is told once, in order", changes::followed(&bench).await);
    suite.note("changes can be gone on with", changes::resumed(&bench).await);
    suite.note("changes can begin now", changes::from_now(&bench).await);
    suite.note("old positions are good", changes::ancient(&bench).await);
    suite.note("a transaction is done whole", transactions::whole(&bench).await);
    suite.note("a transaction is not done in part", transactions::none(&bench).await);
    suite.finish()
}

struct Suite {
    declared: BTreeSet<Difference>,
    found: BTreeSet<Difference>,
    findings: Vec<Finding>,
}

impl Suite {
    fn note(&mut self, case: &str, seen: Seen) {
        let verdict = match seen {
            Ok(found) if found.is_empty() => Verdict::Passed,
            Ok(found) => {
                let silent: Vec<_> = found.difference(&self.declared).copied().collect();
                self.found.extend(&found);
                if silent.is_empty() {
                    Verdict::Differs(found.into_iter().collect())
                } else {
                    Verdict::Failed(format!("it cannot, and does not declare {silent:?}"))
                }
            }
            Err(why) => Verdict::Failed(why),
        };
        self.findings.push(Finding { case: case.to_owned(), verdict });
    }

    /// What is declared must be so.
    fn finish(mut self) -> Vec<Finding> {
        for difference in self.declared.difference(&self.found) {
            let why = format!("it declares {difference:?}, but no case has met with it");
            let case = "what it cannot do, it cannot".to_owned();
            self.findings.push(Finding { case, verdict: Verdict::Failed(why) });
        }
        self.findings
    }
}

#[cfg(test)]
mod tests;
