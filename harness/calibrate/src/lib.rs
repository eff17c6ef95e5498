//! Calibration: kab held against a server of its own whose behaviour is
//! scripted, and against what must then be measured.
//!
//! ```text
//! suite ─> trial ─> null server + engine ─> observed ─> check ─> finding
//! ```
//!
//! | module | idea |
//! |---|---|
//! | [`server`] | the null server: cheap, scripted, keeps evidence of its own |
//! | [`null`] | the same as a child process |
//! | [`engine`] | the engine on trial, as every run uses it |
//! | [`trial`] | a server with a script, a load, and what came of it |
//! | [`observed`] | what came of a load, as both sides wrote it down |
//! | [`machine`] | whether the machine had a core to give |
//! | [`check`] | properties: what must have been measured, and whether it was |
//! | [`suite`] | all properties, one trial after the other |
//! | [`ceiling`] | the highest rate that is kept |

pub mod ceiling;
pub mod check;
pub mod engine;
pub mod machine;
pub mod null;
pub mod observed;
pub mod server;
pub mod suite;
pub mod trial;

use kab_evidence::calibration::Calibration;
use kab_evidence::clock;
use kab_lab::progress::Progress;

use ceiling::Found;
pub use null::{NullServer, Program};
pub use suite::Suite;
pub use trial::{CalibrateError, Court};

/// Calibrates this kab on this machine, with `program` as the null server.
///
/// # Errors
/// If it could not be carried out. That properties fail is no error.
pub async fn calibrate(
    program: Program,
    suite: Suite,
    progress: &dyn Progress,
) -> Result<Calibration, CalibrateError> {
    let at = clock::wall();
    let court = Court::new(program)?;
    let mut findings = suite.findings(&court, progress).await?;
    let Found { ceiling, finding } = suite.ceiling(&court, progress).await?;
    findings.push(finding);
    Ok(Calibration {
        kab_version: env!("CARGO_PKG_VERSION").to_owned(),
        optimised: !cfg!(debug_assertions),
        at,
        quick: suite.quick,
        host: kab_lab::local::host(&std::env::temp_dir()),
        findings,
        ceiling,
    })
}
