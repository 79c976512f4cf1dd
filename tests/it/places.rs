//! Where locks, worktrees and caches are put, and repositories and disks on which nothing can be begun.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::support::{CONFIG, EXACT_SCRIPT, Project, verdict};

fn project() -> Project {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    project
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

#[test]
fn a_lock_that_is_a_link_is_refused_and_what_it_points_to_stays_as_it_is() {
    for lock in ["machine.lock", "toy/.git/autoresearch/lock"] {
        for target in ["precious", "absent"] {
            let project = project();
            let (precious, target) = (project.beside("precious"), project.beside(target));
            fs::write(&precious, "mine\n").expect("written");
            fs::set_permissions(&precious, fs::Permissions::from_mode(0o600)).expect("a mode");
            fs::create_dir_all(project.root().join(".git/autoresearch")).expect("a directory");
            symlink(&target, project.beside(lock)).expect("a link");
            project
                .run(&["run", "-n", "1"])
                .expect(3)
                .says("cannot open the lock file")
                .says("it is a link, which is not followed");
            assert_eq!(fs::read_to_string(&precious).expect("a file"), "mine\n");
            assert_eq!(mode(&precious), 0o600, "{lock}");
            assert!(!project.beside("absent").exists(), "{lock}");
        }
    }
}

#[test]
fn only_the_machines_lock_is_for_all_users_and_only_if_it_was_made_here() {
    let project = project();
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(mode(&project.beside("machine.lock")), 0o666);
    assert_eq!(
        mode(&project.root().join(".git/autoresearch/lock")) & 0o022,
        0
    );
    let narrow = fs::Permissions::from_mode(0o600);
    fs::set_permissions(project.beside("machine.lock"), narrow).expect("a mode");
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(mode(&project.beside("machine.lock")), 0o600);
}

#[test]
fn a_repository_in_a_format_that_libgit2_cannot_read_is_said_to_be_one() {
    for format in ["--object-format=sha256", "--ref-format=reftable"] {
        let project = project();
        let made = project.beside("other");
        let made = made.to_str().expect("UTF-8");
        project.git(&["init", "--quiet", format, made]);
        let ran = project.run(&["-C", made, "run"]).expect(3);
        let ran = ran
            .says("cannot read the git repository of")
            .says("neither SHA-256 nor reftable");
        assert!(
            !ran.stderr.contains("is not in a git repository"),
            "{ran:?}"
        );
    }
    let project = project();
    fs::create_dir(project.beside("bare")).expect("a directory");
    let outside = project.beside("bare");
    project
        .run(&["-C", outside.to_str().expect("UTF-8"), "run"])
        .expect(3)
        .says("is not in a git repository");
}

#[test]
fn a_work_directory_that_is_relative_or_in_the_checkout_is_refused() {
    let project = project();
    let before = project.snapshot();
    symlink(project.root(), project.beside("link")).expect("a link");
    let (inside, through) = (
        project.root().join("deep/work"),
        project.beside("link/work"),
    );
    for (value, says) in [
        (Path::new("work"), "which is relative"),
        (&inside, "which is in the checkout"),
        (&through, "which is in the checkout"),
    ] {
        let variables = [("AUTORESEARCH_WORK_DIR", value)];
        for arguments in [&["run", "-n", "1"][..], &["clean"]] {
            project.run_with(arguments, &variables).expect(2).says(says);
        }
    }
    assert_eq!(project.snapshot(), before);
    assert!(project.runs().is_empty());
    // Git's own directory is no file of the user's.
    let inside = project.root().join(".git/autoresearch/work");
    let variables = [("AUTORESEARCH_WORK_DIR", inside.as_path())];
    project.run_with(&["run", "-n", "1"], &variables).expect(0);
}

#[test]
fn a_relative_cache_directory_is_ignored() {
    let project = project();
    let before = project.snapshot();
    let variables = [
        ("AUTORESEARCH_WORK_DIR", Path::new("")),
        ("XDG_CACHE_HOME", Path::new("cache")),
    ];
    project.run_with(&["run", "-n", "1"], &variables).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    assert_eq!(project.snapshot(), before);
    assert!(project.beside("home/.cache/autoresearch").is_dir());
}

#[test]
fn on_a_disk_that_is_too_full_not_even_the_baseline_is_built() {
    let config = CONFIG.replace(
        "\"min_run_ms\"",
        "\"limits\": {\"disk_free_mib\": 1000000000000}, \"min_run_ms\"",
    );
    let project = Project::with_config(EXACT_SCRIPT, &config);
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    let ran = project
        .run(&["run", "-n", "1"])
        .expect(0)
        .says("stopped: only ");
    assert!(!ran.stderr.contains("baseline"), "{}", ran.stderr);
    assert!(project.ledger().is_empty());
    project.assert_nothing_left();
}
