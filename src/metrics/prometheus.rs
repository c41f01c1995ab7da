//! The numbers as text: Prometheus' exposition format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::Write as _;
use std::time::Duration;

use super::Buckets;

/// What a metric does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows, until the process ends.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A text in the making. A host can add metrics of its own to hookbox's.
#[derive(Debug, Clone, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// The `Content-Type` of the text.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// An empty text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a metric of one number. A name is `[a-zA-Z_:][a-zA-Z0-9_:]*` and comes once; units are in it.
    pub fn add(&mut self, name: &str, help: &str, kind: MetricKind, value: u64) {
        self.head(name, help, kind.as_str());
        self.sample(name, "", value);
    }

    /// Adds a metric of a number for each value of one label. The label's name is
    /// `[a-zA-Z_][a-zA-Z0-9_]*`; its values may be anything.
    pub fn add_labelled(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricKind,
        label: &str,
        values: &[(&str, u64)],
    ) {
        self.head(name, help, kind.as_str());
        for (of, value) in values {
            self.sample(
                name,
                &format!("{{{label}=\"{}\"}}", escape_label(of)),
                value,
            );
        }
    }

    /// Adds a histogram of spans, in seconds.
    pub fn add_histogram(&mut self, name: &str, help: &str, buckets: &Buckets) {
        self.head(name, help, "histogram");
        self.buckets(name, "", buckets);
    }

    /// Adds a histogram for each value of one label.
    pub fn add_histograms(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        histograms: &[(&str, &Buckets)],
    ) {
        self.head(name, help, "histogram");
        for (of, buckets) in histograms {
            self.buckets(name, &format!("{label}=\"{}\"", escape_label(of)), buckets);
        }
    }

    /// The text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        self.line(format_args!("{name}{labels} {value}"));
    }

    fn buckets(&mut self, name: &str, label: &str, buckets: &Buckets) {
        let before = if label.is_empty() { "" } else { "," };
        let bounds = buckets
            .up_to
            .iter()
            .map(|(bound, count)| (seconds(*bound), count));
        for (bound, count) in bounds.chain([("+Inf".to_owned(), &buckets.count)]) {
            let labels = format!("{{{label}{before}le=\"{bound}\"}}");
            self.sample(&format!("{name}_bucket"), &labels, count);
        }
        let labels = if label.is_empty() {
            String::new()
        } else {
            format!("{{{label}}}")
        };
        self.sample(&format!("{name}_sum"), &labels, seconds(buckets.sum));
        self.sample(&format!("{name}_count"), &labels, buckets.count);
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

impl MetricKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// As a decimal number, exactly: no float rounds it.
fn seconds(span: Duration) -> String {
    let text = format!("{}.{:06}", span.as_secs(), span.subsec_micros());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escape_label(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_exact_decimal_seconds() {
        let text = |micros| seconds(Duration::from_micros(micros));
        assert_eq!(text(0), "0");
        assert_eq!(text(100), "0.0001");
        assert_eq!(text(2_500_000), "2.5");
        assert_eq!(text(86_400_000_000), "86400");
    }

    #[test]
    fn a_text_is_as_the_format_says() {
        let mut text = Exposition::new();
        text.add("a_total", "back\\slash\nline", MetricKind::Counter, 3);
        let values = [("x\"y\\z\n", 1)];
        text.add_labelled("b", "B.", MetricKind::Gauge, "of", &values);
        let buckets = Buckets {
            up_to: vec![(Duration::from_millis(5), 1)],
            count: 2,
            sum: Duration::from_millis(1500),
        };
        text.add_histogram("c_seconds", "C.", &buckets);
        text.add_histograms("d_seconds", "D.", "of", &[("e", &buckets)]);
        let expected = r#"# HELP a_total back\\slash\nline
# TYPE a_total counter
a_total 3
# HELP b B.
# TYPE b gauge
b{of="x\"y\\z\n"} 1
# HELP c_seconds C.
# TYPE c_seconds histogram
c_seconds_bucket{le="0.005"} 1
c_seconds_bucket{le="+Inf"} 2
c_seconds_sum 1.5
c_seconds_count 2
# HELP d_seconds D.
# TYPE d_seconds histogram
d_seconds_bucket{of="e",le="0.005"} 1
d_seconds_bucket{of="e",le="+Inf"} 2
d_seconds_sum{of="e"} 1.5
d_seconds_count{of="e"} 2
"#;
        assert_eq!(text.into_text(), expected);
    }
}
