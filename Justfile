# Thin names for cargo commands; `just` itself is optional.

# Run a scenario of scenarios/ and write its report under reports/.
run-scenario NAME *ARGS:
    cargo kab run {{NAME}} {{ARGS}}

# Everything that must pass.
test *ARGS:
    cargo test --workspace {{ARGS}}

# Formatting, lints, licences and sources of dependencies.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo deny check bans licenses sources

# How well the generator keeps its schedule on this machine.
bench *ARGS:
    cargo run --release --package kab-load --example pacing {{ARGS}}

# Render a run's report again, offline.
report RUN:
    cargo kab report {{RUN}}
