//! A strict reader of Prometheus' text format 0.0.4: what it does not expect, it panics at.

use std::collections::BTreeMap;

type Labels = BTreeMap<String, String>;

/// The metrics of a text.
#[derive(Debug)]
pub struct Exposed {
    families: BTreeMap<String, Family>,
}

#[derive(Debug)]
struct Family {
    kind: String,
    samples: Vec<(String, Labels, f64)>,
}

impl Exposed {
    #[track_caller]
    pub fn read(text: &str) -> Self {
        assert!(text.ends_with('\n') && !text.contains('\r'), "{text:?}");
        let mut families = BTreeMap::new();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let (name, help) = line
                .strip_prefix("# HELP ")
                .and_then(|rest| rest.split_once(' '))
                .unwrap_or_else(|| panic!("HELP first: {line:?}"));
            assert!(is_name(name) && name.starts_with("hookbox_"), "{line}");
            assert!(!help.is_empty());
            let kind = lines
                .next()
                .and_then(|line| line.strip_prefix(&format!("# TYPE {name} ")))
                .unwrap_or_else(|| panic!("TYPE after HELP of {name}"));
            let mut samples = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                samples.push(sample(line));
            }
            let family = Family {
                kind: kind.to_owned(),
                samples,
            };
            family.check(name);
            let before = families.insert(name.to_owned(), family);
            assert!(before.is_none(), "{name} comes twice");
        }
        Self { families }
    }

    /// The sample of this name with exactly these labels.
    #[track_caller]
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut all = self.families.values().flat_map(|family| &family.samples);
        let found = all.find(|(of, with, _)| of == name && *with == labels);
        let found = found.unwrap_or_else(|| panic!("no {name} {labels:?} in {self:?}"));
        found.2
    }

    pub fn has(&self, name: &str) -> bool {
        self.families.contains_key(name)
    }
}

impl Family {
    fn check(&self, name: &str) {
        assert!(!self.samples.is_empty(), "{name} has no sample");
        let mut seen = Vec::new();
        for (of, labels, value) in &self.samples {
            assert!(!seen.contains(&(of, labels)), "{of} {labels:?} comes twice");
            seen.push((of, labels));
            assert!(*value >= 0.0, "{of}");
        }
        match self.kind.as_str() {
            "counter" => assert!(name.ends_with("_total"), "{name}"),
            "gauge" => assert!(!name.ends_with("_total"), "{name}"),
            "histogram" => return self.check_histogram(name),
            other => panic!("{name}: {other}"),
        }
        assert!(self.samples.iter().all(|(of, ..)| of == name));
    }

    fn check_histogram(&self, name: &str) {
        let mut series = BTreeMap::<Labels, Vec<(f64, f64)>>::new();
        for (of, labels, value) in &self.samples {
            let mut rest = labels.clone();
            match of.strip_prefix(name).unwrap() {
                "_bucket" => {
                    let bound = match rest.remove("le").unwrap().as_str() {
                        "+Inf" => f64::INFINITY,
                        number => number.parse().unwrap(),
                    };
                    series.entry(rest).or_default().push((bound, *value));
                }
                "_sum" | "_count" => assert!(!labels.contains_key("le")),
                other => panic!("{name}{other}"),
            }
        }
        for (labels, buckets) in series {
            assert!(
                buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
                "{name}"
            );
            let (last, all) = buckets.last().unwrap();
            assert!(last.is_infinite(), "{name} has no +Inf");
            let of_all = |suffix: &str| {
                let full = format!("{name}{suffix}");
                let found = self
                    .samples
                    .iter()
                    .find(|(of, with, _)| *of == full && *with == labels);
                found.unwrap_or_else(|| panic!("{full} {labels:?}")).2
            };
            assert!((of_all("_count") - all).abs() < f64::EPSILON, "{name}");
            assert!(of_all("_sum") >= 0.0);
        }
    }
}

fn is_name(text: &str) -> bool {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(is_start) && text.chars().all(|c| is_start(c) || c.is_ascii_digit())
}

fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line:?}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            let (value, after) = label_value(after);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => {
                    rest = after.strip_prefix('}').unwrap_or_else(|| panic!("{line}"));
                    break;
                }
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    assert!(!value.contains(' '), "{line}");
    (name.to_owned(), labels, value.parse().unwrap())
}

/// The value up to its closing quote, and what is behind that.
fn label_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => match letters.next().unwrap().1 {
                'n' => value.push('\n'),
                other @ ('\\' | '"') => value.push(other),
                other => panic!("escaped {other}"),
            },
            other => value.push(other),
        }
    }
    panic!("unclosed {text:?}")
}
