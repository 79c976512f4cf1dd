use super::*;

/// A directory with these files.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    root
}

fn laptop() -> tempfile::TempDir {
    let cpu = "sys/devices/system/cpu";
    tree(&[
        (
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: Fast CPU\nflags\t\t: fpu vme\n\nprocessor\t: 1\n",
        ),
        (
            "proc/meminfo",
            "MemTotal:  16384000 kB\nMemFree: 1 kB\nMemAvailable:  2048 kB\n",
        ),
        ("proc/loadavg", "1.25 0.90 0.80 2/345 6789\n"),
        (
            "proc/stat",
            "cpu  10 20 30 900 15 5 10 10 7 7\ncpu0 1 2 3 4 5 6 7 8\n",
        ),
        ("proc/sys/kernel/ostype", "Linux\n"),
        ("proc/sys/kernel/osrelease", "6.1.0-x\n"),
        ("proc/sys/kernel/randomize_va_space", "2\n"),
        ("etc/os-release", "ID=x\nPRETTY_NAME=\"Some Linux 12\"\n"),
        (
            "sys/kernel/mm/transparent_hugepage/enabled",
            "always [madvise] never\n",
        ),
        (&format!("{cpu}/online"), "0-1,4\n"),
        (&format!("{cpu}/smt/active"), "1\n"),
        (&format!("{cpu}/intel_pstate/no_turbo"), "0\n"),
        (
            &format!("{cpu}/cpu0/cpufreq/scaling_governor"),
            "powersave\n",
        ),
        (
            &format!("{cpu}/cpu1/cpufreq/scaling_governor"),
            "performance\n",
        ),
        (
            &format!("{cpu}/cpu4/cpufreq/scaling_governor"),
            "powersave\n",
        ),
        ("sys/class/thermal/thermal_zone0/temp", "47000\n"),
        ("sys/class/hwmon/hwmon0/temp1_input", "61500\n"),
        ("sys/class/hwmon/hwmon0/fan1_input", "99000\n"),
        ("sys/class/dmi/id/sys_vendor", "Real Computers\n"),
    ])
}

#[test]
fn the_environment_is_read_from_the_files_of_the_root() {
    let root = laptop();
    assert_eq!(
        environment_at(root.path()),
        Environment {
            cpu: "Fast CPU".to_owned(),
            cores: 3,
            memory_mib: 16_000,
            kernel: "Linux 6.1.0-x".to_owned(),
            os: "Some Linux 12".to_owned(),
            rustc: String::new(),
            flags: BTreeMap::new(),
        }
    );
}

#[test]
fn the_facts_are_read_from_the_files_of_the_root() {
    let root = laptop();
    assert_eq!(
        facts_at(root.path()),
        HostFacts {
            cores: Some(3),
            load1: Some(1.25),
            governors: Some(vec!["performance".to_owned(), "powersave".to_owned()]),
            turbo: Some(true),
            smt: Some(true),
            aslr: Some(2),
            huge_pages: Some("madvise".to_owned()),
            temperature_c: Some(61.5),
            steal_share: Some(0.01),
            disk_free_bytes: None,
            memory_free_bytes: Some(2048 * 1024),
            is_virtual: Some(false),
            tools: Vec::new(),
        }
    );
}

#[test]
fn a_system_without_these_files_has_unknown_facts_and_a_usable_environment() {
    let root = tree(&[]);
    assert_eq!(facts_at(root.path()), HostFacts::default());
    let environment = environment_at(root.path());
    assert_eq!(environment.cpu, std::env::consts::ARCH);
    assert!(environment.cores > 0 && environment.memory_mib > 0);
    assert!(!environment.kernel.is_empty() && !environment.os.is_empty());
}

#[test]
fn nonsense_in_the_files_is_unknown_and_not_a_number() {
    let root = tree(&[
        ("proc/loadavg", "nan 1 1\n"),
        ("proc/meminfo", "MemAvailable: many kB\n"),
        ("proc/stat", "cpu  1 2 x 4\n"),
        ("proc/sys/kernel/randomize_va_space", "-\n"),
        ("sys/devices/system/cpu/online", "3-1\n"),
        ("sys/class/thermal/thermal_zone0/temp", "0\n"),
        ("sys/kernel/mm/transparent_hugepage/enabled", "always\n"),
    ]);
    assert_eq!(facts_at(root.path()), HostFacts::default());
}

