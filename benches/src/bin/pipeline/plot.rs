//! Bars, as SVG.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::report::Report;
use crate::series::{Line, Spread};

const ROW: usize = 34;
const LEFT: usize = 250;
const BAR: f64 = 380.0;
const WIDTH: usize = 720;

/// Writes a plot for each figure and names the files.
pub(crate) fn write(report: &Report, directory: &Path) -> Outcome<Vec<PathBuf>> {
    let lines = lines(report);
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    std::fs::create_dir_all(directory)
        .map_err(|error| format!("--plots {}: {error}", directory.display()))?;
    let rates = bars("events a second", &lines, |line| line.events_per_s_spread, 0);
    let cpu = |line: &Line| {
        let Spread { median, least, most } = line.cpu_s_per_1000_spread;
        Spread { median: median * 1_000.0, least: least * 1_000.0, most: most * 1_000.0 }
    };
    let cpu = bars("CPU microseconds for an event", &lines, cpu, 1);
    let files = [("events-per-second.svg", rates), ("cpu-per-event.svg", cpu)];
    let mut written = Vec::new();
    for (name, svg) in files {
        let file = directory.join(name);
        std::fs::write(&file, svg).map_err(|error| format!("{}: {error}", file.display()))?;
        written.push(file);
    }
    Ok(written)
}

fn lines(report: &Report) -> Vec<&Line> {
    let mut lines = Vec::new();
    if let Some(floors) = &report.floors {
        lines.extend([Some(&floors.receive_delete), report.layouts.batch.as_ref()]);
        lines.extend([Some(&floors.receive_put_delete), report.layouts.event.as_ref()]);
    }
    if let Some(producer) = &report.producer {
        lines.extend([Some(&producer.floor), Some(&producer.producer)]);
    }
    lines.into_iter().flatten().collect()
}

/// A bar for each client: the median, and a line from the least to the most.
fn bars(title: &str, lines: &[&Line], of: impl Fn(&Line) -> Spread, digits: usize) -> String {
    let longest = lines.iter().map(|line| of(line).most).fold(f64::MIN_POSITIVE, f64::max);
    let height = 56 + ROW * lines.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"28\" font-size=\"16\" font-weight=\"bold\">{title}</text>\n"
    );
    for (index, line) in lines.iter().enumerate() {
        let spread = of(line);
        let [median, least, most] =
            [spread.median, spread.least, spread.most].map(|value| value / longest * BAR);
        let (top, left) = (48 + ROW * index, LEFT as f64);
        let (middle, base) = (top + 11, top + 16);
        let colour = if line.client.is_floor() { "#b8bec6" } else { "#2f6fb0" };
        // Writing to a String cannot fail.
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{left}\" y=\"{top}\" width=\"{median:.1}\" height=\"22\" fill=\"{colour}\"/>\n\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"black\"/>\n\
             <text x=\"{:.1}\" y=\"{base}\">{:.digits$}</text>\n",
            LEFT - 10,
            line.client.name(),
            left + least,
            left + most,
            left + most.max(median) + 8.0,
            spread.median,
        );
    }
    svg.push_str("</svg>\n");
    svg
}
