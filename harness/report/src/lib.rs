//! Reports: HTML, Markdown and JSON from a run folder, offline.
//!
//! ```text
//! run folder ─ judge ─> Judged ─┬─ page ──┬─ html      report.html
//!                               │         └─ markdown  report.md
//!                               └─ document            report.json
//! ```
//!
//! | module | idea |
//! |---|---|
//! | [`document`] | everything, for other programs |
//! | [`page`] | what a reader is told, in order, ready to be laid out |
//! | [`plot`] | plots as inline SVG that take their colours from the page |
//! | [`html`] | one self-contained page |
//! | [`markdown`] | the same in brief |
//! | [`comparison`] | two runs side by side |
//! | [`terminal`] | the systems side by side, as text for a terminal |
//! | [`prose`] | sentences with code in them |

pub mod comparison;
pub mod document;
pub mod html;
pub mod markdown;
pub mod page;
pub mod plot;
pub mod prose;
pub mod terminal;

use std::path::PathBuf;

use kab_evidence::folder::{FolderError, RunFolder, replace};
use kab_verdict::{JudgeError, Judged};

/// A run, judged again, and where its report lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The run, as it was judged for the report.
    pub judged: Judged,
    /// The page.
    pub html: PathBuf,
    /// The brief text.
    pub markdown: PathBuf,
    /// Everything, for other programs.
    pub json: PathBuf,
    /// The systems side by side, as text; empty where there is but one.
    pub side_by_side: String,
}

/// A report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The run could not be judged.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// A file could not be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A plot could not be drawn.
    #[error(transparent)]
    Plot(#[from] plot::PlotError),
    /// The page could not be laid out.
    #[error("laying out report.html: {0}")]
    Html(#[from] askama::Error),
    /// The report could not be written as JSON.
    #[error("writing report.json: {0}")]
    Json(#[from] serde_json::Error),
}

/// Judges the run in `folder` again, from its evidence alone, and writes its
/// report in every format beside it. The run record is not changed.
///
/// # Errors
/// If the run record cannot be read, or a file not be written.
pub fn render(folder: &RunFolder) -> Result<Rendered, ReportError> {
    write(folder, kab_verdict::judge(folder)?)
}

/// Writes the report of `judged` into `folder`.
///
/// # Errors
/// If a file cannot be written.
pub fn write(folder: &RunFolder, judged: Judged) -> Result<Rendered, ReportError> {
    let page = page::Page::of(&judged)?;
    let put = |extension: &str, text: &str| -> Result<PathBuf, ReportError> {
        let path = folder.report_path(extension);
        replace(&path, text.as_bytes())?;
        Ok(path)
    };
    Ok(Rendered {
        json: put("json", &document::json(&judged)?)?,
        markdown: put("md", &markdown::markdown(&page))?,
        side_by_side: terminal::side_by_side(&page),
        html: put("html", &html::html(&page)?)?,
        judged,
    })
}
