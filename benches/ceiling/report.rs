//! The table, as text, JSON and a picture.

use std::fmt::Write as _;

use crate::Scale;

/// What a number counts.
#[derive(Clone, Copy)]
pub enum Unit {
    PerSecond,
    Millis,
    Megabytes,
    Bytes,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::Millis => "ms",
            Self::Megabytes => "MB",
            Self::Bytes => "B",
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond if value >= 100.0 => format!("{} /s", grouped(value)),
            Self::PerSecond | Self::Millis | Self::Megabytes => {
                format!("{value:.2} {}", self.name())
            }
            Self::Bytes => format!("{value:.0} B"),
        }
    }
}

/// What a row must reach.
#[derive(Clone, Copy)]
enum Target {
    AtLeast(f64),
    AtMost(f64),
}

/// One measurement. Its score is its ratio to its ceiling, or the measurement itself.
pub struct Row {
    name: String,
    measured: f64,
    unit: Unit,
    ceiling: Option<(String, f64)>,
    target: Option<Target>,
}

impl Row {
    pub fn new(name: impl Into<String>, measured: f64, unit: Unit) -> Self {
        Self {
            name: name.into(),
            measured,
            unit,
            ceiling: None,
            target: None,
        }
    }

    /// What it is compared with.
    pub fn ceiling(mut self, name: &str, value: f64) -> Self {
        self.ceiling = Some((name.to_owned(), value));
        self
    }

    /// The ratio to the ceiling must be at least this.
    pub const fn at_least(mut self, ratio: f64) -> Self {
        self.target = Some(Target::AtLeast(ratio));
        self
    }

    /// The measurement must be at least this.
    pub const fn reaches(self, value: f64) -> Self {
        self.at_least(value)
    }

    /// The ratio to the ceiling, or the measurement where there is none, must be at most this.
    pub const fn at_most(mut self, value: f64) -> Self {
        self.target = Some(Target::AtMost(value));
        self
    }

    fn score(&self) -> f64 {
        match &self.ceiling {
            Some((_, value)) => self.measured / value,
            None => self.measured,
        }
    }

    fn is_met(&self) -> Option<bool> {
        Some(match self.target? {
            Target::AtLeast(least) => self.score() >= least,
            Target::AtMost(most) => self.score() <= most,
        })
    }

    fn shown_target(&self) -> String {
        let (sign, value) = match self.target {
            None => return String::new(),
            Some(Target::AtLeast(value)) => (">=", value),
            Some(Target::AtMost(value)) => ("<=", value),
        };
        if self.ceiling.is_some() {
            format!("{sign} {value:.2}")
        } else {
            format!("{sign} {}", self.unit.show(value))
        }
    }

    fn shown_score(&self) -> String {
        match self.ceiling {
            Some(_) => format!("{:.2}", self.score()),
            None => String::new(),
        }
    }
}

/// All that was measured.
pub struct Report {
    scale: Scale,
    rows: Vec<Row>,
}

impl Report {
    pub const fn new(scale: Scale) -> Self {
        let rows = Vec::new();
        Self { scale, rows }
    }

    /// Adds a row, and says so at once: a run takes minutes.
    pub fn add(&mut self, row: Row) {
        eprintln!("  {}: {}", row.name, row.unit.show(row.measured));
        self.rows.push(row);
    }

    pub fn print(&self) {
        let kind = if self.scale.quick {
            "quick run: sizes are too small to judge by"
        } else {
            "full run"
        };
        println!("\n{} ({kind})\n", machine());
        println!(
            "{:<50} {:>14} {:<32} {:>14} {:>6} {:>14}",
            "what", "measured", "  beside", "", "ratio", "target"
        );
        for row in &self.rows {
            let (name, value) = match &row.ceiling {
                Some((name, value)) => (format!("  {name}"), row.unit.show(*value)),
                None => (String::new(), String::new()),
            };
            let verdict = match row.is_met() {
                None => "",
                Some(true) => " met",
                Some(false) => " MISSED",
            };
            println!(
                "{:<50} {:>14} {:<32} {:>14} {:>6} {:>14}{verdict}",
                row.name,
                row.unit.show(row.measured),
                name,
                value,
                row.shown_score(),
                row.shown_target(),
            );
        }
    }

