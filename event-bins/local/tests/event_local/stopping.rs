//! How a run ends that is interrupted.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::time::{Duration, Instant};

use super::*;

fn interrupt(child: &Child) {
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
}

/// A disk on which there is room for names and for nothing else, as of one that is full.
#[test]
fn a_full_disk_is_told_and_one_interrupt_ends_the_run_within_its_grace() {
    let out = TempDir::new().unwrap();
    for layout in ["event", "batch"] {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap '' XFSZ; ulimit -f 0; exec "$0" "$@""#]);
        shell.arg(env!("CARGO_BIN_EXE_event-local")).arg("--out").arg(out.path());
        shell.args(["--object-layout", layout, "--batch-max-age-secs", "0", "--json"]);
        shell.args(["--consumers", "4", "--shutdown-grace-secs", "1", "--s3-prefix", layout]);
        for variable in VARIABLES {
            shell.env_remove(variable);
        }
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("trying again") {
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "{said}");
        }
        assert!(said.contains("WARN") && said.contains("put: "), "{said}");
        interrupt(&child);
        let interrupted = Instant::now();
        log.read_to_string(&mut said).unwrap();
        let output = child.wait_with_output().unwrap();
        // A second of grace; else it is the 30 s after which a drain was given up by force.
        assert!(interrupted.elapsed() < Duration::from_secs(5), "{:?}", interrupted.elapsed());
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.matches("trying again").count(), 1, "{said}");
        assert!(said.contains("draining; interrupt again to stop at once"), "{said}");
        let [_, stored, quarantined, _] = counts(&json(&output));
        assert_eq!([stored, quarantined], [0, 0]);
    }
}

/// An endless run is interrupted once it is seen to store events.
#[test]
fn an_interrupt_drains_and_the_accounts_balance() {
    let out = TempDir::new().unwrap();
    let mut child = singly(out.path())
        .args(["--count", "100000000", "--rate", "2000", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let events = out.path().join("store_events/event_type=sale_event");
    while !events.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was interrupted");
        std::thread::yield_now();
    }
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let [sent, stored, quarantined, duplicates] = counts(&json(&output));
    assert!(sent > 0);
    assert_eq!(sent, stored + quarantined + duplicates);
    let files = files(out.path());
    assert_eq!(count(&files, "store_events/event_type=") as u64, stored);
    assert_eq!(files.len() as u64, stored + quarantined);
}
