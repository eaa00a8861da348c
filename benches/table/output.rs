//! The table as Markdown and as JSON.

use crate::ground::{Outcome, Run, Runs};
use crate::measure::Usage;
use serde_json::{Value, json};

/// The head of the table.
pub(crate) const HEAD: &str = "\
| row | work | wall s: rsync | smsync | ratio | goal | CPU s: rsync | smsync | ratio | peak MiB (anonymous), client + server: rsync | smsync | bytes up / down: rsync | smsync |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

/// The middle of some figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Seconds that pass: of several clients at once, those of the slowest.
pub(crate) fn wall(run: &Run) -> f64 {
    largest(&run.clients, |client| client.wall.as_secs_f64())
}

/// Seconds of processor time of both sides.
pub(crate) fn cpu(run: &Run) -> f64 {
    run.clients.iter().chain(&run.servers).map(|side| side.cpu.as_secs_f64()).sum()
}

fn largest(side: &[Usage], figure: impl Fn(&Usage) -> f64) -> f64 {
    side.iter().map(figure).fold(0.0, f64::max)
}

fn mebibytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) / 1024.0
}

/// Memory of the client and of the server.
struct Memory {
    peak: [f64; 2],
    anonymous: [f64; 2],
}

impl Runs {
    /// The median of a figure over the runs.
    pub(crate) fn median(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        median(self.timed.iter().map(figure).collect())
    }

    fn memory(&self) -> Memory {
        let peak = |side: &Usage| mebibytes(side.peak);
        let anonymous = |side: &Usage| mebibytes(side.anonymous);
        Memory {
            peak: [
                self.median(|run| largest(&run.clients, peak)),
                self.median(|run| largest(&run.servers, peak)),
            ],
            anonymous: [largest(&self.counted.clients, anonymous), largest(&self.counted.servers, anonymous)],
        }
    }

    fn json(&self) -> Value {
        let Memory { peak: [client, server], anonymous: [of_client, of_server] } = self.memory();
        let wire = &self.counted.wire;
        let runs = self.timed.iter().map(|run| json!({ "wall": wall(run), "cpu": cpu(run) }));
        json!({
            "wall": self.median(wall),
            "cpu": self.median(cpu),
            "peak_mib": { "client": client, "server": server },
            "anonymous_mib": { "client": of_client, "server": of_server },
            "bytes": { "up": wire.up, "down": wire.down },
            "runs": runs.collect::<Vec<_>>(),
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
        let seconds = |runs: &Runs| {
            let seconds = runs.median(wall);
            let trips =
                self.row.trips(seconds).map(|trips| format!(" = {trips:.1} trips")).unwrap_or_default();
            // Small figures need another digit.
            if seconds < 1.0 { format!("{seconds:.3}{trips}") } else { format!("{seconds:.2}{trips}") }
        };
        let goal = self.row.goal.map(|goal| format!("≤ {goal}")).unwrap_or_default();
        let memory = |runs: &Runs| {
            let Memory { peak: [client, server], anonymous: [of_client, of_server] } = runs.memory();
            format!("{client:.1} ({of_client:.1}) + {server:.1} ({of_server:.1})")
        };
        let bytes =
            |runs: &Runs| format!("{} / {}", short(runs.counted.wire.up), short(runs.counted.wire.down));
        format!(
            "| {} | {} | {} | {} | **{:.2}** | {goal} | {:.2} | {:.2} | **{:.2}** | {} | {} | {} | {} |",
            self.row.name,
            self.row.work,
            seconds(rsync),
            seconds(smsync),
            self.ratio(wall),
            rsync.median(cpu),
            smsync.median(cpu),
            self.ratio(cpu),
            memory(rsync),
            memory(smsync),
            bytes(rsync),
            bytes(smsync),
        )
    }

    /// As an object.
    pub(crate) fn json(&self) -> Value {
        let [rsync, smsync] = &self.runs;
        let trips = [rsync, smsync].map(|runs| self.row.trips(runs.median(wall)));
        json!({
            "row": self.row.name,
            "work": self.row.work,
            "files": self.row.shape.files(),
            "pairs": rsync.timed.len(),
            "rsync": rsync.json(),
            "smsync": smsync.json(),
            "ratio": { "wall": self.ratio(wall), "cpu": self.ratio(cpu), "goal": self.row.goal },
            "round_trips": { "rsync": trips[0], "smsync": trips[1] },
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
