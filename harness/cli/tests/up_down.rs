//! `kab up`, kubectl, `kab down`.

#![allow(clippy::unwrap_used)]

mod common;

use common::Place;
use kab_evidence::event::Happening;
use kab_evidence::record::RunState;
use rustix::process::Signal;

fn up(place: &Place) -> String {
    let out = place.output(&["up"]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let path = String::from_utf8(out.stdout).unwrap().trim().to_owned();
    assert!(std::path::Path::new(&path).is_file(), "{path}");
    path
}

#[test]
fn up_gives_a_kubeconfig_that_works_and_down_takes_all_away() {
    let place = Place::new();
    let kubeconfig = up(&place);
    let ports = place.ports();
    assert!(ports.len() >= 2, "{ports:?}");
    if let Ok(kubectl) = std::process::Command::new("kubectl")
        .args(["--kubeconfig", &kubeconfig, "get", "namespaces", "-o", "name"])
        .output()
    {
        let names = String::from_utf8(kubectl.stdout).unwrap();
        assert!(names.contains("namespace/default"), "{names}");
    }
    // A second one of the same name is refused, and harms nothing.
    let twice = place.output(&["up"]);
    assert_eq!(twice.status.code(), Some(4), "{}", String::from_utf8_lossy(&twice.stderr));

    let down = place.output(&["down"]);
    assert_eq!(down.status.code(), Some(0), "{}", String::from_utf8_lossy(&down.stderr));
    place.assert_nothing_left(&ports);
    assert!(!std::path::Path::new(&kubeconfig).exists());
    let again = place.output(&["down"]);
    assert_eq!(again.status.code(), Some(4), "there is nothing to stop any more");
}

#[test]
fn a_killed_holder_takes_its_control_plane_along() {
    let place = Place::new();
    up(&place);
    let ports = place.ports();
    let holder = procfs::process::all_processes()
        .unwrap()
        .filter_map(Result::ok)
        .find(|p| {
            let line = p.cmdline().unwrap_or_default();
            line.iter().any(|a| a == "hold")
                && p.environ().is_ok_and(|e| {
                    e.get(std::ffi::OsStr::new("KAB_STATE"))
                        .is_some_and(|s| std::path::Path::new(s).starts_with(place.path()))
                })
        })
        .unwrap();
    common::kill(u32::try_from(holder.pid()).unwrap(), Signal::KILL);
    place.assert_nothing_left(&ports);
    assert_eq!(place.output(&["clean"]).status.code(), Some(0));
    assert_eq!(place.lab_files(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn the_lab_of_a_run_is_not_taken_from_under_it() {
    let place = Place::new();
    let mut kab = place.quickstart(&["steps.fill.seed.count=20", "steps.write.load.duration=4s"]);
    kab.await_line("step write");
    let lab = place.lab_files().into_iter().find(|path| path.is_dir()).unwrap();
    let name = lab.file_name().unwrap().to_str().unwrap();
    let run = kab.child.id().to_string();
    for args in [&["down"][..], &["down", "--name", name]] {
        let down = place.output(args);
        let said = String::from_utf8(down.stderr).unwrap();
        assert_eq!(down.status.code(), Some(4), "{said}");
        let named = args.len() > 1;
        assert_eq!(said.contains(name), named, "{said}");
        assert_eq!(said.contains("kab run") && said.contains(&run), named, "{said}");
    }
    let ended = kab.end();
    assert_eq!(place.record().state, RunState::Complete, "{}", ended.stderr);
    let died = |event| matches!(event, Happening::ChildDied { .. });
    assert!(!place.events().into_iter().any(|event| died(event.what)));
}
