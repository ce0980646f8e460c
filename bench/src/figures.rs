//! What was measured, over several rounds.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// Figures by name, in the order in which they were first taken.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<(String, Vec<f64>)>,
}

impl Table {
    /// One more figure of that name.
    pub fn take(&mut self, name: &str, figure: f64) {
        eprintln!("  {name}: {}", Short(figure));
        match self.rows.iter_mut().find(|(of, _)| of == name) {
            Some((_, figures)) => figures.push(figure),
            None => self.rows.push((name.to_owned(), vec![figure])),
        }
    }
}

/// A Markdown table: median, least and greatest of each.
impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | median | min | max |\n|---|---|---|---|")?;
        for (name, figures) in &self.rows {
            let mut sorted = figures.clone();
            sorted.sort_by(f64::total_cmp);
            let [least, middle, greatest] =
                [0, sorted.len() / 2, sorted.len() - 1].map(|place| Short(sorted[place]));
            writeln!(f, "| {name} | {middle} | {least} | {greatest} |")?;
        }
        Ok(())
    }
}

/// Three digits that mean something.
struct Short(f64);

impl Display for Short {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let decimals = match self.0.abs() {
            0.0..10.0 => 2,
            10.0..100.0 => 1,
            _ => 0,
        };
        write!(f, "{:.decimals$}", self.0)
    }
}

/// The time that so many of a hundred stay below, in milliseconds; sorts them. NaN without any.
pub fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
}
