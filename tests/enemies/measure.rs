//! What a process uses, as Linux says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Memory and threads at one moment; zeros where there is no `/proc`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub rss_kib: u64,
    pub threads: u64,
}

/// Of this process.
pub fn usage() -> Usage {
    usage_of(std::process::id())
}

/// Of any.
pub fn usage_of(process: u32) -> Usage {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or_default()
    };
    Usage {
        rss_kib: number("VmRSS:"),
        threads: number("Threads:"),
    }
}

/// The most that was seen, and what there was at first.
#[derive(Debug, Clone, Copy)]
pub struct Peak {
    pub first: Usage,
    pub rss_kib: u64,
    pub threads: u64,
}

impl Peak {
    pub fn print(&self, name: &str) {
        println!(
            "  {name:<9} at most {:>4} MiB resident, {:>4} threads",
            self.rss_kib / 1024,
            self.threads
        );
    }
}

/// Looks every few milliseconds.
pub struct Sampler {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Peak>,
}

impl Sampler {
    pub fn start() -> Self {
        let ended = Arc::<AtomicBool>::default();
        let of_thread = ended.clone();
        let thread = std::thread::spawn(move || {
            let first = usage();
            let mut peak = Peak {
                first,
                rss_kib: first.rss_kib,
                threads: first.threads,
            };
            while !of_thread.load(Ordering::SeqCst) {
                let now = usage();
                peak.rss_kib = peak.rss_kib.max(now.rss_kib);
                peak.threads = peak.threads.max(now.threads);
                std::thread::sleep(Duration::from_millis(20));
            }
            peak
        });
        Self { ended, thread }
    }

    pub fn end(self) -> Peak {
        self.ended.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}
