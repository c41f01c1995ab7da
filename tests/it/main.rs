//! Integration tests: one crate, so that they link once.
#![allow(missing_docs)]

#[cfg(feature = "http")]
mod addresses;
mod api;
mod api_keys;
mod batches;
mod conformance;
mod delivery;
mod durability;
mod emit;
mod engine;
mod fairness;
#[cfg(feature = "capi")]
mod header;
mod hygiene;
mod kv;
mod metrics;
mod owed;
mod pace;
#[cfg(feature = "postgres")]
mod postgres;
mod profiles;
#[cfg(feature = "redb")]
mod redb;
mod registry;
mod retention;
mod schema;
#[cfg(feature = "cli")]
mod serve;
#[cfg(feature = "cli")]
mod shell;
mod signing;
mod support;
#[cfg(feature = "http")]
mod transport;
