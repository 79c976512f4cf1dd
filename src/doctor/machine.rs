//! Checks of the machine: what makes measurements noisy, slow or impossible.

use super::facts::HostFacts;
use super::{Finding, Level};

const MIB: u64 = 1 << 20;
/// Less than this on the disk is a problem: two slots and their builds need it. Bytes.
const DISK_PROBLEM: u64 = 200 * MIB;
/// Less than this on the disk is a warning. Bytes.
const DISK_WARNING: u64 = 2048 * MIB;
/// Less available memory than this is a warning: swapping is not what was to be measured. Bytes.
const MEMORY_WARNING: u64 = 512 * MIB;
/// Hotter than this, processors begin to slow down. Degrees Celsius.
const HOT_C: f64 = 85.0;
/// Load per processor above which other work takes turns with the benchmark.
const LOAD_WARNING: f64 = 0.5;
/// Part of the time taken by the hypervisor above which it is worth a warning.
const STEAL_WARNING: f64 = 0.01;

pub(super) fn findings(host: &HostFacts) -> Vec<Finding> {
    [
        cores(host),
        load(host),
        governor(host),
        turbo(host),
        smt(host),
        virtual_machine(host),
        steal(host),
        aslr(host),
        huge_pages(host),
        temperature(host),
        memory(host),
        disk(host),
    ]
    .into_iter()
    .flatten()
    .chain(tools(host))
    .collect()
}

fn cores(host: &HostFacts) -> Option<Finding> {
    Some(match host.cores? {
        1 => Finding::new(
            "cores",
            Level::Warning,
            "one processor: everything else on the machine runs in the benchmark's time",
        )
        .advice("give it at least two"),
        cores => Finding::new("cores", Level::Ok, format!("{cores} logical processors")),
    })
}

fn load(host: &HostFacts) -> Option<Finding> {
    let load = host.load1?;
    let cores = f64::from(host.cores.unwrap_or(1).max(1));
    let message = format!("one-minute load {load:.2} on {cores} processors");
    Some(if load > LOAD_WARNING * cores {
        Finding::new(
            "load",
            Level::Warning,
            format!("{message}: others are busy"),
        )
        .advice("stop other work; verdicts stay honest under load and take more pairs")
    } else {
        Finding::new("load", Level::Ok, message)
    })
}

fn governor(host: &HostFacts) -> Option<Finding> {
    let Some(governors) = host.governors.as_ref().filter(|list| !list.is_empty()) else {
        return Some(Finding::new(
            "governor",
            Level::Note,
            "the system does not say how the processor's frequency is governed",
        ));
    };
    let names = governors.join(", ");
    Some(if governors.iter().all(|name| name == "performance") {
        Finding::new("governor", Level::Ok, names)
    } else {
        Finding::new(
            "governor",
            Level::Warning,
            format!("frequency governor {names}: the clock follows the load"),
        )
        .advice("sudo cpupower frequency-set -g performance")
    })
}

fn turbo(host: &HostFacts) -> Option<Finding> {
    Some(if host.turbo? {
        Finding::new(
            "turbo",
            Level::Note,
            "turbo is on: the clock depends on heat and on the other cores",
        )
        .advice(
            "for less noise write 1 to /sys/devices/system/cpu/intel_pstate/no_turbo, or 0 to \
             /sys/devices/system/cpu/cpufreq/boost",
        )
    } else {
        Finding::new("turbo", Level::Ok, "off")
    })
}

fn smt(host: &HostFacts) -> Option<Finding> {
    Some(if host.smt? {
        Finding::new(
            "smt",
            Level::Note,
            "two logical processors share a core, and so its caches and units",
        )
    } else {
        Finding::new("smt", Level::Ok, "every logical processor has its own core")
    })
}

fn virtual_machine(host: &HostFacts) -> Option<Finding> {
    Some(if host.is_virtual? {
        Finding::new(
            "virtual",
            Level::Note,
            "a virtual machine: its neighbours are part of the noise",
        )
        .advice("`autoresearch noise` tells what gain can still be seen")
    } else {
        Finding::new("virtual", Level::Ok, "not a virtual machine")
    })
}

fn steal(host: &HostFacts) -> Option<Finding> {
    let share = host.steal_share?;
    let message = format!(
        "the hypervisor gave {:.1} % of the time since boot to others",
        100.0 * share
    );
    Some(if share > STEAL_WARNING {
        Finding::new("steal", Level::Warning, message)
            .advice("use a machine with dedicated processors if you can")
    } else {
        Finding::new("steal", Level::Ok, message)
    })
}

fn aslr(host: &HostFacts) -> Option<Finding> {
    Some(if host.aslr? == 0 {
        Finding::new(
            "aslr",
            Level::Note,
            "address randomisation is off: every run has one memory layout, which may favour a side",
        )
        .advice("sudo sysctl kernel.randomize_va_space=2")
    } else {
        Finding::new(
            "aslr",
            Level::Ok,
            "on: memory layouts average out over the pairs",
        )
    })
}

fn huge_pages(host: &HostFacts) -> Option<Finding> {
    let mode = host.huge_pages.as_ref()?;
    Some(if mode == "always" {
        Finding::new(
            "huge pages",
            Level::Note,
            "always: speed depends on how fragmented memory is",
        )
        .advice("for less noise write madvise to /sys/kernel/mm/transparent_hugepage/enabled")
    } else {
        Finding::new("huge pages", Level::Ok, mode.clone())
    })
}

fn temperature(host: &HostFacts) -> Option<Finding> {
    let degrees = host.temperature_c?;
    let message = format!("{degrees:.0} °C at the hottest sensor");
    Some(if degrees > HOT_C {
        Finding::new("temperature", Level::Warning, message)
            .advice("let it cool down; a hot processor slows itself")
    } else {
        Finding::new("temperature", Level::Ok, message)
    })
}

fn memory(host: &HostFacts) -> Option<Finding> {
    let free = host.memory_free_bytes?;
    let message = format!("{} MiB available", free / MIB);
    Some(if free < MEMORY_WARNING {
        Finding::new("memory", Level::Warning, message)
            .advice("close something; a benchmark that swaps measures the disk")
    } else {
        Finding::new("memory", Level::Ok, message)
    })
}

fn disk(host: &HostFacts) -> Option<Finding> {
    let free = host.disk_free_bytes?;
    let message = format!("{} MiB free", free / MIB);
    let advice = "two checkouts with a build directory each need room; \
                  `autoresearch clean` removes old ones";
    Some(if free < DISK_PROBLEM {
        Finding::new("disk", Level::Problem, message).advice(advice)
    } else if free < DISK_WARNING {
        Finding::new("disk", Level::Warning, message).advice(advice)
    } else {
        Finding::new("disk", Level::Ok, message)
    })
}

fn tools(host: &HostFacts) -> Option<Finding> {
    if host.tools.is_empty() {
        return None;
    }
    let names = |wanted: bool| {
        let list: Vec<&str> = host
            .tools
            .iter()
            .filter(|(_, found)| *found == wanted)
            .map(|(name, _)| name.as_str())
            .collect();
        list.join(", ")
    };
    let (found, missing) = (names(true), names(false));
    Some(if missing.is_empty() {
        Finding::new("tools", Level::Ok, format!("found {found}"))
    } else {
        Finding::new(
            "tools",
            Level::Note,
            format!("not on PATH: {missing} (optional: the loop works without)"),
        )
    })
}
