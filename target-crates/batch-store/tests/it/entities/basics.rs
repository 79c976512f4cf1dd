//! What a caller sees in ordinary use, and what is refused.

use batch_store::entities::{
    EFFECTS_BY_NAME, Effect, EntityStore, Filter, History, Options, Schema,
};
use batch_store::{Error, MemoryEngine};

use super::support::{ACCOUNTS, Account, BY_OWNER, Pool, Rows, checkpoints};

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome.unwrap_err() {
        Error::State { reason, .. } => reason,
        other => panic!("another error: {other:?}"),
    }
}

#[test]
fn an_entity_that_cannot_be_encoded_is_refused_when_it_is_set_and_costs_no_other() {
    let rows = Rows::default();
    let mut store = rows.open(100);
    store.set(1, &Account::new("good", "a", 1)).unwrap();
    let error = store
        .set(1, &Account::new("bad", "unencodable", 1))
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("\"bad\" of accounts"), "{text}");
    assert!(text.contains("the owner cannot be encoded"), "{text}");
    store.commit_batch(checkpoints([1]), History::On).unwrap();
    store.flush().unwrap();
    assert_eq!(store.count::<Account>().unwrap(), 1);
    assert_eq!(store.get::<Account>("bad").unwrap(), None);
}

#[test]
fn an_entity_that_cannot_be_decoded_names_its_table_and_id() {
    let rows = Rows::default();
    let mut store = rows.open(0);
    store.set(1, &Account::new("damaged", "a", 1)).unwrap();
    store.commit_batch(checkpoints([1]), History::Off).unwrap();
    store.flush().unwrap();
    rows.damage(ACCOUNTS);
    store.begin_batch().unwrap();
    let text = store.get::<Account>("damaged").unwrap_err().to_string();
    assert!(
        text.contains("accounts") && text.contains("\"damaged\""),
        "{text}"
    );
}

#[test]
fn checkpoints_that_do_not_grow_and_batches_without_any_are_refused() {
    let mut store = Rows::default().open(100);
    let account = Account::new("a", "o", 1);
    store.set(5, &account).unwrap();
    assert!(refusal(store.set(4, &account)).contains("checkpoint 4 is below 5"));
    assert!(refusal(store.delete::<Account>(4, "a")).contains("below 5"));
    assert!(refusal(store.commit_batch(Vec::new(), History::On)).contains("no checkpoint"));
    let falling = checkpoints([5, 5]);
    assert!(refusal(store.commit_batch(falling, History::On)).contains("5 is below 6"));
    assert_eq!(store.frontiers().processed, 0);
    store.commit_batch(checkpoints([5]), History::On).unwrap();
    assert!(refusal(store.set(5, &account)).contains("checkpoint 5 is below 6"));
    assert!(refusal(store.commit_batch(checkpoints([3]), History::On)).contains("3 is below 6"));
    assert!(refusal(store.prune(6)).contains("checkpoint 6 is above 5"));
    assert!(refusal(store.rollback(6)).contains("6 is not from 0 to 5"));
}

#[test]
fn a_rollback_below_what_the_history_reaches_is_refused() {
    let mut store = Rows::default().open(100);
    for (number, history) in [
        (1, History::On),
        (2, History::Off),
        (3, History::On),
        (4, History::On),
    ] {
        store
            .set(number, &Account::new("a", "o", number as i64))
            .unwrap();
        store.commit_batch(checkpoints([number]), history).unwrap();
    }
    assert!(refusal(store.rollback(1)).contains("1 is not from 2 to 4"));
    store.prune(3).unwrap();
    assert!(refusal(store.rollback(2)).contains("2 is not from 3 to 4"));
    let report = store.rollback(3).unwrap();
    assert_eq!((report.target, report.checkpoint), (3, 5));
    assert_eq!(report.tables[0].table, "accounts");
    assert_eq!(report.tables[0].restored, ["a"]);
    assert_eq!(store.get::<Account>("a").unwrap().unwrap().balance, 3);
}

#[test]
fn a_table_outside_the_schema_and_a_family_used_twice_are_refused() {
    let schema = Schema::new().with::<Pool>();
    let engine = || Box::new(MemoryEngine::new());
    let mut store = EntityStore::open(engine(), None, schema, Options::default()).unwrap();
    assert!(refusal(store.get::<Account>("a")).contains("accounts is not in the store's schema"));
    let twice = Schema::new().with::<Pool>().with::<Pool>();
    let outcome = EntityStore::open(engine(), None, twice, Options::default());
    assert!(refusal(outcome).contains("used twice"));
    let mut store = Rows::default().open(10);
    let wrong = Filter::equal(ACCOUNTS, "x");
    assert!(refusal(store.find::<Account>(&wrong)).contains("is no index of accounts"));
}

