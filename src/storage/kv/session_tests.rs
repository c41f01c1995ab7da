//! Parts and transactions of each store, against a plain map.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;

use super::super::MemoryStore;
use super::super::keys::everything;
use super::super::store::KeyValue;
use super::*;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug, Clone)]
enum Op {
    Put(u8, u8),
    Delete(u8),
    /// A part that is kept, undone, or panics.
    Part(Vec<Op>, End),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Keep,
    Undo,
    Panic,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        (1..6u8, any::<u8>()).prop_map(|(key, value)| Op::Put(key, value)),
        (1..6u8).prop_map(Op::Delete),
    ];
    let op = op.prop_recursive(3, 30, 6, |inner| {
        let end = prop_oneof![
            3 => Just(End::Keep),
            2 => Just(End::Undo),
            1 => Just(End::Panic)
        ];
        (prop::collection::vec(inner, 0..6), end).prop_map(|(ops, end)| Op::Part(ops, end))
    });
    prop::collection::vec(op, 0..12)
}

/// What is unwound with: a panic without its message on the terminal.
fn unwind() -> ! {
    std::panic::resume_unwind(Box::new("on demand"))
}

fn apply(tables: &KvTables<'_>, model: &mut Model, ops: &[Op]) {
    for op in ops {
        match op {
            Op::Put(key, value) => {
                tables.put(&Key(vec![*key]), &[*value]).unwrap();
                model.insert(vec![*key], vec![*value]);
            }
            Op::Delete(key) => {
                tables.delete(&Key(vec![*key])).unwrap();
                model.remove(&vec![*key]);
            }
            Op::Part(ops, end) => {
                let before = model.clone();
                let part = &mut || {
                    // As the commit queue does: a panic of a job is one that failed. A part inside
                    // a part that panics is not caught where it is.
                    let done = catch_unwind(AssertUnwindSafe(|| {
                        let inner = &mut || {
                            apply(tables, model, ops);
                            if *end == End::Panic {
                                unwind();
                            }
                            true
                        };
                        tables.part(inner).unwrap();
                    }));
                    done.is_ok() && *end == End::Keep
                };
                tables.part(part).unwrap();
                if *end != End::Keep {
                    *model = before;
                }
            }
        }
        assert_eq!(read(tables), *model);
    }
}

fn read(tables: &KvTables<'_>) -> Model {
    let pair = |key: &[u8], value: &[u8]| Ok(Some((key.to_vec(), value.to_vec())));
    let forwards = tables
        .collect(&everything(), false, usize::MAX, pair)
        .unwrap();
    let mut backwards = tables
        .collect(&everything(), true, usize::MAX, pair)
        .unwrap();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    forwards.into_iter().collect()
}

fn hold_against_a_map(store: &dyn KeyValue, histories: &[(Vec<Op>, bool)]) {
    let mut model = Model::new();
    for (ops, commit) in histories {
        let mut changed = model.clone();
        let tables = KvTables::new(store.begin(true).unwrap());
        apply(&tables, &mut changed, ops);
        if *commit {
            tables.into_inner().commit().unwrap();
            model = changed;
        } else {
            tables.into_inner().rollback();
        }
        let tables = KvTables::new(store.begin(false).unwrap());
        assert_eq!(read(&tables), model);
        assert_eq!(tables.put(&Key(vec![1]), &[]), Err(Error::ReadOnly));
    }
}

fn histories() -> impl Strategy<Value = Vec<(Vec<Op>, bool)>> {
    prop::collection::vec((ops(), any::<bool>()), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_is_a_map_with_transactions(histories in histories()) {
        let store = MemoryStore::new();
        hold_against_a_map(&store, &histories);
        let kept = read(&KvTables::new(store.begin(false).unwrap()));
        let bytes: usize = kept.iter().map(|(key, value)| key.len() + value.len()).sum();
        prop_assert_eq!(store.bytes().unwrap(), bytes as u64);
    }
}

#[cfg(feature = "redb")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redb_is_a_map_with_transactions(histories in histories()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.redb");
        let store = super::super::RedbStore::open(&path).unwrap();
        hold_against_a_map(&store, &histories);
        let kept = read(&KvTables::new(store.begin(false).unwrap()));
        drop(store);
        let again = super::super::RedbStore::open(&path).unwrap();
        prop_assert_eq!(read(&KvTables::new(again.begin(false).unwrap())), kept);
    }
}

#[test]
fn a_transaction_that_is_dropped_in_a_panic_wrote_nothing() {
    let store = MemoryStore::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let tables = KvTables::new(store.begin(true).unwrap());
        tables.put(&Key(vec![1]), &[1]).unwrap();
        unwind();
    }));
    assert!(panicked.is_err());
    assert!(read(&KvTables::new(store.begin(false).unwrap())).is_empty());
    // The lock that the panic poisoned still serves.
    let tables = KvTables::new(store.begin(true).unwrap());
    tables.put(&Key(vec![1]), &[2]).unwrap();
    tables.into_inner().commit().unwrap();
    assert_eq!(store.bytes().unwrap(), 2);
}
