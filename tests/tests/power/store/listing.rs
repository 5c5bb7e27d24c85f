//! Mistakes in what is listed.

use event_core::{ListRequest, ObjectMeta, ObjectStore, Page, Result, async_trait};

use super::{Mistake, expect};

#[derive(Default)]
struct ListsBackwards;
#[async_trait]
impl Mistake for ListsBackwards {
    async fn list(&self, store: &dyn ObjectStore, request: ListRequest) -> Result<Page> {
        let mut page = store.list(request).await?;
        page.objects.reverse();
        Ok(page)
    }
}

#[test]
fn a_list_without_order_is_caught() {
    expect::<ListsBackwards>(&[
        "create_only_leaves_what_is_there",
        "list_is_ordered",
        "list_keeps_to_its_prefix",
        "list_is_paged_and_resumable",
        "keys_keep_their_bytes",
        "a_key_may_also_be_a_prefix",
    ]);
}

/// Directory by directory, as the names in each are sorted.
#[derive(Default)]
struct ListsByDirectories;
#[async_trait]
impl Mistake for ListsByDirectories {
    async fn list(&self, store: &dyn ObjectStore, request: ListRequest) -> Result<Page> {
        let mut page = store.list(request).await?;
        let segments =
            |meta: &ObjectMeta| -> Vec<String> { meta.key.split('/').map(str::to_owned).collect() };
        page.objects.sort_by_key(segments);
        Ok(page)
    }
}

#[test]
fn a_list_in_the_order_of_directories_is_caught() {
    expect::<ListsByDirectories>(&[
        "list_is_ordered",
        "list_keeps_to_its_prefix",
        "list_is_paged_and_resumable",
        "keys_keep_their_bytes",
    ]);
}

#[derive(Default)]
struct TakesThePrefixForADirectory;
#[async_trait]
impl Mistake for TakesThePrefixForADirectory {
    async fn list(&self, store: &dyn ObjectStore, request: ListRequest) -> Result<Page> {
        let prefix = request.prefix.clone();
        let mut page = store.list(request).await?;
        page.objects.retain(|meta| {
            let rest = meta.key.strip_prefix(&prefix).unwrap_or_default();
            prefix.is_empty() || prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/')
        });
        Ok(page)
    }
}

#[test]
fn a_prefix_that_is_taken_for_a_directory_is_caught() {
    expect::<TakesThePrefixForADirectory>(&["list_keeps_to_its_prefix"]);
}

#[derive(Default)]
struct IgnoresAfter;
#[async_trait]
impl Mistake for IgnoresAfter {
    async fn list(&self, store: &dyn ObjectStore, request: ListRequest) -> Result<Page> {
        let after = None;
        store.list(ListRequest { after, ..request }).await
    }
}

#[test]
fn a_list_that_ignores_after_is_caught() {
    expect::<IgnoresAfter>(&["list_is_paged_and_resumable"]);
}

#[derive(Default)]
struct StartsAtAfter;
#[async_trait]
impl Mistake for StartsAtAfter {
    async fn list(&self, store: &dyn ObjectStore, request: ListRequest) -> Result<Page> {
        let after = request.after.clone();
        let mut page = store.list(request.clone()).await?;
        if let Some(after) = after
            && after.starts_with(&request.prefix)
            && let Ok(Some(meta)) = store.head(&after).await
        {
            page.objects.insert(0, meta);
            page.more |= page.objects.len() > request.max;
            page.objects.truncate(request.max);
        }
        Ok(page)
    }
}

#[test]
fn a_list_that_starts_at_after_is_caught() {
    expect::<StartsAtAfter>(&["list_is_paged_and_resumable"]);
}

#[derive(Default)]
struct GuessesMore;
#[async_trait]
impl Mistake for GuessesMore {
    async fn list(&self, store: &dyn ObjectStore, request: ListRequest) -> Result<Page> {
        let max = request.max;
        let mut page = store.list(request).await?;
        page.more = page.objects.len() == max;
        Ok(page)
    }
}

#[test]
fn a_full_page_that_always_tells_of_more_is_caught() {
    expect::<GuessesMore>(&["list_is_paged_and_resumable"]);
}

#[derive(Default)]
struct IgnoresTheMaximum;
#[async_trait]
impl Mistake for IgnoresTheMaximum {
    async fn list(&self, store: &dyn ObjectStore, request: ListRequest) -> Result<Page> {
        let max = 1000;
        store.list(ListRequest { max, ..request }).await
    }
}

#[test]
fn a_page_over_its_maximum_is_caught() {
    expect::<IgnoresTheMaximum>(&["list_keeps_to_its_prefix", "list_is_paged_and_resumable"]);
}
