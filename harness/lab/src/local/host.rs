//! The machine.

use std::path::Path;
use std::thread;

use kab_evidence::record::HostRecord;
use procfs::{CpuInfo, Current, Meminfo};

/// What can be known of the machine; what cannot stays empty. `folder` is on
/// the file system of interest.
pub fn host(folder: &Path) -> HostRecord {
    let kernel = rustix::system::uname();
    HostRecord {
        cores: thread::available_parallelism().map_or(0, |n| u32::try_from(n.get()).unwrap_or(0)),
        cpu: CpuInfo::current().ok().and_then(|cpus| model(&cpus)).unwrap_or_default(),
        memory_bytes: Meminfo::current().map_or(0, |memory| memory.mem_total),
        kernel: format!(
            "{} {}",
            kernel.sysname().to_string_lossy(),
            kernel.release().to_string_lossy()
        ),
        file_system: file_system(folder).unwrap_or_default(),
    }
}

/// Model of the first processor. ARM has none; its part number stands in.
fn model(cpus: &CpuInfo) -> Option<String> {
    let model = cpus.model_name(0).or_else(|| cpus.get_field(0, "CPU part"))?;
    Some(model.to_owned())
}

/// Type of the file system that `folder` is on: that of the mount point which
/// is its longest prefix, and of several at one point the last mounted.
fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = procfs::process::Process::myself().ok()?.mountinfo().ok()?;
    mounts
        .into_iter()
        .filter(|mount| folder.starts_with(&mount.mount_point))
        .max_by_key(|mount| mount.mount_point.components().count())
        .map(|mount| mount.fs_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known() {
        let host = host(Path::new("/proc/self"));
        assert!(host.cores > 0 && host.memory_bytes > 1 << 20, "{host:?}");
        assert!(host.kernel.starts_with("Linux "), "{host:?}");
        assert_eq!(host.file_system, "proc");
    }
}
