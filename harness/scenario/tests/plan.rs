//! What a scenario becomes before it is run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kab_scenario::cost::Cost;
use kab_scenario::{Loaded, Plan, PlanError, load, load_text};

fn quickstart(sets: &[&str]) -> Loaded {
    let sets: Vec<_> = sets.iter().map(|&set| set.to_owned()).collect();
    load("quickstart", &sets).unwrap_or_else(|p| panic!("{}", p.render(kab_scenario::Style::Plain)))
}

fn plan(sets: &[&str]) -> Plan {
    Plan::new(&quickstart(sets), 42).unwrap()
}

const RATE: &str = "matrix.rate={path: steps.write.load.rate, values: [40/s, 80/s]}";
const SIZE: &str = "matrix.size={path: steps.write.load.payload.size, values: [256B, 64KiB, 1MiB]}";

#[test]
fn a_scenario_without_a_matrix_has_a_cell_a_system() {
    let plan = plan(&[]);
    let ids: Vec<_> = plan.cells.iter().map(|cell| cell.id.as_str()).collect();
    assert_eq!(ids, ["naive"]);
    assert_eq!(plan.cells[0].spec, plan.scenario.spec);
    insta::assert_snapshot!("quickstart", plan.describe());
}

#[test]
fn every_combination_is_a_cell() {
    let plan = plan(&[SIZE, RATE, "cluster.controllerManager={}", "cluster.etcd.fsync=false"]);
    let ids: Vec<_> = plan.cells.iter().map(|cell| cell.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "naive-rate=40_s-size=256B",
            "naive-rate=40_s-size=64KiB",
            "naive-rate=40_s-size=1MiB",
            "naive-rate=80_s-size=256B",
            "naive-rate=80_s-size=64KiB",
            "naive-rate=80_s-size=1MiB",
        ]
    );
    let steps = serde_json::to_value(&plan.cells[5].spec.steps).unwrap();
    assert_eq!(steps[3]["load"]["rate"], "80/s");
    assert_eq!(steps[3]["load"]["payload"]["size"], "1MiB");
    insta::assert_snapshot!("matrix", plan.describe());
}

#[test]
fn ids_are_distinct_folder_names() {
    let plan = plan(&[
        "matrix.flag={path: cluster.etcd.flags.x, values: ['a/b', 'a b', 'A_B', '..', é, 日]}",
    ]);
    let ids: Vec<_> = plan.cells.iter().map(|cell| cell.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "naive-flag=a_b",
            "naive-flag=a_b-2",
            "naive-flag=A_B-3",
            "naive-flag=..",
            "naive-flag=_",
            "naive-flag=_-2"
        ]
    );
}

#[test]
fn a_set_reaches_what_the_file_leaves_out() {
    let scenario =
        quickstart(&["cluster.etcd.quota=64MiB", "steps.3.load.deadline=2s", "systems.0=naive"])
            .scenario;
    assert_eq!(scenario.spec.cluster.etcd.quota.get(), 64 << 20);
    assert!(scenario.spec.cluster.etcd.fsync, "the rest keeps its default");
}

#[test]
fn the_last_of_two_sets_counts() {
    let scenario = quickstart(&["steps.write.load.rate=1/s", "steps.write.load.rate=2/s"]).scenario;
    assert_eq!(serde_json::to_value(scenario).unwrap()["spec"]["steps"][3]["load"]["rate"], "2/s");
}

