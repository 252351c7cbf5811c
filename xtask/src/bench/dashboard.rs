//! What the dashboard costs: the measuring program of the tracer, which draws frames to nowhere while keys are pressed.

use std::{
    fmt::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{
    limits::{Bound, Limit},
    median,
};

/// For `--only`.
pub const NAME: &str = "dashboard";
/// Calls a second that come.
const RATES: [u32; 2] = [500_000, 0];
/// Seconds of a turn.
const SECONDS: u32 = 6;

/// Its figures, by the rate; none of a rate that was not measured.
#[derive(Default)]
pub struct Figures([Vec<Value>; RATES.len()]);

/// What is shown: heading, key of the program's figures, digits.
const COLUMNS: [(&str, &str, usize); 6] = [
    ("calls/s shown", "calls_per_s", 0),
    ("frames/s", "frames_per_s", 1),
    ("key to picture, p50 ms", "key_p50_ms", 1),
    ("longest, ms", "key_max_ms", 1),
    ("thread that draws, % of a CPU", "drawing_percent", 1),
    ("all threads, %", "all_percent", 1),
];

impl Figures {
    /// Measures once more.
    ///
    /// # Errors
    /// When the program fails.
    pub fn turn(&mut self, program: &Path) -> Result<()> {
        for (rate, figures) in RATES.iter().zip(&mut self.0) {
            let mut command = Command::new(program);
            command
                .args([rate.to_string(), SECONDS.to_string()])
                .stdin(Stdio::null())
                .stderr(Stdio::inherit());
            let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
            if !output.status.success() {
                bail!("{} of {command:?}", output.status);
            }
            figures.push(serde_json::from_slice(&output.stdout)?);
        }
        Ok(())
    }

    fn median(&self, rate: u32, key: &str) -> Option<f64> {
        let place = RATES.iter().position(|known| *known == rate)?;
        median(self.0.get(place)?.iter().filter_map(|figures| figures.get(key)?.as_f64()))
    }

    /// Whether anything was measured.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    /// As a table.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, text: &mut String) -> std::fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        let heads = COLUMNS.map(|(head, ..)| head);
        write!(
            text,
            "\n## The dashboard\n\nOn 160 × 50, with a key every 170 ms, which goes through all views.\n\n| calls a second | {} |\n|---:|{}\n",
            heads.join(" | "),
            "---:|".repeat(heads.len())
        )?;
        for rate in RATES {
            let cell = |(_, key, digits): (&str, &str, usize)| match self.median(rate, key) {
                Some(value) => format!("{value:.digits$}"),
                None => "–".to_owned(),
            };
            writeln!(text, "| {rate} | {} |", COLUMNS.map(cell).join(" | "))?;
        }
        Ok(())
    }

    /// All figures, by the rate.
    pub fn json(&self) -> Value {
        RATES
            .iter()
            .zip(&self.0)
            .map(|(rate, figures)| (rate.to_string(), Value::from(figures.clone())))
            .collect()
    }

    /// What it may cost.
    pub fn limits(&self) -> Vec<Limit> {
        let limit = |what: &str, bound, rate, key| Limit {
            what: format!("the dashboard: {what}"),
            bound,
            figures: vec![(if rate == 0 { "at rest" } else { "500,000 calls/s" }, self.median(rate, key))],
        };
        vec![
            limit("frames a second", Bound::Least(20.0), 500_000, "frames_per_s"),
            limit("from a key to its picture, p50 ms", Bound::Most(50.0), 500_000, "key_p50_ms"),
            limit("all threads, % of a CPU", Bound::Most(5.0), 0, "all_percent"),
        ]
    }
}
