//! The table as Markdown and as JSON.

use crate::measure::Usage;
use crate::row::{Outcome, Run, Runs};
use serde_json::{Value, json};

/// The head of the table.
pub(crate) const HEAD: &str = "\
| row | work | wall s: rsync | smsync | ratio | CPU s: rsync | smsync | ratio | peak MiB, client + server: rsync | smsync | bytes up / down: rsync | smsync |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

/// The middle of some figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Seconds that pass.
pub(crate) fn wall(run: &Run) -> f64 {
    run.client.wall.as_secs_f64()
}

/// Seconds of processor time of both sides.
pub(crate) fn cpu(run: &Run) -> f64 {
    run.client.cpu.as_secs_f64() + run.server.cpu.as_secs_f64()
}

/// Peak memory of one side.
fn peak(side: &Usage) -> f64 {
    f64::from(u32::try_from(side.peak >> 10).unwrap_or(u32::MAX)) / 1024.0
}

impl Runs {
    /// The median of a figure over the runs.
    pub(crate) fn median(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        median(self.runs.iter().map(figure).collect())
    }

    fn peaks(&self) -> [f64; 2] {
        [self.median(|run| peak(&run.client)), self.median(|run| peak(&run.server))]
    }

    fn json(&self) -> Value {
        let [client, server] = self.peaks();
        json!({
            "wall": self.median(wall),
            "cpu": self.median(cpu),
            "peak_mib": { "client": client, "server": server },
            "bytes": { "up": self.wire.up, "down": self.wire.down },
            "runs": self.runs.iter().map(|run| json!({ "wall": wall(run), "cpu": cpu(run) })).collect::<Vec<_>>(),
        })
    }
}

impl Outcome {
    /// smsync's median as a share of rsync's.
    fn ratio(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        let [rsync, smsync] = &self.runs;
        smsync.median(&figure) / rsync.median(&figure)
    }

    /// As one line of the table.
    pub(crate) fn line(&self) -> String {
        let [rsync, smsync] = &self.runs;
        let peaks = |runs: &Runs| {
            let [client, server] = runs.peaks();
            format!("{client:.1} + {server:.1}")
        };
        let bytes = |runs: &Runs| format!("{} / {}", short(runs.wire.up), short(runs.wire.down));
        format!(
            "| {} | {} | {:.2} | {:.2} | **{:.2}** | {:.2} | {:.2} | **{:.2}** | {} | {} | {} | {} |",
            self.row.name,
            self.row.work,
            rsync.median(wall),
            smsync.median(wall),
            self.ratio(wall),
            rsync.median(cpu),
            smsync.median(cpu),
            self.ratio(cpu),
            peaks(rsync),
            peaks(smsync),
            bytes(rsync),
            bytes(smsync),
        )
    }

    /// As an object.
    pub(crate) fn json(&self) -> Value {
        let [rsync, smsync] = &self.runs;
        json!({
            "row": self.row.name,
            "work": self.row.work,
            "files": self.row.shape.files(),
            "rsync": rsync.json(),
            "smsync": smsync.json(),
            "ratio": { "wall": self.ratio(wall), "cpu": self.ratio(cpu) },
        })
    }
}

/// Bytes for people: three digits are enough.
fn short(bytes: u64) -> String {
    let mut figure = f64::from(u32::try_from(bytes / 1000).unwrap_or(u32::MAX));
    if bytes < 10_000 {
        return format!("{bytes} B");
    }
    let mut unit = "kB";
    for larger in ["MB", "GB"] {
        if figure >= 1000.0 {
            figure /= 1000.0;
            unit = larger;
        }
    }
    if figure < 10.0 { format!("{figure:.1} {unit}") } else { format!("{figure:.0} {unit}") }
}