#[test]
fn checkpoint_numbers_go_on_over_a_restart_and_their_data_is_kept() {
    let rows = Rows::default();
    let mut store = rows.open(100);
    store
        .commit_batch(checkpoints([3, 7]), History::On)
        .unwrap();
    assert_eq!(store.close().unwrap().committed, 7);
    assert!(matches!(store.get::<Account>("a"), Err(Error::WriterGone)));
    let store = rows.open(100);
    assert_eq!(store.lowest_checkpoint(), 8);
    assert_eq!(store.checkpoint(3).unwrap().unwrap().data, b"block 3");
    assert_eq!(store.checkpoint(4).unwrap(), None);
}

#[test]
fn effects_outlive_a_rollback_and_are_counted_as_committed_rows() {
    let rows = Rows::default();
    let mut store = rows.open(100);
    store.commit_batch(checkpoints([1]), History::On).unwrap();
    store.set(2, &Account::new("a", "o", 1)).unwrap();
    store
        .set(2, &Effect::new("fetch", "url-1", b"one"))
        .unwrap();
    store
        .set(2, &Effect::new("fetchurl", "-1", b"another"))
        .unwrap();
    assert_eq!(store.count::<Effect>().unwrap(), 0, "not committed yet");
    store.commit_batch(checkpoints([2]), History::On).unwrap();
    store
        .set(3, &Effect::new("fetch", "url-2", b"two"))
        .unwrap();
    store.rollback(1).unwrap();
    store.commit_batch(Vec::new(), History::On).unwrap();
    store.flush().unwrap();
    assert_eq!(store.get::<Account>("a").unwrap(), None);
    assert_eq!(store.count::<Effect>().unwrap(), 3);
    store.close().unwrap();
    let mut store = rows.open(100);
    let found: Vec<Effect> = store
        .find(&Filter::equal(EFFECTS_BY_NAME, "fetch"))
        .unwrap();
    let outputs: Vec<_> = found
        .iter()
        .map(|effect| (effect.input(), &*effect.output))
        .collect();
    assert_eq!(outputs, [("url-1", &b"one"[..]), ("url-2", &b"two"[..])]);
    let id = Effect::id_of("fetchurl", "-1");
    assert_eq!(
        store.get::<Effect>(&id).unwrap().unwrap().output,
        b"another"
    );
}

/// Invariant 31.
#[test]
fn invariant_31_the_effect_count_is_that_of_committed_rows_after_a_failed_write() {
    let (rows, gate) = (Rows::default(), super::support::Gate::default());
    gate.open();
    let mut store = rows.open_gated(&gate, 100);
    store.set(1, &Effect::new("fetch", "a", b"1")).unwrap();
    store.commit_batch(checkpoints([1]), History::On).unwrap();
    store.flush().unwrap();
    gate.fail_next(super::support::Fault::Refused);
    store.set(2, &Effect::new("fetch", "b", b"2")).unwrap();
    store.commit_batch(checkpoints([2]), History::On).unwrap();
    store.flush().unwrap_err();
    assert_eq!(rows.open(10).count::<Effect>().unwrap(), 1);
}

#[test]
fn a_filter_that_is_not_in_memory_is_read_from_storage_and_then_kept_right() {
    let rows = Rows::default();
    let mut store = rows.open(0);
    for (number, owner) in [("a", "x"), ("b", "y"), ("c", "x")] {
        store.set(1, &Account::new(number, owner, 1)).unwrap();
    }
    store.commit_batch(checkpoints([1]), History::Off).unwrap();
    store.flush().unwrap();
    store.begin_batch().unwrap();
    let of_x = Filter::equal(BY_OWNER, "x");
    assert_eq!(
        (store.resident(), store.has_filter::<Account>(&of_x)),
        (0, false)
    );
    let ids = |store: &mut EntityStore| -> Vec<String> {
        let found: Vec<Account> = store.find(&of_x).unwrap();
        found.into_iter().map(|account| account.id).collect()
    };
    assert_eq!(ids(&mut store), ["a", "c"]);
    assert_eq!(
        store.resident(),
        2 + 1 + 2,
        "two entities, a filter and its ids"
    );
    store.set(2, &Account::new("b", "x", 1)).unwrap();
    store.set(2, &Account::new("a", "y", 1)).unwrap();
    store.delete::<Account>(2, "c").unwrap();
    assert_eq!(ids(&mut store), ["b"]);
}

#[test]
fn the_last_checkpoint_number_is_refused_as_none_could_follow_it() {
    let mut store = Rows::default().open(100);
    let account = Account::new("a", "o", 1);
    store.set(u64::MAX, &account).unwrap();
    let outcome = store.commit_batch(checkpoints([u64::MAX]), History::On);
    assert!(refusal(outcome).contains("no checkpoint could follow"));
    assert_eq!(store.frontiers().processed, 0);
}
