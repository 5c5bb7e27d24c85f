//! The report for a person.

use std::fmt::Write;

use crate::report::{Beside, Layouts, Pods, Report, Start};
use crate::series::{Line, Spread};

pub(crate) fn of(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    let Report { layouts, floors, producer, latency, drain, trickle, start, .. } = report;
    if let Layouts { event: Some(event), batch: Some(batch), .. } = layouts
        && let Some(floors) = floors
    {
        heading(text, "a backlog, each answer at once")?;
        line(text, "floor: receive + delete", &floors.receive_delete)?;
        line(text, "batch layout", batch)?;
        line(text, "floor: receive + put + delete", &floors.receive_put_delete)?;
        line(text, "event layout", event)?;
        requests(text, "batch layout", batch)?;
        requests(text, "event layout", event)?;
    }
    if let Some(invalid) = &layouts.invalid {
        heading(text, "a backlog of which one event in ten is invalid")?;
        line(text, "batch layout", invalid)?;
        requests(text, "batch layout", invalid)?;
    }
    if let Some(producer) = producer {
        heading(text, "the producer")?;
        line(text, "floor: SendMessageBatch", &producer.floor)?;
        line(text, "producer", &producer.producer)?;
        requests(text, "producer", &producer.producer)?;
    }
    if let Some(latency) = latency {
        let title = format!(
            "a backlog, {} ms on each answer of SQS, {} ms of S3",
            latency.sqs_delay_ms, latency.s3_delay_ms
        );
        heading(text, &title)?;
        line(text, "floor: receive + delete, 8 loops", &latency.floor_8)?;
        line(text, "floor: receive + delete, 32 loops", &latency.floor_32)?;
        line(text, "batch layout", &latency.batch)?;
        line(text, "event layout", &latency.event)?;
        let share = percent(&latency.batch_share_of_rate);
        writeln!(text, "batch layout: {share} of its rate without delays")?;
    }
    if let Some(drain) = drain {
        heading(text, "ten times the backlog, batch layout")?;
        line(text, "once", &drain.once)?;
        line(text, "ten times", &drain.ten_times)?;
        let Spread { median, least, most } = drain.time_ratio;
        writeln!(text, "time: {median:.2} times ({least:.2} to {most:.2})")?;
    }
    if let Some(trickle) = trickle {
        let title = format!("{} events a second, one object each", trickle.events_per_s);
        heading(text, &title)?;
        line(text, "event layout", &trickle.event)?;
    }
    if let Some(Start { stored, seconds, cpu_seconds, peak_rss_mib, bytes_per_event }) = start {
        writeln!(
            text,
            "\na start beside {stored} stored events: {:.1} s, {:.1} s of CPU, {:.0} MiB, {:.1} bytes \
             for each",
            seconds.median, cpu_seconds.median, peak_rss_mib.median, bytes_per_event.median
        )?;
    }
    pods(text, &report.pods)?;
    beside(text, &report.beside)?;
    if let Some(idle) = report.idle_requests_per_minute {
        writeln!(text, "\nidle: {idle:.1} requests a minute")?;
    }
    writeln!(
        text,
        "\nmedians of {} rounds of {} events; in brackets least and most; prices: {}",
        report.rounds, report.events, report.prices
    )?;
    if !report.held_up_by_server.is_empty() {
        let clients = report.held_up_by_server.join("; ");
        writeln!(text, "held up by the server, so that the rate is the server's: {clients}")?;
    }
    Ok(())
}

fn pods(text: &mut String, lines: &[Pods]) -> std::fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\npods at once that share a store, answers as above\n{:<6} {:>9} {:>11} {:>9} {:>22} {:>9} \
         {:>12} {:>14}",
        "pods",
        "events/s",
        "segments/s",
        "events",
        "lost puts",
        "gets",
        "least share",
        "CPU s 1,000"
    )?;
    for line in lines {
        let lost = line.lost_puts_per_segment;
        let lost = format!("{:.2} [{:.2}-{:.2}]", lost.median, lost.least, lost.most);
        writeln!(
            text,
            "{:<6} {:>9.0} {:>11.1} {:>9.0} {lost:>22} {:>9.2} {:>12.2} {:>14.3}",
            line.pods,
            line.events_per_s.median,
            line.segments_per_s.median,
            line.events_per_segment.median,
            line.gets_per_segment.median,
            line.least_share.median,
            line.cpu_s_per_1000.median,
        )?;
    }
    writeln!(text, "events, lost puts and gets are for each segment")
}

fn beside(text: &mut String, lines: &[Beside]) -> std::fmt::Result {
    for Beside { client, cpu_s_per_1000, cpu_s_per_1000_other, cpu_ratio } in lines {
        let Spread { median, least, most } = cpu_ratio;
        writeln!(
            text,
            "\n{client} beside the other build: {:.3} and {:.3} CPU s for 1,000, {median:.2} times \
             [{least:.2}-{most:.2}]",
            cpu_s_per_1000.median, cpu_s_per_1000_other.median
        )?;
    }
    Ok(())
}

fn heading(text: &mut String, title: &str) -> std::fmt::Result {
    writeln!(
        text,
        "\n{title}\n{:<34} {:>8} {:>17} {:>7} {:>19} {:>7} {:>7} {:>7} {:>8} {:>8}",
        "",
        "events/s",
        "CPU s for 1,000",
        "x floor",
        "",
        "$ / 1 M",
        "RSS MiB",
        "server",
        "p50 ms",
        "p99 ms"
    )
}

fn line(text: &mut String, name: &str, line: &Line) -> std::fmt::Result {
    let Spread { least, most, .. } = line.cpu_s_per_1000_spread;
    let cpu = format!("{:.3} [{least:.3}-{most:.3}]", line.cpu_s_per_1000);
    let ratio = line.cpu_ratio_to_floor.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    let spread = line.cpu_ratio_spread;
    let spread = spread.map_or_else(String::new, |s| format!("[{:.2}-{:.2}]", s.least, s.most));
    let millis = |time: Option<f64>| time.map_or_else(String::new, |time| format!("{time:.1}"));
    writeln!(
        text,
        "{name:<34} {:>8.0} {cpu:>17} {ratio:>7} {spread:>19} {:>7.3} {:>7.1} {:>5.0} % {:>8} {:>8}",
        line.events_per_s,
        line.usd_per_million,
        line.peak_rss_mib,
        line.server_share * 100.0,
        millis(line.p50_ms),
        millis(line.p99_ms)
    )
}

fn requests(text: &mut String, name: &str, line: &Line) -> std::fmt::Result {
    let all = line.requests_per_1000.iter().map(|(api, count)| format!("{count:.1} {api}"));
    writeln!(text, "requests for 1,000, {name}: {}", all.collect::<Vec<_>>().join(", "))
}

fn percent(share: &Spread) -> String {
    let [median, least, most] = [share.median, share.least, share.most].map(|share| share * 100.0);
    format!("{median:.0} % ({least:.0} to {most:.0})")
}
