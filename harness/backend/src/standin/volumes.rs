//! Volumes as folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{ConfigMap, PodSpec, Secret, Volume};
use kube::api::Api;

use super::network::Surroundings;
use super::{Shared, StandInError, locked};
use crate::deploy::write_owned;

/// The folder of each volume, by the volume's name.
pub(super) type Folders = BTreeMap<String, PathBuf>;

/// Fills the volumes of a pod, in folders below `dir`.
pub(super) async fn fill(
    shared: &Shared,
    around: &Surroundings<'_>,
    pod: &PodSpec,
    dir: &Path,
) -> Result<Vec<(String, PathBuf)>, StandInError> {
    let volumes = pod.volumes.iter().flatten();
    let folders: Folders =
        volumes.clone().map(|volume| (volume.name.clone(), dir.join(&volume.name))).collect();
    let mounted = mounted(pod, &folders);
    for volume in volumes {
        let folder = &folders[&volume.name];
        one(shared, around, volume, folder, &mounted).await?;
    }
    Ok(mounted)
}

/// Where each path that a container sees is really.
fn mounted(pod: &PodSpec, folders: &Folders) -> Vec<(String, PathBuf)> {
    let mounts = pod.containers.iter().flat_map(|container| container.volume_mounts.iter());
    let mounts = mounts.flatten();
    mounts
        .filter_map(|mount| {
            let path = mount.mount_path.trim_end_matches('/').to_owned();
            folders.get(&mount.name).map(|folder| (path, folder.clone()))
        })
        .collect()
}

async fn one(
    shared: &Shared,
    around: &Surroundings<'_>,
    volume: &Volume,
    folder: &Path,
    mounted: &[(String, PathBuf)],
) -> Result<(), StandInError> {
    let (client, namespace) = (shared.client.clone(), around.namespace);
    if let Some(source) = &volume.config_map {
        let maps: Api<ConfigMap> = Api::namespaced(client, namespace);
        let map = maps.get(&source.name).await;
        let map = map.map_err(StandInError::api(format!("reading ConfigMap {}", source.name)))?;
        for (name, text) in map.data.unwrap_or_default() {
            let text = around.localised(shared, &text, mounted).await?;
            write(&folder.join(name), text.as_bytes())?;
        }
        return Ok(());
    }
    let name = volume.secret.as_ref().and_then(|source| source.secret_name.as_ref());
    let Some(name) = name else {
        return Err(StandInError::Beyond(format!(
            "volume {} is neither a ConfigMap nor a Secret",
            volume.name
        )));
    };
    // First, so that no change is missed in between.
    let key = (namespace.to_owned(), name.clone());
    locked(&shared.mounts).entry(key).or_default().push(folder.to_owned());
    let secrets: Api<Secret> = Api::namespaced(client, namespace);
    let secret = secrets.get(name).await;
    let secret = secret.map_err(StandInError::api(format!("reading Secret {name}")))?;
    write_secret(folder, &secret)
}

/// Writes a Secret's data, a file a key, none of which is ever half there.
pub(super) fn write_secret(folder: &Path, secret: &Secret) -> Result<(), StandInError> {
    for (name, content) in secret.data.iter().flatten() {
        let (path, beside) = (folder.join(name), folder.join(format!(".{name}")));
        write(&beside, &content.0)?;
        std::fs::rename(&beside, &path)
            .map_err(StandInError::io(format!("replacing {}", path.display())))?;
    }
    Ok(())
}

/// Forgets the volumes of a pod that is gone, and deletes them.
pub(super) fn discard(shared: &Shared, dir: &Path) {
    for folders in locked(&shared.mounts).values_mut() {
        folders.retain(|folder| !folder.starts_with(dir));
    }
    if let Err(error) = std::fs::remove_dir_all(dir)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, dir = %dir.display(), "a pod's volumes stay");
    }
}

fn write(path: &Path, content: &[u8]) -> Result<(), StandInError> {
    let action = format!("writing {}", path.display());
    write_owned(path, content).map_err(StandInError::io(action))
}
