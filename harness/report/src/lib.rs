//! Reports: HTML, Markdown and JSON from a run folder, offline.
