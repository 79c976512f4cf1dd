//! What Linux says of its processors, below a root directory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::host::{number, text};

/// Processor time since boot, all processors together, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steal {
    /// Time the hypervisor gave to others.
    pub stolen: u64,
    /// All time, idle included.
    pub total: u64,
}

impl Steal {
    /// The stolen part, 0 to 1.
    pub fn share(self) -> f64 {
        if self.total == 0 {
            0.0
        } else {
            self.stolen as f64 / self.total as f64
        }
    }

    /// What passed since `before`; nothing when a counter went backwards.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            stolen: self.stolen.saturating_sub(before.stolen),
            total: self.total.saturating_sub(before.total),
        }
    }
}

/// The processor's name: x86's `model name`, or what other architectures have instead.
pub(super) fn model(root: &Path) -> Option<String> {
    let info = text(root, "proc/cpuinfo")?;
    let value = |wanted: &str| {
        info.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            let value = value.trim();
            (key.trim() == wanted && !value.is_empty()).then(|| value.to_owned())
        })
    };
    let arm = || {
        let part = value("CPU part")?;
        Some(format!("ARM {} {part}", value("CPU implementer")?))
    };
    [
        "model name",
        "Model",
        "cpu model",
        "cpu",
        "Hardware",
        "uarch",
    ]
    .into_iter()
    .find_map(value)
    .or_else(arm)
}

/// Processors online, from a list such as `0-3,8`.
pub(super) fn online(root: &Path) -> Option<u32> {
    let list = text(root, "sys/devices/system/cpu/online")?;
    list.trim()
        .split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
            last.checked_sub(first)?.checked_add(1)
        })
        .try_fold(0u32, |sum, count| sum.checked_add(count?))
}

/// Distinct frequency governors, sorted; `None` when no processor has one.
pub(super) fn governors(root: &Path) -> Option<Vec<String>> {
    let found: BTreeSet<String> = entries(root, "sys/devices/system/cpu")
        .iter()
        .filter_map(|cpu| text(cpu, "cpufreq/scaling_governor"))
        .map(|governor| governor.trim().to_owned())
        .collect();
    (!found.is_empty()).then(|| found.into_iter().collect())
}

/// Whether the clock may exceed the nominal one: Intel's `no_turbo`, or the general `boost`.
pub(super) fn turbo(root: &Path) -> Option<bool> {
    let intel = number::<u8>(root, "sys/devices/system/cpu/intel_pstate/no_turbo");
    let general = || number::<u8>(root, "sys/devices/system/cpu/cpufreq/boost");
    intel
        .map(|off| off == 0)
        .or_else(|| general().map(|on| on != 0))
}

/// Whether logical processors share cores.
pub(super) fn smt(root: &Path) -> Option<bool> {
    number::<u8>(root, "sys/devices/system/cpu/smt/active").map(|active| active != 0)
}

/// The hottest sensor, degrees Celsius; sensors report thousandths.
pub(super) fn temperature_c(root: &Path) -> Option<f64> {
    let zones = entries(root, "sys/class/thermal")
        .into_iter()
        .filter_map(|zone| number::<f64>(&zone, "temp"));
    let sensors = entries(root, "sys/class/hwmon")
        .into_iter()
        .flat_map(|chip| entries(&chip, "."))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("temp") && name.ends_with("_input")
        })
        .filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok());
    zones
        .chain(sensors)
        .map(|thousandths| thousandths / 1000.0)
        .filter(|degrees| (1.0..150.0).contains(degrees))
        .max_by(f64::total_cmp)
}

/// The first row of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal. The guest
/// columns after them are part of user and nice.
pub(super) fn steal(root: &Path) -> Option<Steal> {
    let stat = text(root, "proc/stat")?;
    let row = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = row
        .split_whitespace()
        .take(8)
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    Some(Steal {
        stolen: *ticks.get(7)?,
        total: ticks.iter().sum(),
    })
}

/// Whether this is a virtual machine: the processor's `hypervisor` flag, Xen's directory, or the
/// firmware's vendor. `None` where neither processor flags nor firmware can be read.
pub(super) fn is_virtual(root: &Path) -> Option<bool> {
    const VENDORS: &[&str] = &[
        "kvm",
        "qemu",
        "vmware",
        "virtualbox",
        "innotek",
        "xen",
        "bochs",
        "parallels",
        "bhyve",
        "virtual machine",
        "google compute engine",
    ];
    let flags = text(root, "proc/cpuinfo").and_then(|info| {
        let line = info.lines().find(|line| line.starts_with("flags"))?;
        Some(line.split_whitespace().any(|flag| flag == "hypervisor"))
    });
    let firmware: String = ["sys_vendor", "product_name"]
        .iter()
        .filter_map(|name| text(root, &format!("sys/class/dmi/id/{name}")))
        .collect::<String>()
        .to_lowercase();
    let named = VENDORS.iter().any(|vendor| firmware.contains(vendor));
    if flags == Some(true) || named || root.join("sys/hypervisor/type").exists() {
        return Some(true);
    }
    flags.or_else(|| (!firmware.is_empty()).then_some(false))
}

/// The entries of a directory, sorted; none when it cannot be read.
fn entries(root: &Path, path: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(root.join(path))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    found.sort();
    found
}