#[test]
fn plans_that_cannot_be_meant_are_refused() {
    let values: Vec<_> = (1..=100).map(|i| format!("{i}/s")).collect();
    let rates =
        format!("matrix.rate={{path: steps.write.load.rate, values: [{}]}}", values.join(", "));
    let counts: Vec<_> = (1..=101).map(|i| i.to_string()).collect();
    let seeds =
        format!("matrix.seed={{path: steps.fill.seed.count, values: [{}]}}", counts.join(", "));
    let refused = |sets: &[&str]| Plan::new(&quickstart(sets), 1).unwrap_err();
    assert!(matches!(refused(&[&rates, &seeds]), PlanError::TooManyCells { .. }));
    for (set, word) in [
        ("steps.write.load.duration=1000h", "days"),
        ("steps.write.load.rate=999999999/s", "requests"),
        ("steps.write.load.payload.size=99GiB", "TB"),
    ] {
        let error = refused(&[set]);
        assert!(matches!(error, PlanError::TooMuch { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_plan_can_be_written_as_json() {
    let json = serde_json::to_value(plan(&[RATE])).unwrap();
    assert_eq!(json["cells"][1]["axes"]["rate"], "80/s");
    assert_eq!(json["cells"][1]["spec"]["steps"][3]["name"], "write");
    assert_eq!(json["seed"], 42);
}

#[test]
fn a_scenario_survives_being_written_and_read() {
    let loaded = quickstart(&[RATE]);
    let text = serde_json::to_string_pretty(&loaded.scenario).unwrap();
    let again = load_text("again.yaml", text, None, &[]).unwrap();
    assert_eq!(again.scenario, loaded.scenario);
    assert_ne!(again.sha256, loaded.sha256);
}

#[test]
fn a_misnamed_scenario_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.yaml");
    std::fs::write(&path, quickstart(&[]).text).unwrap();
    let loaded = load(path.to_str().unwrap(), &[]).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["this scenario is called `quickstart`, but its file `other`"]);
    assert!(quickstart(&[]).warnings.is_empty());
}

/// Every form of load is planned, said in words, and survives being written
/// and read.
#[test]
fn loads_of_every_form() {
    let steady = "{rate: 600/m, duration: 10s}";
    let existing = "rate: 10/s, duration: 10s, via: apiserver";
    let mut sentences = String::new();
    for form in [
        format!("arrivals: {{constant: {steady}}}"),
        format!("arrivals: {{poisson: {steady}}}, payload: {{compressible: true}}"),
        "arrivals: {ramp: {from: 0/s, to: 20/s, duration: 10s}}".to_owned(),
        "arrivals: {steps: [{rate: 5/s, duration: 2s}, {rate: 0/s, duration: 1s}]}".to_owned(),
        "arrivals: {burst: {size: 50, every: 1s, duration: 10s}}".to_owned(),
        "arrivals: {pulse: {rate: 5/s, on: 1s, off: 4s, duration: 11s}}".to_owned(),
        "arrivals: {replay: {series: [{at: 0s, rate: 1/s}, {at: 9s, rate: 3/s}], between: line}}"
            .to_owned(),
        "arrivals: {closed: {clients: 4, think: 90ms, until: 10s}}".to_owned(),
        "arrivals: {closed: {clients: 4, think: {exponential: {mean: 1s}}, until: {operations: 50}}}"
            .to_owned(),
        format!("{existing}, mix: {{get: 9, update: 1}}, keys: {{of: fill}}, deadlines: {{get: 1s}}"),
        format!("{existing}, mix: {{delete: 1}}, keys: {{of: fill, pick: sequential}}, identities: 3"),
        format!("{existing}, mix: {{patch: 1}}, keys: {{of: fill, pick: {{zipf: {{exponent: 1}}}}}}"),
        format!("{existing}, payload: {{size: {{choice: [{{size: 1kB, weight: 3}}, {{size: 5kB, weight: 1}}]}}}}"),
        format!("{existing}, encoding: cbor"),
        "rate: 1/s, duration: 10s, mix: {list: 1}, protocol: http1, connections: 4, wait: spin".to_owned(),
    ] {
        let loaded = quickstart(&[&format!("steps.write.load={{{form}}}")]);
        let text = serde_json::to_string_pretty(&loaded.scenario).unwrap();
        let again = load_text("again.yaml", text, None, &[]).unwrap();
        assert_eq!(again.scenario, loaded.scenario, "{form}");
        let plan = Plan::new(&loaded, 42).unwrap();
        let cost = Cost::of_step(&plan.cells[0].spec.steps[3]);
        let described = plan.describe();
        let sentence = described.lines().find(|line| line.starts_with("  write ")).unwrap();
        sentences.push_str(&format!("{form}\n{sentence}\n  {cost:?}\n\n"));
    }
    insta::assert_snapshot!("loads", sentences);
}

/// Not in the quickstart, which looks for Todos in the store.
#[test]
fn loads_of_built_in_kinds() {
    let text = r#"
apiVersion: kab.dev/v1alpha1
kind: Scenario
metadata: { name: leases, summary: Leases. }
spec:
  question: How fast are they?
  systems: [naive]
  steps:
    - name: write
      load: { rate: 1/s, duration: 10s, via: apiserver, resource: lease, encoding: protobuf }
  claims:
    - { id: some, statement: Some., confirmed: write.ops.ok > 0, refuted: write.ops.ok == 0 }
"#;
    let loaded = load_text("leases.yaml", text.to_owned(), None, &[]).unwrap();
    let plan = Plan::new(&loaded, 1).unwrap().describe();
    assert!(plan.contains("lease") && plan.contains("protobuf"), "{plan}");
}

#[test]
fn a_search_is_planned_with_all_its_probes() {
    let loaded = load("capacity", &[]).unwrap_or_else(|_| panic!("capacity is no scenario"));
    insta::assert_snapshot!("capacity", Plan::new(&loaded, 42).unwrap().describe());
}
