//! Which names a config may use.

use super::driver_metrics::{DRIVER_METRICS, DRIVER_PREFIX};
use super::metric::is_metric_name;

/// Whether a metric of this name can be printed by the script or is one of the driver's.
pub(super) fn check_metric_name(name: &str) -> Result<(), String> {
    if name.starts_with(DRIVER_PREFIX) {
        return if DRIVER_METRICS.contains(&name) {
            Ok(())
        } else {
            let meant = DRIVER_METRICS.iter().find(|known| known.starts_with(name));
            let meant = meant.map_or(String::new(), |known| format!(" (did you mean {known:?}?)"));
            Err(format!(
                "is {name:?}{meant}; the driver's metrics are {}",
                DRIVER_METRICS.join(", ")
            ))
        };
    }
    if is_metric_name(name) {
        Ok(())
    } else {
        Err(format!(
            "is {name:?}; use letters, digits, '_', '.' and 'µ'"
        ))
    }
}

/// Whether the hold-out variable can be set without harm to what the program or the script need.
pub(super) fn check_hold_out_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || !name.chars().all(allowed)
        || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return Err(format!(
            "is {name:?}; use letters, digits and '_', not beginning with a digit"
        ));
    }
    if name.starts_with("AUTORESEARCH_") || ["PATH", "HOME"].contains(&name) {
        return Err(format!("is {name:?}, which has another meaning"));
    }
    Ok(())
}

/// Longest such name, bytes; a branch is a file in git's directory.
const BRANCH_NAME_MAX: usize = 100;

/// Whether `name` can end a branch name without surprises on any file system.
pub fn is_branch_component(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    (1..=BRANCH_NAME_MAX).contains(&name.len())
        && name.chars().all(allowed)
        && !name.starts_with(['.', '-'])
        && !name.ends_with('.')
        && !name.ends_with(".lock")
        && !name.contains("..")
}

/// Whether `path` is relative and never climbs out.
pub(super) fn is_inside(path: &str) -> bool {
    use std::path::Component;
    std::path::Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}
