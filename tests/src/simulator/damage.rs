//! Segments of a log that are gone or damaged, until someone mends them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use event_core::Bytes;
use tokio::time::Instant;

use super::fault::Fault;
use super::world::World;

/// What is wrong with which object.
#[derive(Default)]
pub(super) struct Damages(Mutex<BTreeMap<String, Damage>>);

#[derive(Clone, Copy)]
pub(super) struct Damage {
    pub(super) is_gone: bool,
    pub(super) since: Instant,
    until: Instant,
}

impl World {
    /// Damages one segment for a while. None is taken away that is the last of its log: to delete
    /// that frees its key for another, and then it cannot be mended.
    pub(super) fn damage_a_segment(&self) {
        let segments = self.truth(|truth| {
            let keys = truth.objects.all.keys().filter(|key| key.ends_with(".ndjson.zst"));
            keys.cloned().collect::<Vec<_>>()
        });
        let (place, is_gone) = self.random(|rng| (rng.usize(..segments.len().max(1)), rng.bool()));
        let Some(key) = segments.get(place) else { return };
        let folder = |key: &String| key.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        let is_last = segments.get(place + 1).and_then(folder) != folder(key);
        if is_gone && is_last {
            return;
        }
        self.hit(Fault::DamagedSegment);
        let since = Instant::now();
        let until = since + self.between(1..180);
        let how = if is_gone { "gone" } else { "damaged" };
        self.log(format_args!("{key} is {how} until {:?} from now", until - since));
        let mut damages = self.damages.0.lock().unwrap_or_else(PoisonError::into_inner);
        damages.insert(key.clone(), Damage { is_gone, since, until });
    }

    /// What is wrong with the object under this key now. All is mended when the faults are over.
    pub(super) fn damage(&self, key: &str) -> Option<Damage> {
        let damages = self.damages.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        damages.get(key).copied().filter(|damage| now < damage.until && !self.is_calm())
    }

    pub(super) fn is_gone(&self, key: &str) -> bool {
        self.damage(key).is_some_and(|damage| damage.is_gone)
    }

    /// An object, as whoever reads it finds it.
    pub(super) fn as_found(&self, key: &str, object: Option<Bytes>) -> Option<Bytes> {
        match self.damage(key) {
            Some(damage) if damage.is_gone => None,
            Some(_) => object.map(|object| object.slice(..object.len() / 2)),
            None => object,
        }
    }
}
