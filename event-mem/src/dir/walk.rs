//! Objects below a directory, in order of their keys.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use event_core::store::MAX_KEY_BYTES;
use event_core::{ListRequest, ObjectMeta, Page};

use crate::key::segment_fault;

/// One page of a listing.
pub(super) struct Walk {
    request: ListRequest,
    page: Page,
}

impl Walk {
    pub(super) fn new(request: ListRequest) -> Self {
        Self { request, page: Page::default() }
    }

    /// Fails with `NotFound` where the root itself is missing.
    pub(super) fn walk(mut self, root: &Path) -> io::Result<Page> {
        let names = self.names(root, "")?;
        let _ = self.visit(root, &mut String::new(), names)?;
        Ok(self.page)
    }

    /// Visits what is in the directory at `path`, whose keys start with `key`; breaks when the
    /// page is full.
    fn visit(
        &mut self,
        path: &Path,
        key: &mut String,
        mut names: Names,
    ) -> io::Result<ControlFlow<()>> {
        let start = key.len();
        while let Some(Reverse(name)) = names.pop() {
            key.push_str(&name);
            let path = path.join(&name);
            let flow = if name.ends_with('/') {
                // What vanishes meanwhile is as if it had never been there.
                match present(self.names(&path, key))? {
                    Some(names) => self.visit(&path, key, names)?,
                    None => ControlFlow::Continue(()),
                }
            } else {
                self.object(&path, key)?
            };
            key.truncate(start);
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn object(&mut self, path: &Path, key: &str) -> io::Result<ControlFlow<()>> {
        if self.page.objects.len() == self.request.max {
            self.page.more = true;
            return Ok(ControlFlow::Break(()));
        }
        if let Some(metadata) = present(fs::symlink_metadata(path))? {
            self.page.objects.push(ObjectMeta {
                key: key.to_owned(),
                size: metadata.len(),
                modified: metadata.modified()?,
            });
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Names in a directory that may lead to wanted keys, those of directories with a `/`: as it
    /// stands in the keys, `a-b` comes before what is in `a/`, and `a.b` too.
    fn names(&self, path: &Path, key: &str) -> io::Result<Names> {
        let mut names = Vec::new();
        let mut full = key.to_owned();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| segment_fault(name).is_none()) else {
                continue;
            };
            let Some(kind) = present(entry.file_type())? else {
                continue;
            };
            full.truncate(key.len());
            full.push_str(name);
            if kind.is_dir() {
                full.push('/');
            }
            if (kind.is_dir() && self.leads_on(&full)) || (kind.is_file() && self.wants(&full)) {
                names.push(Reverse(full[key.len()..].to_owned()));
            }
        }
        // A heap, since of a large directory a page takes few.
        Ok(names.into())
    }

    fn wants(&self, key: &str) -> bool {
        key.len() <= MAX_KEY_BYTES
            && key.starts_with(&self.request.prefix)
            && self.request.after.as_deref().is_none_or(|after| key > after)
    }

    /// Whether keys that start with `start` can be wanted.
    fn leads_on(&self, start: &str) -> bool {
        let prefix = &*self.request.prefix;
        let after = self.request.after.as_deref();
        start.len() < MAX_KEY_BYTES
            && (start.starts_with(prefix) || prefix.starts_with(start))
            && after.is_none_or(|after| start > after || after.starts_with(start))
    }
}

type Names = BinaryHeap<Reverse<String>>;

/// `None` for what is not there, or would be below a file.
pub(super) fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    use io::ErrorKind::{NotADirectory, NotFound};
    match result {
        Ok(there) => Ok(Some(there)),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}
