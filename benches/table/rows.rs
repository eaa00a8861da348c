//! The rows of the table. Those of one tree stand together, so that each tree is made once.

use crate::edit;
use crate::program::{DELTA, How};
use crate::row::{Before, Memory, Row};
use crate::tree::Shape;
use std::time::Duration;

/// Bytes of the median file, as in a source tree.
const MEDIAN: u32 = 4096;
/// And where the number of files is what counts.
const SMALL: u32 = 256;
/// Half of the round trip of a long way.
const FAR: Duration = Duration::from_millis(50);
const SERVERS: usize = 8;

/// Every row; smaller ones unless everything is measured.
pub(crate) fn all(full: bool) -> Vec<Row> {
    let mut rows = many(if full { 100_000 } else { 20_000 });
    rows.extend(big(if full { 2 << 30 } else { 512 << 20 }));
    rows.extend(moved(if full { 1 << 30 } else { 256 << 20 }));
    rows.extend(far());
    rows.extend(servers(if full { 20_000 } else { 2_000 }));
    rows.extend(sizes());
    rows
}

/// Nothing said, nothing remembered, nothing aimed at.
fn row(name: &str, work: String, shape: Shape, before: Before) -> Row {
    Row {
        name: name.to_owned(),
        work,
        shape,
        before,
        memory: if before == Before::Missing { Memory::Empty } else { Memory::Kept },
        how: How::default(),
        delay: Duration::ZERO,
        servers: 1,
        disk: false,
        pairs: 5,
        goal: None,
        full: false,
        plotted: false,
    }
}

/// Each of these, and then on the terms of `rsync -a`.
fn twice(rows: Vec<Row>) -> impl Iterator<Item = Row> {
    let less: Vec<Row> = rows.iter().map(Row::carrying_less).collect();
    rows.into_iter().chain(less)
}

fn many(count: u32) -> Vec<Row> {
    use Before::{Changed, Equal, Missing};
    let shape = Shape::Files { count, median: MEDIAN };
    let row = |name: &str, text: &str, before, goal| Row {
        goal: Some(goal),
        ..row(name, format!("{} files: {text}", grouped(count)), shape, before)
    };
    let checksum = How { checksum: true, ..How::default() };
    let flush = How { flush: true, ..How::default() };
    let changed = format!("{} of them changed", grouped(count / 100));
    let mut rows: Vec<Row> = twice(vec![
        row("first", "first copy", Missing, 0.5),
        row("same", "nothing changed", Equal, 0.4),
        Row { how: checksum, ..row("same-c", "nothing changed, `-c`, second time", Equal, 0.2) },
        Row {
            how: checksum,
            memory: Memory::Empty,
            ..row("same-c-new", "nothing changed, `-c`, nothing remembered", Equal, 0.7)
        },
        row("changed", &changed, Changed, 0.4),
    ])
    .collect();
    let batch = "first copy, smsync with `durable = batch`, rsync without flushing";
    let batch = Row { how: flush, goal: None, pairs: 3, ..row("first-batch", batch, Missing, 0.0) };
    let disk = Row {
        name: "first-batch-ext4".into(),
        work: format!("{}, onto ext4 on a loop device", batch.work),
        disk: true,
        full: true,
        ..batch.clone()
    };
    rows.extend([batch, disk]);
    rows
}

fn big(size: u64) -> Vec<Row> {
    use Before::{Inserted, Missing, Scattered, Touched};
    let row = |name: &str, work: String, before, goal| Row {
        goal: Some(goal),
        ..row(name, work, Shape::One(size), before)
    };
    let mut rows: Vec<Row> = twice(vec![
        row("big", format!("one file of {} MiB: first copy", size >> 20), Missing, 0.9),
        row("big-touched", "the same file touched, contents equal".into(), Touched, 0.3),
    ])
    .collect();
    let edits = [
        ("scattered", Scattered, format!("1 % of it changed in {} places", edit::PLACES)),
        ("inserted", Inserted, format!("{} MiB inserted at its front", edit::INSERTED >> 20)),
    ];
    for (name, before, what) in edits {
        let delta = format!("{what}, delta forced (`--no-whole-file`, `{DELTA}`)");
        let forced = How { delta: true, ..How::default() };
        rows.push(Row { how: forced, pairs: 3, ..row(&format!("delta-{name}"), delta, before, 0.6) });
        let free = row(&format!("big-{name}"), format!("{what}, as each likes"), before, 0.0);
        rows.push(Row { goal: None, pairs: 3, full: true, ..free });
    }
    rows
}

/// What counts here is bytes.
fn moved(size: u64) -> Vec<Row> {
    let (count, median) = (10_000, MEDIAN);
    let moved = format!("a file of {} MiB moved", size >> 20);
    let renamed = format!("a directory of {} of 50,000 files renamed", grouped(count));
    vec![
        Row { pairs: 3, ..row("moved", moved, Shape::One(size), Before::Renamed) },
        row("renamed", renamed, Shape::Directory { count, median }, Before::Renamed),
    ]
}

fn far() -> Vec<Row> {
    use Before::{Equal, Missing};
    let row = |name: &str, count, text: &str, before, goal| Row {
        delay: FAR,
        goal: Some(goal),
        ..row(
            name,
            format!("100 ms away, {} files: {text}", grouped(count)),
            Shape::Files { count, median: MEDIAN },
            before,
        )
    };
    vec![
        row("far-same-10", 10, "nothing changed", Equal, 0.45),
        row("far-first", 10_000, "first copy", Missing, 0.7),
        row("far-same", 10_000, "nothing changed", Equal, 0.45),
    ]
}

fn servers(count: u32) -> Vec<Row> {
    let work = format!(
        "{SERVERS} clients of each at once, to as many destinations on this machine, first copy of {} files each",
        grouped(count)
    );
    let shape = Shape::Files { count, median: MEDIAN };
    vec![Row { servers: SERVERS, pairs: 3, goal: Some(0.6), ..row("eight", work, shape, Before::Missing) }]
}

/// What the plot shows.
fn sizes() -> Vec<Row> {
    use Before::{Equal, Missing};
    let mut rows = Vec::new();
    for count in [1_000, 10_000, 100_000, 1_000_000] {
        let million = count == 1_000_000;
        for (name, text, before, goal) in
            [("first", "first copy", Missing, 0.5), ("same", "nothing changed", Equal, 0.4)]
        {
            let work = format!("{} files of a few bytes: {text}", grouped(count));
            // A million take minutes to copy.
            let pairs = if !million {
                5
            } else if before == Missing {
                1
            } else {
                3
            };
            rows.push(Row {
                full: true,
                plotted: true,
                pairs,
                goal: million.then_some(goal),
                ..row(&format!("{name}-{count}"), work, Shape::Files { count, median: SMALL }, before)
            });
        }
    }
    rows
}

/// A number with a comma before every third digit.
pub(crate) fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
