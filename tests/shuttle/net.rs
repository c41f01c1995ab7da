//! A transport whose requests are answered when the program says so.

use hookbox::model::FailureKind;
use hookbox::transport::{Request, Response, Transport, TransportError};
use shuttle::sync::{Condvar, Mutex};

use super::checks::Plant;

#[derive(Debug, Default)]
pub struct Net {
    wire: Mutex<Wire>,
    changed: Condvar,
    plant: Option<Plant>,
}

/// What has happened on the wire.
#[derive(Debug, Default)]
pub struct Wire {
    /// Requests wait for their answers until it is open.
    is_open: bool,
    is_broken: bool,
    /// The events of the requests that were begun, and of those that were accepted.
    pub begun: Vec<u64>,
    accepted: Vec<u64>,
}

impl Net {
    pub fn new(plant: Option<Plant>) -> Self {
        Self {
            plant,
            ..Self::default()
        }
    }

    /// Answers every request, from now on.
    pub fn open(&self) {
        self.change(|wire| {
            wire.is_open = true;
            wire.is_broken = false;
        });
    }

    /// Waits until it is so.
    pub fn until(&self, is_so: impl Fn(&Wire) -> bool) {
        let wire = self.wire.lock().unwrap();
        drop(self.changed.wait_while(wire, |wire| !is_so(wire)).unwrap());
    }

    pub fn accepted(&self) -> Vec<u64> {
        let mut accepted = self.wire.lock().unwrap().accepted.clone();
        accepted.sort_unstable();
        accepted
    }

    fn change(&self, change: impl FnOnce(&mut Wire)) {
        change(&mut self.wire.lock().unwrap());
        self.changed.notify_all();
    }
}

/// The number that a request brings: the event's payload.
fn number(request: &Request) -> u64 {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    body["data"].as_u64().unwrap()
}

impl Transport for Net {
    fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let event = number(request);
        self.change(|wire| wire.begun.push(event));
        let wire = self.wire.lock().unwrap();
        let waits = |wire: &mut Wire| !wire.is_open && !wire.is_broken;
        let mut wire = self.changed.wait_while(wire, waits).unwrap();
        if wire.is_broken {
            return Err(TransportError {
                kind: FailureKind::Reset,
                message: "broken".into(),
            });
        }
        wire.accepted.push(event);
        if self.plant == Some(Plant::SendsTwice) {
            wire.accepted.push(event);
        }
        drop(wire);
        self.changed.notify_all();
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
        })
    }

    fn shutdown(&self) {
        if self.plant != Some(Plant::NeverBreaks) {
            self.change(|wire| wire.is_broken = true);
        }
    }
}
