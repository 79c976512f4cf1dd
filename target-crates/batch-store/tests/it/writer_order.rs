//! Any requests, on any schedule, under any failures: what is stored is the fold
//! of the requests that were not reported lost, in order.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use batch_store::{Ack, Coalesce, Error, OnError, Policy, Stage, Ticket, Writer};
use proptest::prelude::*;

use crate::support::{Counter, Rig, cases, counter, patient};

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u64),
    Delete(u8),
    /// Depends on what was there, and on the order: a missing row stays missing.
    Mix(u8, u64),
    /// Rewrites a row as it is.
    Touch(u8),
    Clear,
    /// Puts two rows from one, deletes the one.
    Split(u8),
    /// Puts a row, then fails.
    Fail(u8),
    Flush,
    Barrier,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6_u8, 0..1000_u64).prop_map(|(key, value)| Step::Put(key, value)),
        2 => (0..6_u8).prop_map(Step::Delete),
        6 => (0..6_u8, 0..1000_u64).prop_map(|(key, value)| Step::Mix(key, value)),
        1 => (0..6_u8).prop_map(Step::Touch),
        1 => Just(Step::Clear),
        2 => (0..6_u8).prop_map(Step::Split),
        1 => (0..6_u8).prop_map(Step::Fail),
        1 => Just(Step::Flush),
        1 => Just(Step::Barrier),
    ]
}