    pub fn write_json(&self, file: &str) {
        let rows: Vec<serde_json::Value> = self
            .rows
            .iter()
            .map(|row| {
                serde_json::json!({
                    "name": row.name,
                    "measured": row.measured,
                    "unit": row.unit.name(),
                    "beside": row.ceiling.as_ref().map(|(name, _)| name),
                    "ceiling": row.ceiling.as_ref().map(|(_, value)| value),
                    "ratio": row.ceiling.as_ref().map(|_| row.score()),
                    "met": row.is_met(),
                })
            })
            .collect();
        let whole =
            serde_json::json!({ "machine": machine(), "quick": self.scale.quick, "rows": rows });
        std::fs::write(file, format!("{whole:#}\n")).unwrap();
    }

    /// What is less than half as good, beside its ceiling, as the file says. Only ratios are
    /// compared: they carry over from machine to machine.
    pub fn halved(&self, file: &str) -> Vec<String> {
        let text = std::fs::read_to_string(file).unwrap();
        let before: serde_json::Value = serde_json::from_str(&text).unwrap();
        let ratio_before = |name: &str| {
            let rows = before["rows"].as_array()?;
            rows.iter().find(|row| row["name"] == name)?["ratio"].as_f64()
        };
        let mut sentences = Vec::new();
        for row in &self.rows {
            let (Some(target), Some(before)) = (row.target, ratio_before(&row.name)) else {
                continue;
            };
            let now = row.score();
            let halved = match target {
                Target::AtLeast(_) => now < before / 2.0,
                Target::AtMost(_) => now > before * 2.0,
            };
            if halved {
                sentences.push(format!(
                    "{}: the ratio is {now:.2}, it was {before:.2}",
                    row.name
                ));
            }
        }
        sentences
    }

    /// A bar for each row that has a ceiling and wants to come near it; a line for its target.
    pub fn write_svg(&self, file: &str) {
        const LEFT: usize = 360;
        const WIDTH: f64 = 420.0;
        const LINE: usize = 26;
        let mut bars = String::new();
        let mut y = 56;
        for row in &self.rows {
            let (Some(Target::AtLeast(least)), Some((beside, _))) = (row.target, &row.ceiling)
            else {
                continue;
            };
            // 1.0, or twice the target, is the whole width.
            let whole = if least > 1.0 { 2.0 * least } else { 1.0 };
            let length = WIDTH * (row.score() / whole).min(1.05);
            let mark = LEFT as f64 + WIDTH * least / whole;
            let color = if row.is_met() == Some(true) {
                "#2a7d4f"
            } else {
                "#b5482a"
            };
            let _ = writeln!(
                bars,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{LEFT}\" y=\"{}\" width=\"{length:.0}\" height=\"16\" fill=\"{color}\"/>\
                 <line x1=\"{mark:.0}\" x2=\"{mark:.0}\" y1=\"{}\" y2=\"{}\" stroke=\"#222\"/>\
                 <text x=\"{}\" y=\"{}\" fill=\"#555\">{:.2} of {beside}</text>",
                LEFT - 8,
                y + 13,
                row.name,
                y,
                y - 2,
                y + 18,
                LEFT as f64 + WIDTH + 30.0,
                y + 13,
                row.score(),
            );
            y += LINE;
        }
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1060\" height=\"{}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"8\" y=\"22\" font-size=\"16\">hookbox beside its ceilings (bar), and the target (line)</text>\n\
             <text x=\"8\" y=\"42\" fill=\"#555\">{}</text>\n{bars}</svg>\n",
            y + 10,
            machine(),
        );
        std::fs::write(file, svg).unwrap();
    }
}

/// The machine in a line.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores, SQLite {}", rusqlite::version())
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
