//! Every backend of this workspace that needs nothing but this machine, promise by promise.

use event_tests::backends::{DirStores, MemQueues, MemSources, MemStores};
use event_tests::conformance::{queue_trials, source_trials, store_trials};
use event_tests::libtest_mimic::{Arguments, run};

fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut trials = queue_trials(MemQueues);
    trials.extend(store_trials(MemStores));
    trials.extend(store_trials(DirStores(directory.path().to_owned())));
    trials.extend(MemSources::all().into_iter().flat_map(source_trials));
    let conclusion = run(&Arguments::from_args(), trials);
    // `exit` runs no destructors, and the directory is removed by one.
    drop(directory);
    conclusion.exit();
}