#[test]
fn boost_off_and_a_hypervisor_flag_are_seen() {
    let root = tree(&[
        ("sys/devices/system/cpu/cpufreq/boost", "0\n"),
        ("proc/cpuinfo", "flags\t: fpu hypervisor\n"),
    ]);
    let facts = facts_at(root.path());
    assert_eq!((facts.turbo, facts.is_virtual), (Some(false), Some(true)));
}

#[test]
fn processors_of_other_architectures_have_a_name_too() {
    for (info, expected) in [
        (
            "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n",
            "ARM 0x41 0xd0c",
        ),
        ("cpu\t\t: POWER9\n", "POWER9"),
        (
            "Model\t\t: Raspberry Pi 5\nCPU part\t: 0xd0b\n",
            "Raspberry Pi 5",
        ),
    ] {
        let root = tree(&[("proc/cpuinfo", info)]);
        assert_eq!(environment_at(root.path()).cpu, expected);
    }
}

#[test]
fn build_variables_are_recorded_when_they_say_something() {
    let flags = build_flags(|name| match name {
        "RUSTFLAGS" => Some("-C target-cpu=native".to_owned()),
        "CC" => Some(String::new()),
        "HOME" => Some("/home/x".to_owned()),
        _ => None,
    });
    let expected = [("RUSTFLAGS".to_owned(), "-C target-cpu=native".to_owned())];
    assert_eq!(flags, expected.into());
}

#[test]
fn the_compiler_is_asked_for_one_line_and_not_waited_for_beyond_the_deadline() {
    let root = tree(&[]);
    let fake = |name: &str, script: &str| {
        let path = root.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
        path
    };
    let deadline = Duration::from_secs(60);
    let good = fake("good", "echo rustc 1.2.3; echo more");
    assert_eq!(
        rustc_version(good, deadline).as_deref(),
        Some("rustc 1.2.3")
    );
    assert_eq!(rustc_version(fake("bad", "echo x; exit 1"), deadline), None);
    assert_eq!(rustc_version(root.path().join("none"), deadline), None);
    let slow = fake("slow", "exec sleep 600");
    let started = std::time::Instant::now();
    assert_eq!(rustc_version(slow, Duration::from_millis(50)), None);
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_tool_counts_only_when_it_can_be_executed() {
    let root = tree(&[("bin/perf", ""), ("bin/bwrap/x", "")]);
    let directories = [root.path().join("absent"), root.path().join("bin")];
    assert!(!is_on_path("perf", &directories));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(root.path().join("bin/perf"), mode).unwrap();
    assert!(is_on_path("perf", &directories));
    assert!(!is_on_path("bwrap", &directories), "a directory is no tool");
}

#[test]
fn the_disk_of_a_path_that_exists_has_a_size() {
    let root = tree(&[]);
    assert!(disk_free_bytes(root.path()).is_some());
    assert_eq!(disk_free_bytes(&root.path().join("absent")), None);
}

#[test]
fn steal_is_counted_between_two_looks() {
    let tick = |stolen, total| cpu::Steal { stolen, total };
    assert_eq!(tick(7, 150).since(tick(2, 100)), tick(5, 50));
    assert!((tick(5, 50).share() - 0.1).abs() < 1e-12);
    assert_eq!(tick(1, 1).since(tick(2, 2)).share(), 0.0);
}

#[test]
fn the_compiler_on_the_path_is_found() {
    let output = std::process::Command::new("rustc")
        .arg("--version")
        .output();
    let Ok(output) = output.map(|output| String::from_utf8(output.stdout).unwrap()) else {
        eprintln!("skipped: no rustc on PATH");
        return;
    };
    let found = rustc_version("rustc", Duration::from_secs(60));
    assert_eq!(found.as_deref(), Some(output.trim()));
}
