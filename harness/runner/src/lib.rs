//! Runs a plan against a lab and writes evidence: one file a step verb.
