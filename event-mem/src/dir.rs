//! An object store in a directory.

mod root;
#[cfg(test)]
mod tests;
mod walk;

use std::path::Path;
use std::sync::Arc;

use event_core::{
    Bytes, Error, ErrorKind, ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome,
    Result, async_trait,
};
use tokio::task::spawn_blocking;

use crate::key::{check_list, check_path};
use root::Root;

/// An object store in a directory: each object is a file, its key the path below the directory.
///
/// Several processes may use the same directory, if it is on one file system that tells upper and
/// lower case apart. Whatever else writes there should not: only files under names that are valid
/// keys are objects, links are not.
///
/// - Every segment of a key is 1 to 255 bytes, does not start with a dot and has no backslash and
///   no control character; other keys fail with `Invalid`.
/// - A key and a prefix cannot share a name: where `a` is an object, a put of `a/b` fails with
///   `Invalid`, and where `a/b` is or was one, so does a put of `a`.
/// - What is being written is in `.tmp` below the directory. A process that is killed may leave a
///   file there, which can be removed.
/// - A put that answered survives the process. To survive a power cut, see [`DirStore::fsync`].
/// - A full disk counts as [`ErrorKind::Transient`], a missing permission as
///   [`ErrorKind::Denied`].
///
/// ```
/// use event_core::{ObjectStore, PutMode};
/// use event_mem::DirStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path();
/// let store = DirStore::open(path)?;
/// store.put("a/b.json", "{}".into(), PutMode::Create).await?;
/// assert_eq!(std::fs::read(path.join("a/b.json"))?, b"{}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DirStore {
    root: Arc<Root>,
}

impl DirStore {
    /// Opens the store in this directory, which is created where it is missing.
    ///
    /// # Errors
    ///
    /// `Invalid` where the path is or leads through a file, `Denied` where nothing can be written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let root = Arc::new(Root::open(path.as_ref())?);
        Ok(Self { root })
    }

    /// Whether a put or a delete waits until the disk has it, the names of new directories
    /// included. Default: false, so that a power cut may lose what the operating system had not
    /// written yet. It costs a put some milliseconds.
    #[must_use]
    pub fn fsync(mut self, on: bool) -> Self {
        Arc::make_mut(&mut self.root).fsync = on;
        self
    }

    /// Does the work where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Root) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let root = Arc::clone(&self.root);
        let done = spawn_blocking(move || work(&root)).await;
        done.unwrap_or_else(|error| {
            let message = "the file system's answer was not awaited";
            Err(Error::new(ErrorKind::Ambiguous, operation, message).with_source(error))
        })
    }
}

#[async_trait]
impl ObjectStore for DirStore {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        check_path("put", key)?;
        let key = key.to_owned();
        let put = move |root: &Root| root.put(&key, &body, mode);
        self.blocking("put", put).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        check_path("get", key)?;
        let key = key.to_owned();
        self.blocking("get", move |root| root.get(&key)).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        check_path("head", key)?;
        let key = key.to_owned();
        self.blocking("head", move |root| root.head(key)).await
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        check_list(&request)?;
        self.blocking("list", move |root| root.list(request)).await
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        let owned = keys.to_vec();
        let delete = move |root: &Root| {
            let one = |key: &String| check_path("delete", key).and_then(|()| root.delete(key));
            Ok(owned.iter().map(one).collect())
        };
        let outcomes = self.blocking("delete", delete).await;
        outcomes.unwrap_or_else(|error| keys.iter().map(|_| Err(error.clone())).collect())
    }
}
