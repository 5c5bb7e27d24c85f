//! Which partitions there are.

use std::borrow::Cow;

use super::retrying::RetryingStore;
use crate::error::Result;
use crate::layout::names::is_hidden;
use crate::schema::Partition;

/// Calls this with each partition with these keys that has an object below a root, or with a key that is in none: by
/// one request for each of them, however much is in it. Of a folder that is not a partition the first
/// key is told; beside partitions each, since they must not be passed over with it.
pub(crate) async fn each_partition(
    store: &RetryingStore,
    root: &str,
    keys: &[Cow<'_, str>],
    mut each: impl FnMut(Result<Partition, String>),
) -> Result<()> {
    let mut after = None;
    while let Some(object) = store.first(root, after).await? {
        let path = &object.key[root.len()..];
        let is_deep = |folder: &str| folder.split('/').count() >= keys.len();
        let may_hold_partitions = |folder: &str| !is_deep(folder) && !is_hidden(folder);
        let folder = path.rsplit_once('/').map(|(folder, _)| folder);
        // No key of the folder comes after this, since '0' is next to '/'.
        let beyond = folder.filter(|folder| !may_hold_partitions(folder));
        let beyond = beyond.map(|folder| format!("{root}{folder}0"));
        let partition = folder.and_then(Partition::parse);
        match partition.filter(|partition| partition.keys().eq(keys.iter())) {
            Some(partition) => each(Ok(partition)),
            None if is_hidden(path) => {}
            None => each(Err(object.key.clone())),
        }
        after = Some(beyond.unwrap_or(object.key));
    }
    Ok(())
}
