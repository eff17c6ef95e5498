//! What a process has used, with all that it forked.
//!
//! A server may be one process with threads, as etcd is, or one with a process
//! for each connection, as PostgreSQL is. To be comparable, what is counted is
//! the tree: the process, its descendants that live, and those that have ended,
//! whose use the kernel adds to their parent's when it has waited for them.

use std::collections::BTreeMap;

use procfs::process::Process;

/// How deep a tree is looked into: a server's helpers have hardly any of their own.
const DEPTH: u32 = 4;

/// What a tree of processes has used so far, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// CPU time, in clock ticks.
    pub(super) ticks: u64,
    /// Bytes written to files, at most; none where the kernel does not say.
    ///
    /// The kernel counts twice, and each count by itself is too much: what was
    /// made dirty, by whole folios (seen on Linux 6.18 with ext4: 256 KiB for each
    /// 8 KiB that PostgreSQL writes to its log), and what was given to write
    /// calls, sockets included. So the lesser of the two is taken, of each process.
    pub(super) written: Option<u64>,
    /// Memory that is there, in bytes; what several share is counted once.
    pub(super) resident: u64,
    /// Open files.
    pub(super) open: Option<u64>,
}

/// Counters of trees, by the process at the root.
#[derive(Debug, Default)]
pub(super) struct Trees(BTreeMap<u32, Used>);

impl Trees {
    /// What the tree below `pid` has used; only the process itself if `alone`.
    /// None if it is gone.
    pub(super) fn used(&mut self, pid: u32, alone: bool) -> Option<Used> {
        let (mut used, mut shared) = (Used::default(), 0);
        let root = process(pid)?;
        // The root first: a child that ends meanwhile is missing then, and not
        // counted twice.
        add(&root, !alone, &mut used, &mut shared)?;
        if !alone {
            descend(&root, DEPTH, &mut used, &mut shared);
        }
        used.resident += shared;
        // A counter never goes back.
        let before = self.0.entry(pid).or_default();
        used.ticks = used.ticks.max(before.ticks);
        used.written = used.written.max(before.written);
        *before = used;
        Some(used)
    }
}

fn process(pid: u32) -> Option<Process> {
    Process::new(i32::try_from(pid).ok()?).ok()
}

/// Adds one process, and, with `ended`, its descendants that have ended.
fn add(process: &Process, ended: bool, used: &mut Used, shared: &mut u64) -> Option<()> {
    let stat = process.stat().ok()?;
    let children = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
    used.ticks += stat.utime + stat.stime + if ended { children } else { 0 };
    let page = procfs::page_size();
    let memory = process.statm().ok();
    let common = memory.as_ref().map_or(0, |memory| memory.shared * page);
    used.resident += (stat.rss * page).saturating_sub(common);
    *shared = (*shared).max(common);
    if let Ok(io) = process.io() {
        *used.written.get_or_insert(0) += io.write_bytes.min(io.wchar);
    }
    if let Ok(open) = process.fd_count() {
        *used.open.get_or_insert(0) += open as u64;
    }
    Some(())
}

fn descend(process: &Process, depth: u32, used: &mut Used, shared: &mut u64) {
    let children = process.task_main_thread().and_then(|main| main.children());
    for child in children.unwrap_or_default() {
        if let Some(child) = self::process(child) {
            let _ = add(&child, true, used, shared);
            if depth > 1 {
                descend(&child, depth - 1, used, shared);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A shell that does what it reads, and says `done` after each line.
    struct Shell(Child, BufReader<std::process::ChildStdout>);

    impl Shell {
        fn new() -> Self {
            let mut child =
                Command::new("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let out = BufReader::new(child.stdout.take().unwrap());
            Self(child, out)
        }

        fn does(&mut self, line: &str) {
            writeln!(self.0.stdin.as_mut().unwrap(), "{line}; echo done").unwrap();
            let mut said = String::new();
            self.1.read_line(&mut said).unwrap();
            assert_eq!(said, "done\n");
        }
    }

    impl Drop for Shell {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Some CPU time, and a file that is written, in a process that is forked.
    const WORK: &str = "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; head -c 2000000 /dev/zero > $1' x";

    #[test]
    fn children_that_have_ended_count_in_the_tree_and_not_alone() {
        let file = tempfile::NamedTempFile::new_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let mut shell = Shell::new();
        let pid = shell.0.id();
        let mut trees = Trees::default();
        let (tree, alone) =
            (trees.used(pid, false).unwrap(), Trees::default().used(pid, true).unwrap());
        shell.does(&format!("{WORK} {}", file.path().display()));
        let after = trees.used(pid, false).unwrap();
        assert!(after.ticks > tree.ticks + 5, "{tree:?} {after:?}");
        assert!(after.written.unwrap() >= tree.written.unwrap() + 2_000_000, "{after:?}");
        let still = Trees::default().used(pid, true).unwrap();
        assert!(still.ticks <= alone.ticks + 5, "{alone:?} {still:?}");
    }

    #[test]
    fn children_that_live_count_and_a_counter_never_goes_back() {
        let mut shell = Shell::new();
        let pid = shell.0.id();
        let mut trees = Trees::default();
        let before = trees.used(pid, false).unwrap();
        shell.does("sleep 1000 & child=$!");
        let with = trees.used(pid, false).unwrap();
        assert!(with.open.unwrap() > before.open.unwrap(), "{before:?} {with:?}");
        trees.0.insert(pid, Used { ticks: 1 << 40, written: Some(1 << 50), ..with });
        let kept = trees.used(pid, false).unwrap();
        assert_eq!((kept.ticks, kept.written), (1 << 40, Some(1 << 50)));
        shell.does("kill $child");
    }

    #[test]
    fn a_process_that_is_gone_has_nothing() {
        assert_eq!(Trees::default().used(u32::MAX, false), None);
    }
}
