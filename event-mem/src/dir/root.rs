//! The directory of a store: everything that blocks.

use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use event_core::{
    Bytes, Error, ErrorKind, ListRequest, ObjectMeta, Page, PutMode, PutOutcome, Result,
};
use tempfile::{NamedTempFile, PersistError};

use super::walk::{Walk, present};

/// Starts with a dot, as no segment of a key does.
const TEMP: &str = ".tmp";

#[derive(Clone, Debug)]
pub(super) struct Root {
    path: PathBuf,
    temp: PathBuf,
    pub(super) fsync: bool,
}

/// Keys are checked by the caller.
impl Root {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let open = || {
            fs::create_dir_all(path.join(TEMP))?;
            // A later change of the working directory shall not move the store.
            let path = path.canonicalize()?;
            let root = Self { temp: path.join(TEMP), path, fsync: false };
            root.temporary()?.close()?;
            Ok(root)
        };
        open().map_err(|error: io::Error| {
            let kind = kind_of(&error);
            let place = path.display();
            let message = match kind {
                ErrorKind::Invalid => {
                    format!("{place} is not a directory or leads through a file: name a directory")
                }
                ErrorKind::Denied => {
                    format!("{place} cannot be written to: allow it or name another directory")
                }
                _ => format!("{place} cannot be made a store: look at the disk"),
            };
            Error::new(kind, "open", message).with_source(error)
        })
    }

    pub(super) fn put(&self, key: &str, body: &[u8], mode: PutMode) -> Result<PutOutcome> {
        let in_temp = |error| fault("put", &self.temp, error);
        let mut file = self.temporary().map_err(in_temp)?;
        file.as_file_mut().write_all(body).map_err(in_temp)?;
        if self.fsync {
            file.as_file().sync_all().map_err(in_temp)?;
        }
        let outcome = self.place(file, key, mode)?;
        // What was there already may be as new as this put, so it is made to last as well.
        self.sync_parents("put", key)?;
        Ok(outcome)
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let path = self.path.join(key);
        // Looks first, since to open a directory or a pipe is no way to find out.
        if self.object("get", &path)?.is_none() {
            return Ok(None);
        }
        let body = present(fs::read(&path)).map_err(|error| fault("get", &path, error))?;
        Ok(body.map(Bytes::from))
    }

    pub(super) fn head(&self, key: String) -> Result<Option<ObjectMeta>> {
        let path = self.path.join(&key);
        let Some(metadata) = self.object("head", &path)? else {
            return Ok(None);
        };
        let modified = metadata.modified();
        Ok(Some(ObjectMeta {
            key,
            size: metadata.len(),
            modified: modified.map_err(|error| fault("head", &path, error))?,
        }))
    }

    pub(super) fn list(&self, request: ListRequest) -> Result<Page> {
        let walked = Walk::new(request).walk(&self.path);
        walked.map_err(|error| fault("list", &self.path, error))
    }

    pub(super) fn delete(&self, key: &str) -> Result<()> {
        let path = self.path.join(key);
        if self.object("delete", &path)?.is_none() {
            return Ok(());
        }
        present(fs::remove_file(&path)).map_err(|error| fault("delete", &path, error))?;
        self.sync_parents("delete", key)
    }

    fn temporary(&self) -> io::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        // As any new file, less what the umask takes away; else only its owner could read it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        builder.tempfile_in(&self.temp)
    }

    /// Gives a whole file its name, in one step.
    fn place(&self, mut file: NamedTempFile, key: &str, mode: PutMode) -> Result<PutOutcome> {
        let path = self.path.join(key);
        let mut parents_made = false;
        loop {
            let placed = match mode {
                PutMode::Create => file.persist_noclobber(&path),
                PutMode::Overwrite => file.persist(&path),
            };
            let error = match placed {
                Ok(_) => return Ok(PutOutcome::Written),
                Err(PersistError { error, file: back }) => {
                    file = back;
                    error
                }
            };
            let taken =
                || present(fs::symlink_metadata(&path)).map(|m| m.is_none_or(|m| m.is_file()));
            match error.kind() {
                // Directories are made when one is missed: most puts find theirs.
                io::ErrorKind::NotFound if !parents_made => {
                    parents_made = true;
                    let parents = path.parent().map_or(Ok(()), fs::create_dir_all);
                    parents.map_err(|error| put_fault(key, &path, error))?;
                }
                io::ErrorKind::AlreadyExists if taken().unwrap_or(false) => {
                    return Ok(PutOutcome::Exists);
                }
                _ => return Err(put_fault(key, &path, error)),
            }
        }
    }

    /// The object at this path; links, directories and other things are none.
    fn object(&self, operation: &'static str, path: &Path) -> Result<Option<Metadata>> {
        let found =
            present(fs::symlink_metadata(path)).map_err(|error| fault(operation, path, error))?;
        if found.is_none() {
            // An object that is missing is one thing, a store that is missing another.
            fs::symlink_metadata(&self.path)
                .map_err(|error| fault(operation, &self.path, error))?;
        }
        Ok(found.filter(Metadata::is_file))
    }

    /// Makes the names on the way to an object last, all of them: another put may have made a
    /// directory just now and not be done with it.
    fn sync_parents(&self, operation: &'static str, key: &str) -> Result<()> {
        // Elsewhere directories cannot be synchronised.
        if !self.fsync || !cfg!(unix) {
            return Ok(());
        }
        let path = self.path.join(key);
        let parents = path.ancestors().skip(1);
        for parent in parents.take_while(|parent| parent.starts_with(&self.path)) {
            let synced = fs::File::open(parent).and_then(|directory| directory.sync_all());
            synced.map_err(|error| {
                let message = format!("{} may not last", parent.display());
                Error::new(ErrorKind::Ambiguous, operation, message).with_source(error)
            })?;
        }
        Ok(())
    }
}

fn fault(operation: &'static str, path: &Path, error: io::Error) -> Error {
    Error::new(kind_of(&error), operation, path.display().to_string()).with_source(error)
}

fn put_fault(key: &str, path: &Path, error: io::Error) -> Error {
    if kind_of(&error) != ErrorKind::Invalid {
        return fault("put", path, error);
    }
    let message = format!("the key {key:?} is a directory, or leads through an object");
    Error::invalid("put", message).with_source(error)
}

fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::DirectoryNotEmpty
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::CrossesDevices => ErrorKind::Invalid,
        _ => ErrorKind::Transient,
    }
}
