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

# Micro-benchmarks.
bench *ARGS:
    cargo bench --workspace {{ARGS}}

# Render a run's report again, offline.
report RUN:
    cargo kab report {{RUN}}
