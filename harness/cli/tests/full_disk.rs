//! A disk that fills up in mid-run: a clear error, nothing gathered lost,
//! nothing left behind, and the run can be gone on with.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Place, Running};
use kab_evidence::record::RunState;

/// A small disk of its own, in memory.
struct Disk(PathBuf);

impl Disk {
    /// None where this process may not mount.
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "kab-test"])
            .arg(&at)
            .output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    /// Leaves no room on it; the file that takes the room.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        let block = vec![0; 64 << 10];
        while file.write_all(&block).is_ok() {}
        let byte = [0];
        while file.write_all(&byte).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn lines(path: &Path) -> usize {
    let text = std::fs::read(path).unwrap();
    text.iter().filter(|byte| **byte == b'\n').count()
}

#[test]
fn a_disk_that_fills_up_ends_the_run_with_its_name() {
    let place = Place::new();
    let Some(disk) = Disk::mount(place.path().join("disk")) else {
        eprintln!("SKIPPED: mounting a small tmpfs takes rights that this process lacks");
        return;
    };
    let out = disk.0.join("run");
    let out_text = out.to_str().unwrap();
    // Long enough that only the full disk can be what ends it.
    let long = "steps.write.load.duration=600s";
    let args = ["run", "quickstart", "--seed", "1", "--out", out_text, "--set", long];
    let mut kab =
        Running::start(place.kab(&[&args[..], &["--set", "steps.fill.seed.count=20"]].concat()));
    kab.await_line("step write");
    let ports = place.ports();
    let filler = disk.fill();
    let ended = kab.end();
    place.assert_nothing_left(&ports);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let named = ended.stderr.lines().any(|line| {
        line.contains("jsonl") && line.contains(out_text) && line.contains("No space left")
    });
    assert!(named, "{}", ended.stderr);
    assert_eq!(place.lab_files(), Vec::<PathBuf>::new());
    let left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(left.iter().all(|path| path.extension().is_none_or(|e| e != "tmp")), "{left:?}");

    // What was on the disk before it was full is there, and can be judged.
    assert!(lines(&out.join("cells/naive/ops.jsonl")) >= 20);
    std::fs::remove_file(filler).unwrap();
    let folder = kab_evidence::folder::RunFolder::open(&out).unwrap();
    assert_ne!(folder.read_record().unwrap().state, RunState::Complete);
    let report = place.output(&["report", out_text]);
    assert_eq!(report.status.code(), Some(3), "{}", String::from_utf8_lossy(&report.stderr));
    assert!(out.join("report.html").is_file());
}
