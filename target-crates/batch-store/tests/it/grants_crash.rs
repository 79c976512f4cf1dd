//! The session when its process is killed, or the machine loses power, at any
//! step: unfinished and resumable, or finished and complete.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use batch_store::disk::sim::{Fault, SimDisk};
use batch_store::disk::{Disk, RealDisk};
use batch_store::grants::{DurableEvery, Grant, GrantReader, GrantSession, SealedSession};
use batch_store::{EngineKind, Result, SegmentEngine};

use crate::hooked::{FAMILIES, Hooked, shared, small_loads};
use crate::support::{all_pages, check_indexes, check_session, child, child_dir, some_grants};

/// What the child does, call by call, and what is stored after each.
enum Step {
    Put(Vec<Grant>),
    Delete(Vec<String>),
}

fn steps() -> Vec<Step> {
    let mut moved = some_grants(600).split_off(200);
    for grant in &mut moved {
        grant.entitlement.entitlement = "moved".to_owned();
    }
    vec![
        Step::Put(some_grants(500)),
        Step::Put(moved),
        Step::Delete((0..50).map(|i| format!("g-{:05}", i * 7)).collect()),
    ]
}

fn take(session: &mut GrantSession, step: &Step) -> Result<()> {
    match step {
        Step::Put(grants) => session.put_grants(grants).map(drop),
        Step::Delete(ids) => {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            session.delete_grants(&ids).map(drop)
        }
    }
}

/// The grants after none, one, two and all of the steps.
fn states() -> Vec<Vec<Grant>> {
    let mut model = BTreeMap::new();
    let mut states = vec![Vec::new()];
    for step in steps() {
        match step {
            Step::Put(grants) => {
                model.extend(grants.into_iter().map(|grant| (grant.id.clone(), grant)));
            }
            Step::Delete(ids) => model.retain(|id, _| !ids.contains(id)),
        }
        states.push(model.values().cloned().collect());
    }
    states
}

/// Dies at the `number`th time that it is asked.
struct Killer {
    asked: AtomicUsize,
    number: usize,
}

impl Killer {
    fn ask(&self) {
        if self.asked.fetch_add(1, Ordering::SeqCst) + 1 == self.number {
            // No destructor runs and no buffer is written.
            std::process::abort();
        }
    }
}

struct DeadlyDisk(Arc<Killer>);

impl DeadlyDisk {
    fn around<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.0.ask();
        let done = work();
        self.0.ask();
        done
    }
}

impl Disk for DeadlyDisk {
    fn sync_file(&self, path: &Path, file: &File) -> Result<()> {
        self.around(|| RealDisk.sync_file(path, file))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.around(|| RealDisk.rename(from, to))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.around(|| RealDisk.sync_dir(dir))
    }
}

#[test]
#[ignore = "a child of another test"]
fn child_that_is_killed() {
    let dir = child_dir();
    let argument = std::fs::read_to_string(dir.join("argument")).unwrap();
    let (kind, number) = argument.split_once(' ').unwrap();
    let killer = Arc::new(Killer {
        asked: AtomicUsize::new(0),
        number: number.parse().unwrap(),
    });
    let kind = EngineKind::named(kind).unwrap();
    let work = dir.join("work");
    let asked = Arc::clone(&killer);
    let engine = Hooked::new(shared(kind, &work), move |call, _| {
        if call.is_step() {
            asked.ask();
        }
        Ok(())
    });
    let mut session = GrantSession::start_on(engine, &work, "s", DurableEvery::Session).unwrap();
    for (number, step) in steps().iter().enumerate() {
        take(&mut session, step).unwrap();
        std::fs::write(dir.join(format!("returned-{number}")), "").unwrap();
    }
    let mut sealed = session.end().unwrap();
    std::fs::write(dir.join("ended"), "").unwrap();
    sealed
        .pack_with(&dir.join("out.bsa"), &DeadlyDisk(killer))
        .unwrap();
    std::fs::write(dir.join("packed"), "").unwrap();
    sealed.close().unwrap();
    std::fs::write(dir.join("closed"), "").unwrap();
}

/// A session in `work`, gone on with or begun again, that has taken every step.
fn go_on(kind: EngineKind, work: &Path, states: &[Vec<Grant>], returned: usize) -> SealedSession {
    let started = match GrantSession::resume(work) {
        Ok(session) => {
            let (found, _) = all_pages(|cursor| session.list(cursor, 0));
            let reached = states.iter().position(|state| *state == found);
            assert!(
                reached.is_some_and(|steps| steps >= returned),
                "{returned} returned"
            );
            check_session(&session);
            Some(session)
        }
        Err(_) => {
            assert_eq!(returned, 0);
            None
        }
    };
    let start = || {
        GrantSession::start_on(
            kind.open(work, &FAMILIES).unwrap(),
            work,
            "s",
            DurableEvery::Call,
        )
    };
    let mut session = started.unwrap_or_else(|| start().unwrap());
    for step in steps() {
        take(&mut session, &step).unwrap();
    }
    session.end().unwrap()
}

