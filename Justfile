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

# The engine beside other load tools, on one server of the lab's.
bench *ARGS:
    cargo kab bench {{ARGS}}

# Where time goes within kab.
microbench *ARGS:
    cargo bench --package kab-benches {{ARGS}}

# Whether what the engine reports is true, and how far it goes here.
calibrate *ARGS:
    cargo kab calibrate {{ARGS}}

# Render a run's report again, offline.
report RUN:
    cargo kab report {{RUN}}
