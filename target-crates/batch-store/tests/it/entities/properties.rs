//! Whole histories of use, against the naive model.

use batch_store::entities::{EntityStore, History, Options};
use batch_store::{MemoryEngine, SqliteEngine};
use proptest::collection::vec;
use proptest::prelude::*;

use super::model::Run;
use super::steps::{Step, step};
use super::support::{Account, schema};
use crate::support::cases;

fn drive(capacity: usize, steps: &[Step]) -> Run {
    let mut run = Run::gated(capacity);
    for step in steps {
        run.step(step);
        run.check();
    }
    run
}

/// Rolls copies of the storage back to every checkpoint that is still promised.
fn check_every_rollback(run: &mut Run) {
    run.flush();
    if run.model.pending.is_some() {
        return;
    }
    let committed = run.store.frontiers().committed;
    for target in run.model.floor..=committed {
        let rows = run.rows().fork();
        let mut store = rows.open(1000);
        store.rollback(target).unwrap();
        let expected = run.model.at(target);
        for (id, account) in &expected {
            assert_eq!(
                store.get(id).unwrap().as_ref(),
                Some(account),
                "at {target}"
            );
        }
        store.commit_batch(Vec::new(), History::On).unwrap();
        store.close().unwrap();
        let count = rows.open(1000).count::<Account>().unwrap();
        assert_eq!(count, expected.len() as u64, "rows at {target}");
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn invariant_37_the_persisted_history_is_every_distinct_change_once(
        steps in vec(step(), 1..60),
    ) {
        // `Run::check` compares the versions in storage with the model's after each step.
        let mut run = drive(1000, &steps);
        run.flush();
    }

    #[test]
    fn invariant_38_merged_writes_equal_separate_writes(
        steps in vec(step(), 1..60),
    ) {
        let mut merged = drive(1000, &steps);
        merged.flush();
        let mut separate = Run::gated(1000);
        for step in &steps {
            separate.step(step);
            separate.flush();
        }
        prop_assert_eq!(merged.rows().map(), separate.rows().map());
    }

    #[test]
    fn invariant_40_eviction_never_changes_what_is_read(
        capacity in 0..12_usize,
        steps in vec(prop_oneof![3 => step(), 1 => Just(Step::Begin)], 1..60),
    ) {
        let mut run = Run::gated(capacity);
        for step in &steps {
            run.step(step);
            if matches!(step, Step::Begin | Step::Release) {
                run.check_reads();
            }
        }
    }

    #[test]
    fn invariant_43_a_rollback_is_a_run_that_stopped_there(
        steps in vec(prop_oneof![6 => step(), 1 => any::<u8>().prop_map(Step::Rollback)], 1..60),
    ) {
        let mut run = drive(1000, &steps);
        run.check_reads();
        check_every_rollback(&mut run);
    }

    #[test]
    fn invariant_43_a_replay_after_a_rollback_equals_a_run_without_it(
        before in vec(step(), 1..30),
        undone in vec(step(), 1..30),
        replayed in vec(step(), 1..30),
    ) {
        let plain = |steps: &[Step]| -> Vec<Step> {
            let no_way_back = |step: &&Step| {
                !matches!(step, Step::Rollback(_) | Step::Prune(_) | Step::Commit { on: false, .. })
            };
            let steps = steps.iter().filter(no_way_back).cloned();
            let handed_over = [Step::Commit { on: true, partial: false }, Step::Flush];
            steps.chain(handed_over).collect()
        };
        let (before, undone, replayed) = (plain(&before), plain(&undone), plain(&replayed));
        let mut with = drive(1000, &before);
        let target = with.model.processed;
        undone.iter().for_each(|step| with.step(step));
        with.store.rollback(target).unwrap();
        with.model.rollback(target);
        replayed.iter().for_each(|step| with.step(step));
        let mut without = drive(1000, &before);
        replayed.iter().for_each(|step| without.step(step));
        prop_assert_eq!(with.model.now(), without.model.now());
        with.flush();
        without.flush();
        let rows = |run: &Run| run.model.batches[&run.model.processed].rows.clone();
        prop_assert_eq!(rows(&with), rows(&without));
    }

    #[test]
    fn invariant_46_a_prune_keeps_what_any_rollback_above_it_needs(
        steps in vec(prop_oneof![4 => step(), 1 => any::<u8>().prop_map(Step::Prune)], 1..60),
    ) {
        let mut run = drive(1000, &steps);
        check_every_rollback(&mut run);
    }

    #[test]
    fn a_crash_at_any_step_leaves_a_store_that_opens_at_its_committed_frontier(
        steps in vec(step(), 1..40),
    ) {
        let mut run = Run::gated(1000);
        for step in &steps {
            run.step(step);
            let committed = run.store.frontiers().committed;
            let mut reopened = run.rows().fork().open(1000);
            let frontiers = reopened.frontiers();
            prop_assert_eq!((frontiers.committed, frontiers.processed), (committed, committed));
            for (id, account) in &run.model.batches[&committed].rows {
                let found: Option<Account> = reopened.get(id).unwrap();
                prop_assert_eq!(found.as_ref(), Some(account));
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(20))]

    #[test]
    fn every_engine_gives_the_same_store(steps in vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e.db");
        let options = Options { capacity: 5, ..Options::default() };
        let memory = Box::new(MemoryEngine::new());
        let stores = [
            EntityStore::open(memory, None, schema(), options).unwrap(),
            EntityStore::open_sqlite(&path, schema(), options).unwrap(),
        ];
        let mut states = Vec::new();
        for store in stores {
            let mut run = Run::over(store);
            steps.iter().for_each(|step| run.step(step));
            run.check_reads();
            run.flush();
            let counts = (
                run.store.count::<Account>().unwrap(),
                run.store.count_versions().unwrap(),
            );
            run.store.close().unwrap();
            states.push(counts);
        }
        prop_assert_eq!(states[0], states[1]);
        let mut rows = Run::gated(5);
        steps.iter().for_each(|step| rows.step(step));
        rows.flush();
        let reader = SqliteEngine::open_read_only(&path).unwrap();
        for family in schema().families() {
            let stored = crate::support::rows(&reader, family);
            let map = rows.rows().map().into_iter();
            let expected: Vec<_> = map
                .filter(|((name, _), _)| *name == family.name())
                .map(|((_, key), value)| (key, value))
                .collect();
            prop_assert_eq!(stored, expected, "{}", family.name());
        }
    }
}
