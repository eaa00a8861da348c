//! How far the transfer of contents is: a bar for who looks on, or a plain line now and then.

use crate::report::Progress;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// A transfer that is over at once needs no bar.
const SOON: Duration = Duration::from_millis(300);
/// How often a plain line is written.
const NOW_AND_THEN: Duration = Duration::from_secs(10);

/// In which form progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Not at all.
    None,
    /// A bar, once there is something to wait for.
    Bar,
    /// A bar from the beginning.
    BarAtOnce,
    /// Lines, where a bar cannot be drawn.
    Lines,
}

/// What is shown of it.
#[derive(Debug)]
pub(super) struct Shown {
    form: Form,
    bar: Option<ProgressBar>,
    started: Instant,
    /// When the last line was due.
    last: Instant,
    now: Progress,
}

impl Shown {
    pub(super) fn new() -> Shown {
        let now = Instant::now();
        Shown { form: Form::None, bar: None, started: now, last: now, now: Progress::default() }
    }

    /// In this form from now on.
    pub(super) fn set(&mut self, form: Form) {
        self.form = form;
    }

    /// Prints something else above the bar.
    pub(super) fn above(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes news; gives back a line that is due.
    pub(super) fn update(&mut self, progress: &Progress) -> Option<String> {
        self.now = *progress;
        match self.form {
            Form::None => None,
            Form::Lines if self.last.elapsed() < NOW_AND_THEN => None,
            Form::Lines => {
                self.last = Instant::now();
                Some(self.line())
            }
            Form::Bar if self.bar.is_none() && self.started.elapsed() < SOON => None,
            Form::Bar | Form::BarAtOnce => {
                self.draw();
                None
            }
        }
    }

    /// Takes the bar away; gives back the last line where there are lines.
    pub(super) fn end(&mut self) -> Option<String> {
        self.bar.take().iter().for_each(ProgressBar::finish_and_clear);
        let line = (self.form == Form::Lines).then(|| self.line());
        self.form = Form::None;
        line
    }

    fn line(&self) -> String {
        let Progress { files, files_total, bytes, bytes_total } = self.now;
        format!("{files}/{files_total} files, {}/{}", HumanBytes(bytes), HumanBytes(bytes_total))
    }

    fn draw(&mut self) {
        let progress = self.now;
        let bar = self.bar.get_or_insert_with(|| {
            let form = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} eta {eta} {msg}";
            let target = ProgressDrawTarget::stderr_with_hz(5);
            let bar = ProgressBar::with_draw_target(Some(progress.bytes_total), target);
            bar.set_style(
                ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        bar.set_length(progress.bytes_total.max(progress.bytes));
        bar.set_message(format!("{}/{} files", progress.files, progress.files_total));
        bar.set_position(progress.bytes);
    }
}
