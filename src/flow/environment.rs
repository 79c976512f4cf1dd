//! What differs between the machine of a recorded measurement and this one, in plain words.

use super::record::Environment;

/// Memory sizes closer than this are one machine: kernels of one machine reserve different
/// amounts. A fraction of the larger.
const MEMORY_TOLERANCE: f64 = 0.02;

/// One sentence for each thing that differs, in the order of the fields; empty when measurements
/// of the two are comparable. `recorded` is the one of the ledger, `now` this machine's. A side
/// that does not know a thing (an empty text, a zero) says nothing about it.
pub fn differences(recorded: &Environment, now: &Environment) -> Vec<String> {
    let mut found = Vec::new();
    for (what, before, after) in [
        ("processor", &recorded.cpu, &now.cpu),
        ("kernel", &recorded.kernel, &now.kernel),
        ("operating system", &recorded.os, &now.os),
        ("compiler", &recorded.rustc, &now.rustc),
    ] {
        if !before.is_empty() && !after.is_empty() && before != after {
            found.push(format!("the {what} was {before} and is {after}"));
        }
    }
    if recorded.cores != 0 && now.cores != 0 && recorded.cores != now.cores {
        found.push(format!(
            "there were {} logical processors and there are {}",
            recorded.cores, now.cores
        ));
    }
    if memory_differs(recorded.memory_mib, now.memory_mib) {
        found.push(format!(
            "there were {} MiB of memory and there are {}",
            recorded.memory_mib, now.memory_mib
        ));
    }
    found.extend(flag_differences(recorded, now));
    found
}

/// Load averages that are further apart than this are told. Processes waiting for a processor.
const LOAD_TOLERANCE: f64 = 1.0;

/// A sentence when the machine was clearly less or more busy, one-minute load averages.
pub fn load_difference(recorded: f64, now: f64) -> Option<String> {
    let differs = (recorded - now).abs() > LOAD_TOLERANCE;
    differs.then(|| format!("the load was {recorded:.1} and is {now:.1}"))
}

fn memory_differs(before: u64, after: u64) -> bool {
    let larger = before.max(after);
    before != 0 && after != 0 && before.abs_diff(after) as f64 > MEMORY_TOLERANCE * larger as f64
}

fn flag_differences(recorded: &Environment, now: &Environment) -> Vec<String> {
    let mut names: Vec<&String> = recorded.flags.keys().chain(now.flags.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter_map(
            |name| match (recorded.flags.get(name), now.flags.get(name)) {
                (Some(before), Some(after)) if before == after => None,
                (Some(before), Some(after)) => {
                    Some(format!("{name} was {before:?} and is {after:?}"))
                }
                (Some(before), None) => Some(format!("{name} was {before:?} and is not set")),
                (None, Some(after)) => Some(format!("{name} was not set and is {after:?}")),
                (None, None) => None,
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Environment {
        Environment {
            cpu: "A".to_owned(),
            cores: 8,
            memory_mib: 16_000,
            kernel: "Linux 6.1".to_owned(),
            os: "Debian 12".to_owned(),
            rustc: "rustc 1.89.0".to_owned(),
            flags: [("RUSTFLAGS".to_owned(), "-O".to_owned())].into(),
        }
    }

    fn check(change: impl FnOnce(&mut Environment), expected: &[&str]) {
        let mut now = machine();
        change(&mut now);
        assert_eq!(differences(&machine(), &now), expected);
    }

    #[test]
    fn the_same_machine_has_no_differences() {
        check(|_| {}, &[]);
    }

    #[test]
    fn each_field_that_changed_is_one_sentence() {
        check(
            |now| "B".clone_into(&mut now.cpu),
            &["the processor was A and is B"],
        );
        check(
            |now| "Linux 6.9".clone_into(&mut now.kernel),
            &["the kernel was Linux 6.1 and is Linux 6.9"],
        );
        check(
            |now| "Debian 13".clone_into(&mut now.os),
            &["the operating system was Debian 12 and is Debian 13"],
        );
        check(
            |now| "rustc 1.90.0".clone_into(&mut now.rustc),
            &["the compiler was rustc 1.89.0 and is rustc 1.90.0"],
        );
        check(
            |now| now.cores = 4,
            &["there were 8 logical processors and there are 4"],
        );
        check(
            |now| now.memory_mib = 8_000,
            &["there were 16000 MiB of memory and there are 8000"],
        );
    }

    #[test]
    fn a_flag_set_changed_or_unset_is_named_with_its_values() {
        check(
            |now| {
                now.flags = [("CC".to_owned(), "clang".to_owned())].into();
            },
            &[
                "CC was not set and is \"clang\"",
                "RUSTFLAGS was \"-O\" and is not set",
            ],
        );
        check(
            |now| {
                now.flags = [("RUSTFLAGS".to_owned(), "-C x".to_owned())].into();
            },
            &["RUSTFLAGS was \"-O\" and is \"-C x\""],
        );
    }

    #[test]
    fn a_clearly_busier_machine_is_told() {
        assert_eq!(load_difference(0.2, 1.1), None);
        assert_eq!(
            load_difference(0.2, 3.04).as_deref(),
            Some("the load was 0.2 and is 3.0")
        );
    }

    #[test]
    fn what_one_side_does_not_know_and_a_few_mib_are_no_difference() {
        check(
            |now| {
                now.rustc.clear();
                now.cores = 0;
                now.memory_mib = 15_800;
            },
            &[],
        );
    }
}
