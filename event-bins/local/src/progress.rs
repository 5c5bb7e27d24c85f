//! The line that moves while it runs, on a terminal.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{MissedTickBehavior, interval};

use crate::tally::{Counts, Tally};

/// Redraws until it is dropped; draws nothing where standard error is not a terminal.
pub(crate) async fn show(tally: Arc<Tally>, total: Option<u64>) {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let template = match total {
        Some(_) => "{elapsed_precise} [{bar:24}] {pos}/{len} sent, {msg}",
        None => "{elapsed_precise} {spinner} {pos} sent, {msg}",
    };
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    // Dropped with the future, which clears the line for the summary.
    let bar = ClearOnDrop(bar);
    let mut ticks = interval(Duration::from_millis(100));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let counts = tally.counts();
        bar.0.set_position(counts.sent);
        bar.0.set_message(message(&counts, bar.0.elapsed()));
        bar.0.tick();
    }
}

fn message(counts: &Counts, elapsed: Duration) -> String {
    let settled = counts.sent - counts.in_flight();
    let rate = settled as f64 / elapsed.as_secs_f64().max(0.001);
    format!(
        "{} stored, {} quarantined, {} in flight, {rate:.0}/s",
        counts.stored,
        counts.quarantined,
        counts.in_flight(),
    )
}

struct ClearOnDrop(ProgressBar);

impl Drop for ClearOnDrop {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_all_that_are_settled() {
        let counts = Counts { sent: 100, stored: 30, duplicates: 20, quarantined: 10 };
        let text = message(&counts, Duration::from_secs(2));
        assert_eq!(text, "30 stored, 10 quarantined, 40 in flight, 30/s");
        assert!(message(&counts, Duration::ZERO).ends_with(" 60000/s"));
    }
}