fn level() -> impl Strategy<Value = Ack> {
    prop_oneof![
        Just(Ack::Enqueued),
        Just(Ack::Applied),
        Just(Ack::Committed),
        Just(Ack::Synced)
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let limits = (1..20_usize, 1..20_usize, 1..40_usize, 30..400_usize);
    (limits, any::<bool>(), any::<bool>()).prop_map(
        |((ops, max_batch, items, bytes), idle, coalesces)| {
            let mut policy = patient();
            policy.flush_when.idle = idle;
            policy.flush_when.ops = ops;
            policy.flush_when.bytes = bytes;
            policy.coalesce = if coalesces {
                Coalesce::ByKey
            } else {
                Coalesce::None
            };
            Policy {
                max_batch,
                queue_items: items,
                queue_bytes: 1000,
                ..policy
            }
        },
    )
}

fn name(producer: usize, key: u8) -> String {
    format!("p{producer}-{key}")
}

fn mixed(old: u64, value: u64) -> u64 {
    old.wrapping_mul(31).wrapping_add(value) % 1_000_000_007
}

/// What the step does to the rows; false when it fails.
fn fold(rows: &mut BTreeMap<String, u64>, producer: usize, step: &Step) -> bool {
    match step {
        Step::Put(key, value) => drop(rows.insert(name(producer, *key), *value)),
        Step::Delete(key) => drop(rows.remove(&name(producer, *key))),
        Step::Mix(key, value) => {
            let row = rows.get_mut(&name(producer, *key));
            row.into_iter().for_each(|old| *old = mixed(*old, *value));
        }
        Step::Clear => rows.retain(|key, _| !key.starts_with(&format!("p{producer}-"))),
        Step::Split(key) => {
            if let Some(value) = rows.remove(&name(producer, *key)) {
                rows.insert(name(producer, key + 1), value / 2);
                rows.insert(name(producer, key + 2), value - value / 2);
            }
        }
        Step::Fail(_) => return false,
        Step::Touch(_) | Step::Flush | Step::Barrier => {}
    }
    true
}

fn split(stage: &mut Stage<'_>, producer: usize, key: u8) -> batch_store::Result<usize> {
    let from = name(producer, key).into_bytes();
    let Some(row) = stage.get::<Counter>(&from)? else {
        return Ok(1);
    };
    stage.delete::<Counter>(&from)?;
    stage.put(&counter(&name(producer, key + 1), row.value / 2))?;
    stage.put(&counter(
        &name(producer, key + 2),
        row.value - row.value / 2,
    ))?;
    Ok(1)
}

fn submit(writer: &Writer, producer: usize, step: &Step, level: Ack) -> Option<Ticket> {
    let key_of = |key: u8| name(producer, key).into_bytes();
    let ticket = match step.clone() {
        Step::Put(key, value) => writer.put(counter(&name(producer, key), value), level),
        Step::Delete(key) => writer.delete::<Counter>(key_of(key), level),
        Step::Touch(key) => writer.merge(key_of(key), |row: Counter| Ok(Some(row)), level),
        Step::Mix(key, value) => {
            let mix = move |row: Counter| Ok(Some(counter(&row.key, mixed(row.value, value))));
            writer.merge(key_of(key), mix, level)
        }
        Step::Clear => {
            let prefix = format!("p{producer}-").into_bytes();
            let clear = move |stage: &mut Stage<'_>| stage.clear::<Counter>(&prefix).map(|_| 1);
            writer.submit_with(Box::new(clear), level)
        }
        Step::Split(key) => {
            writer.submit_with(Box::new(move |stage| split(stage, producer, key)), level)
        }
        Step::Fail(key) => {
            let fail = move |stage: &mut Stage<'_>| {
                stage.delete::<Counter>(&name(producer, key).into_bytes())?;
                stage.put(&counter(&name(producer, key + 1), 77))?;
                stage
                    .put(&counter(&name(producer, key), u64::MAX))
                    .map(|()| 1)
            };
            writer.submit_with(Box::new(fail), level)
        }
        Step::Flush => {
            writer.flush();
            return None;
        }
        Step::Barrier => {
            // Its own outcome is that of the requests, whose tickets tell.
            writer.barrier(level).ok();
            return None;
        }
    };
    Some(ticket.unwrap())
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn invariant_01_10_11_the_state_is_the_fold_of_the_requests_for_any_batches(
        steps in proptest::collection::vec((step(), level()), 0..120), policy in any_policy(),
    ) {
        let rig = Rig::new(policy);
        let mut model = BTreeMap::new();
        for (step, level) in &steps {
            let fits = fold(&mut model, 0, step);
            let ticket = submit(&rig.writer, 0, step, *level);
            if *level > Ack::Enqueued && let Some(ticket) = ticket && *level < Ack::Committed {
                prop_assert_eq!(ticket.poll().unwrap().is_ok(), fits, "{:?}", step);
            }
        }
        rig.writer.close().unwrap();
        prop_assert_eq!(rig.counters(), model);
    }

    #[test]
    fn invariant_08_a_request_that_fails_midway_leaves_nothing_of_itself(
        before in 0..100_u64, key in 0..6_u8, level in level(),
    ) {
        let rig = Rig::new(patient());
        rig.writer.put(counter(&name(0, key), before), Ack::Applied).unwrap();
        let bad = submit(&rig.writer, 0, &Step::Fail(key), level).unwrap();
        let outcome = bad.wait();
        let is_told = matches!(outcome, Err(Error::Encode { .. }));
        prop_assert_eq!(is_told, level > Ack::Enqueued, "{:?}", outcome);
        let report = rig.writer.close().unwrap();
        prop_assert_eq!((report.committed_ops, report.refused), (1, 1));
        prop_assert_eq!(rig.counters(), BTreeMap::from([(name(0, key), before)]));
    }

    #[test]
    fn invariant_16_every_producer_keeps_its_order(
        steps in proptest::collection::vec(proptest::collection::vec((step(), level()), 0..40), 3),
        policy in any_policy(),
    ) {
        let rig = Rig::new(policy);
        std::thread::scope(|scope| {
            for (producer, steps) in steps.iter().enumerate() {
                let writer = &rig.writer;
                scope.spawn(move || {
                    for (step, level) in steps {
                        drop(submit(writer, producer, step, *level));
                    }
                });
            }
        });
        rig.writer.close().unwrap();
        let mut model = BTreeMap::new();
        for (producer, steps) in steps.iter().enumerate() {
            for (step, _) in steps {
                fold(&mut model, producer, step);
            }
        }
        prop_assert_eq!(rig.counters(), model);
    }

    #[test]
    fn invariant_05_07_a_lost_batch_takes_nothing_with_it_and_leaves_nothing_behind(
        first in proptest::collection::vec(step(), 1..20),
        under_way in proptest::collection::vec(step(), 1..20),
        then in proptest::collection::vec(step(), 1..20),
        fault in 0..5_usize, coalesces in any::<bool>(),
    ) {
        let coalesce = if coalesces { Coalesce::ByKey } else { Coalesce::None };
        let on_error = if fault == 4 { OnError::Bisect } else { OnError::DropBatch };
        let rig = Rig::new(Policy { coalesce, on_error, ..patient() });
        let faults = &rig.faults;
        let is_request = |step: &&Step| !matches!(step, Step::Flush | Step::Barrier);
        let run = |steps: &[Step]| -> Vec<(Step, Ticket)> {
            let requests = steps.iter().filter(is_request);
            requests.map(|step| (step.clone(), submit(&rig.writer, 0, step, Ack::Committed).unwrap())).collect()
        };
        let mut tickets = run(&first);
        rig.writer.barrier(Ack::Committed).unwrap();
        let next = faults.commits.load(Ordering::SeqCst) + 1;
        faults.hold();
        tickets.extend(run(&under_way));
        rig.writer.flush();
        // A batch without operations makes no commit, and so nothing to hold.
        let is_held = rig.writer.queued().1 > 0;
        if is_held {
            faults.await_held();
        }
        match fault {
            0 => {}
            1 => faults.fail_commit.store(next, Ordering::SeqCst),
            2 => faults.doubt_commit.store(next, Ordering::SeqCst),
            3 => faults.doubt_lost_commit.store(next, Ordering::SeqCst),
            _ => drop(faults.poison_keys.lock().unwrap().insert(name(0, 1).into_bytes())),
        }
        // Reads of rows that the batch under way does not have wait for the
        // engine, so the gate opens once the first of these is on its way.
        faults.release();
        tickets.extend(run(&then));
        rig.writer.barrier(Ack::Committed).ok();
        faults.poison_keys.lock().unwrap().clear();
        let mut model = BTreeMap::new();
        for (step, ticket) in &tickets {
            let is_stored = match ticket.wait() {
                Ok(()) => true,
                Err(Error::Indeterminate { .. }) => fault == 2,
                Err(_) => false,
            };
            if is_stored {
                prop_assert!(fold(&mut model, 0, step));
            }
        }
        prop_assert_eq!(rig.counters(), model);
        let failed = rig.writer.frontier().failed;
        prop_assert_eq!(failed > 0, tickets.iter().any(|(step, ticket)| {
            !matches!(step, Step::Fail(_)) && ticket.wait().is_err()
        }));
    }
}
