//! Where an app writes what it saw.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use kab_evidence::jsonl::{JsonlError, JsonlWriter};
use kab_evidence::span::{SPANS_DIR_ENV, SPANS_PREFIX_ENV, Span};

/// This process's file of spans, if the environment names a folder for it.
#[derive(Debug)]
pub(crate) struct Spans(Mutex<Option<JsonlWriter<Span>>>);

impl Spans {
    /// Opens `$KAB_SPANS_DIR/$KAB_SPANS_PREFIX<process>-<pid>.jsonl`.
    pub(crate) fn open(process: &str) -> Result<Self, JsonlError> {
        let Some(folder) = std::env::var_os(SPANS_DIR_ENV) else { return Ok(Self::nowhere()) };
        let prefix = std::env::var(SPANS_PREFIX_ENV).unwrap_or_default();
        let file = format!("{prefix}{process}-{}.jsonl", std::process::id());
        let writer = JsonlWriter::append_to(&Path::new(&folder).join(file))?;
        Ok(Self(Mutex::new(Some(writer))))
    }

    /// Spans that nobody reads.
    pub(crate) const fn nowhere() -> Self {
        Self(Mutex::new(None))
    }

    /// Writes one span; never waits for the disk.
    pub(crate) fn record(&self, span: Span) {
        if let Some(writer) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            writer.append(span);
        }
    }

    /// Writes what is queued, and says whether the disk took everything.
    /// Connections that outlive their server may still try to record.
    pub(crate) fn finish(&self) -> Result<(), JsonlError> {
        let writer = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        writer.map_or(Ok(()), |writer| writer.finish().map(drop))
    }
}
