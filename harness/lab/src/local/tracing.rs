//! The apiserver's own tracing (KEP-647), on trial.
//!
//! All requests are sampled: the apiserver goes on with the trace of a client
//! only if that is of `system:masters` or `system:monitoring`, and what is
//! measured is neither. For all others it begins a trace of its own, with a
//! link to the client's, and decides by itself whether to sample it.

use std::net::SocketAddr;

use crate::process::ChildSpec;

/// The configuration file: every request is traced.
pub(super) fn config(endpoint: SocketAddr) -> String {
    format!(
        "apiVersion: apiserver.config.k8s.io/v1\n\
         kind: TracingConfiguration\n\
         endpoint: {endpoint}\n\
         samplingRatePerMillion: 1000000\n"
    )
}

/// Has spans sent after half a second and not after five, so that the clocks
/// have hardly moved against each other when they arrive; and lets so many wait
/// for it that a busy server drops none. These are settings of OpenTelemetry.
pub(super) fn paced(apiserver: ChildSpec) -> ChildSpec {
    apiserver.env("OTEL_BSP_SCHEDULE_DELAY", "500").env("OTEL_BSP_MAX_QUEUE_SIZE", "65536")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_names_the_receiver() {
        let file = config(([127, 0, 0, 1], 4317).into());
        assert!(file.contains("\nendpoint: 127.0.0.1:4317\n"), "{file}");
    }
}
