//! Everything that is measured beside the operations while a cell's steps run:
//! the processes and the machine, and what the servers tell of themselves.

use std::sync::Arc;

use kab_evidence::event::Happening;
use kab_evidence::jsonl::{JsonlError, JsonlWriter};
use kab_evidence::record::Pressure;
use kab_evidence::series::Sample;

use crate::cell::Cell;
use crate::sampler::Sampler;
use crate::scrape::{ScrapeError, Scraper, Sink};

/// Meters under way.
#[derive(Debug)]
pub struct Meters {
    series: Arc<JsonlWriter<Sample>>,
    sampler: Sampler,
    scraper: Scraper,
}

/// The meters could not be started.
#[derive(Debug, thiserror::Error)]
pub enum MetersError {
    /// The series.
    #[error(transparent)]
    Series(#[from] JsonlError),
    /// The scraper.
    #[error(transparent)]
    Scrape(#[from] ScrapeError),
}

impl Meters {
    /// Starts to measure `cell`, and takes the first reading of everything.
    ///
    /// # Errors
    /// If the series cannot be kept, or the scraper not be started.
    pub async fn start(cell: &Cell<'_>) -> Result<Self, MetersError> {
        let series = Arc::new(JsonlWriter::append_to(&cell.folder.series_path())?);
        let recorder = cell.recorder.clone();
        let warn = Box::new(move |text| recorder.event(Happening::Warning { text }));
        let sink = Sink { series: Arc::clone(&series), warn };
        let scraper = Scraper::start(cell.local.as_ref(), sink)?;
        let sampler = Sampler::start(cell.pids.clone(), Arc::clone(&series));
        let meters = Self { series, sampler, scraper };
        meters.read().await;
        Ok(meters)
    }

    /// Reads everything now. Done between steps, so that what is counted in a
    /// step is counted from its beginning to its end. Takes a second at most.
    pub async fn read(&self) {
        self.sampler.read();
        self.scraper.now().await;
    }

    /// Ends measuring; what the machine did since the start, and whether the
    /// series could be written.
    pub async fn stop(self) -> (Pressure, Result<(), JsonlError>) {
        self.scraper.stop().await;
        let pressure = self.sampler.stop().await;
        // Nobody else holds them any more.
        let written = Arc::into_inner(self.series).map_or(Ok(0), JsonlWriter::finish);
        (pressure, written.map(|_| ()))
    }
}
