//! Cost against tree size, drawn as SVG on logarithmic scales.

use crate::ground::{Outcome, Runs};
use crate::output::wall;
use crate::row::Before;
use crate::rows::grouped;
use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 460.0;
/// Room for the scales on the left and below, and for names on the right.
const LEFT: f64 = 70.0;
const BELOW: f64 = 50.0;
const RIGHT: f64 = 190.0;
const ABOVE: f64 = 40.0;
/// Powers of ten at the ends of the scales: files, and seconds.
const FILES: (f64, f64) = (3.0, 6.0);
const SECONDS: (f64, f64) = (-2.0, 3.0);

fn x(files: u32) -> f64 {
    let (low, high) = FILES;
    LEFT + (f64::from(files).log10() - low) / (high - low) * (WIDTH - LEFT - RIGHT)
}

fn y(seconds: f64) -> f64 {
    let (low, high) = SECONDS;
    HEIGHT - BELOW - (seconds.log10().clamp(low, high) - low) / (high - low) * (HEIGHT - BELOW - ABOVE)
}

/// The drawing.
pub(crate) fn svg(outcomes: &[Outcome], title: &str) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = draw(&mut out, outcomes, title);
    out
}

fn draw(out: &mut String, outcomes: &[Outcome], title: &str) -> std::fmt::Result {
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">"
    )?;
    writeln!(out, "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>")?;
    writeln!(out, "<text x=\"{LEFT}\" y=\"22\" font-size=\"14\">{title}</text>")?;
    scales(out)?;
    let lines = [(Before::Missing, "first copy", "none"), (Before::Equal, "nothing changed", "6 4")];
    for (before, work, dashes) in lines {
        for (at, program, colour) in [(0, "rsync", "#b3541e"), (1, "smsync", "#1e5fb3")] {
            let points: Vec<(u32, f64)> = outcomes
                .iter()
                .filter(|outcome| outcome.row.plotted && outcome.row.before == before)
                .filter_map(|outcome| Some((outcome.row.shape.files(), outcome.runs.get(at)?)))
                .map(|(files, runs): (u32, &Runs)| (files, runs.median(wall)))
                .collect();
            line(out, &points, colour, dashes, &format!("{program}, {work}"))?;
        }
    }
    writeln!(out, "</svg>")
}

fn scales(out: &mut String) -> std::fmt::Result {
    let (bottom, right) = (HEIGHT - BELOW, WIDTH - RIGHT);
    for files in [1_000, 10_000, 100_000, 1_000_000] {
        let x = x(files);
        writeln!(out, "<path d=\"M{x:.1} {ABOVE}V{bottom}\" stroke=\"#ddd\"/>")?;
        let label = grouped(files);
        writeln!(out, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", bottom + 18.0)?;
    }
    for seconds in [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0] {
        let y = y(seconds);
        writeln!(out, "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>")?;
        writeln!(
            out,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{seconds} s</text>",
            LEFT - 8.0,
            y + 4.0
        )?;
    }
    let middle = (LEFT + right) / 2.0;
    writeln!(out, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">files</text>", HEIGHT - 10.0)
}

fn line(out: &mut String, points: &[(u32, f64)], colour: &str, dashes: &str, name: &str) -> std::fmt::Result {
    let Some((last_files, last_seconds)) = points.last() else { return Ok(()) };
    let path: Vec<String> =
        points.iter().map(|(files, seconds)| format!("{:.1} {:.1}", x(*files), y(*seconds))).collect();
    writeln!(
        out,
        "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>",
        path.join("L")
    )?;
    for (files, seconds) in points {
        writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
            x(*files),
            y(*seconds)
        )?;
    }
    let (x, y) = (x(*last_files) + 8.0, y(*last_seconds) + 4.0);
    writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{name} {last_seconds:.2} s</text>")
}
