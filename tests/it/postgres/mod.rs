//! PostgreSQL.
//!
//! Goal: what SQLite gets from having one writer holds here too, with any number of them: the same
//! semantics, nothing lost and nothing twice, whoever holds a transaction open, dies or restarts.
//! Method: schemas in a real server, transactions interleaved by hand, threads that race, and
//! processes that are killed. The tests of the whole box run over PostgreSQL as well: see `tests/run`.

mod emit;
mod fleet;
mod routing;
mod server;
mod upkeep;