#[test]
fn invariants_22_and_30_a_kill_at_any_step_leaves_whole_calls_and_a_session_to_resume() {
    let states = states();
    let complete = states.last().unwrap();
    for kind in EngineKind::ALL {
        let mut finished = 0;
        for number in 1.. {
            let dir = tempfile::tempdir().unwrap();
            let (work, archive) = (dir.path().join("work"), dir.path().join("out.bsa"));
            std::fs::write(
                dir.path().join("argument"),
                format!("{} {number}", kind.name()),
            )
            .unwrap();
            let status = child("grants_crash::child_that_is_killed", dir.path())
                .status()
                .unwrap();
            let has = |name: &str| dir.path().join(name).exists();
            assert_eq!(status.success(), has("closed"), "{kind:?} {number}");
            let returned = (0..3).filter(|i| has(&format!("returned-{i}"))).count();

            let is_finished = GrantReader::open(&work).is_ok();
            assert!(is_finished || !has("ended"), "{kind:?} {number}");
            if is_finished {
                finished += 1;
                let reader = GrantReader::open(&work).unwrap();
                assert!(all_pages(|cursor| reader.list(cursor, 0)).0 == *complete);
                check_indexes(reader.engine());
                assert!(GrantSession::resume(&work).is_err());
            } else {
                let reader = go_on(kind, &work, &states, returned).into_reader().unwrap();
                assert!(all_pages(|cursor| reader.list(cursor, 0)).0 == *complete);
                check_indexes(reader.engine());
            }
            assert!(archive.exists() || !has("packed"), "{kind:?} {number}");
            if archive.exists() {
                let reader = GrantReader::unpack(&archive, &dir.path().join("read")).unwrap();
                assert!(all_pages(|cursor| reader.list(cursor, 0)).0 == *complete);
                check_indexes(reader.engine());
            }
            if has("closed") {
                // Row, three steps, sync, mark, sync, checkpoint, three of the disk,
                // close: twice each.
                assert!(number > 2 * 12, "{number} steps");
                break;
            }
        }
        assert!(finished > 8, "{finished} kills came after the end");
    }
}

/// Takes every step, ends and packs; returns how many steps returned, and whether
/// the end and the pack did.
fn run(work: &Path, archive: &Path, disk: &Arc<SimDisk>) -> (usize, bool, bool) {
    let mut returned = 0;
    let outcome = (|| -> Result<SealedSession> {
        let engine = SegmentEngine::open_with(work, small_loads(), disk.clone())?;
        let mut session = GrantSession::start_on(Box::new(engine), work, "s", DurableEvery::Call)?;
        for step in steps() {
            take(&mut session, &step)?;
            returned += 1;
        }
        session.end()
    })();
    match outcome {
        Err(_) => (returned, false, false),
        Ok(mut sealed) => (returned, true, sealed.pack_with(archive, &**disk).is_ok()),
    }
}

#[test]
fn invariants_3_and_30_power_loss_at_any_step_loses_nothing_that_was_promised() {
    let states = states();
    let complete = states.last().unwrap();
    for at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let (work, out) = (dir.path().join("work"), dir.path().join("out"));
        std::fs::create_dir_all(&work).unwrap();
        std::fs::create_dir(&out).unwrap();
        let disk = Arc::new(SimDisk::with_fault(at, Fault::PowerOff));
        let (returned, is_ended, is_packed) = run(&work, &out.join("out.bsa"), &disk);
        for seed in [None, Some(at)] {
            let after = dir.path().join(format!("after-{seed:?}"));
            let (work, out) = (after.join("work"), after.join("out"));
            std::fs::create_dir_all(work.join("checkpoint")).unwrap();
            std::fs::create_dir(&out).unwrap();
            disk.lose_power(&dir.path().join("work"), &work, seed)
                .unwrap();
            disk.lose_power(&dir.path().join("out"), &out, seed)
                .unwrap();
            let archive = out.join("out.bsa");
            assert!(archive.exists() || !is_packed, "operation {at}");
            if archive.exists() {
                let reader = GrantReader::unpack(&archive, &after.join("read")).unwrap();
                assert!(all_pages(|cursor| reader.list(cursor, 0)).0 == *complete);
            }
            let reader = match GrantReader::open(&work) {
                Ok(reader) => reader,
                Err(_) => {
                    assert!(!is_ended, "operation {at}: the end had returned");
                    let sealed = go_on(EngineKind::Segment, &work, &states, returned);
                    sealed.into_reader().unwrap()
                }
            };
            assert!(all_pages(|cursor| reader.list(cursor, 0)).0 == *complete);
            check_indexes(reader.engine());
        }
        if is_packed {
            assert!(at > 20, "{at} operations");
            break;
        }
    }
}
