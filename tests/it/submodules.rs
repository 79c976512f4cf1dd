//! Submodules and files in Git LFS: where candidates are built they are as the commit says, taken from the
//! user's clone, and no part of a candidate.

use std::fs;
use std::path::Path;

use crate::support::{CONFIG, Project, verdict};

/// SHA-256 of "test".
const OID: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// Fails unless it finds the library as committed; then changes it as no run may.
const USES_LIBRARY: &str = "#!/usr/bin/env bash\nset -e\n\
    [ \"$(cat lib/lib.txt lib/inner/in.txt)\" = \"$(printf 'library\\ninner')\" ]\n\
    [ ! -e lib/left ]\n[ ! -e lib/inner/left ]\n\
    echo \"METRIC cost=$(<src/cost.txt)\"\n\
    echo changed > lib/lib.txt; echo changed > lib/inner/in.txt; touch lib/left lib/inner/left\n";

/// Fails unless it finds the content; then changes it.
const USES_DATA: &str = "#!/usr/bin/env bash\nset -e\n\
    [ \"$(cat data/data.bin)\" = test ]\n[ -x data/data.bin ]\n\
    echo \"METRIC cost=$(<src/cost.txt)\"\n\
    echo changed > data/data.bin\n";

/// Without a build command the first run builds, and what it leaves stays.
fn built(config: &str) -> String {
    config.replacen("\"scope\"", "\"build\": [\"true\"], \"scope\"", 1)
}

fn library(project: &Project, name: &str, file: &str, content: &str) -> String {
    let path = project.beside(name).to_str().expect("UTF-8").to_owned();
    project.git(&["init", "--quiet", &path]);
    fs::create_dir(Path::new(&path).join("deep")).expect("a new directory");
    for file in [file, "deep/x.txt"] {
        fs::write(Path::new(&path).join(file), content).expect("written");
    }
    project.git(&["-C", &path, "add", "--all"]);
    project.git(&["-C", &path, "commit", "--quiet", "--message", name]);
    path
}

fn git_by_path(project: &Project, arguments: &[&str]) {
    let mut all = vec!["-c", "protocol.file.allow=always"];
    all.extend(arguments);
    project.git(&all);
}

/// A project with a submodule that has one itself.
pub fn with_library(config: &str) -> Project {
    let project = Project::with_config(USES_LIBRARY, &built(config));
    let inner = library(&project, "inner", "in.txt", "inner\n");
    let lib = library(&project, "lib", "lib.txt", "library\n");
    git_by_path(
        &project,
        &["-C", &lib, "submodule", "--quiet", "add", &inner, "inner"],
    );
    project.git(&["-C", &lib, "commit", "--quiet", "--message", "inner"]);
    git_by_path(&project, &["submodule", "--quiet", "add", &lib, "lib"]);
    git_by_path(
        &project,
        &["submodule", "--quiet", "update", "--init", "--recursive"],
    );
    project.git(&["commit", "--quiet", "--message", "library"]);
    project
}

/// A project with a file in Git LFS, whose content is in the clone and in the working tree.
pub fn with_data(config: &str) -> Project {
    let project = Project::with_config(USES_DATA, &built(config));
    project.write(
        ".gitattributes",
        "*.bin filter=lfs diff=lfs merge=lfs -text\n",
    );
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 4\n");
    project.write("data/data.bin", &pointer);
    project.git(&["update-index", "--add", "--chmod=+x", "data/data.bin"]);
    project.git(&["add", "."]);
    project.git(&["update-index", "--chmod=+x", "data/data.bin"]);
    project.git(&["commit", "--quiet", "--message", "data"]);
    project.git(&["reset", "--quiet", "--hard"]);
    let object = format!(".git/lfs/objects/{}/{}/{OID}", &OID[..2], &OID[2..4]);
    project.write(&object, "test");
    project.write("data/data.bin", "test");
    project
}

pub fn config_of_agent(agent: &str) -> String {
    let command = serde_json::to_string(&["bash", "-c", agent]).expect("JSON");
    let keys =
        format!("\"proposers\": [\"agent\"], \"agent\": {{\"command\": {command}}}, \"scope\"");
    CONFIG.replacen("\"scope\"", &keys, 1)
}

fn changed_paths(project: &Project) -> String {
    project.git(&["diff", "--name-only", "main", "autoresearch/toy"])
}

#[test]
fn candidates_are_built_with_submodules_as_committed_and_the_users_stay_as_they_are() {
    let project = with_library(CONFIG);
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    project.write("lib/lib.txt", "edited in the submodule\n");
    project.write("lib/new.txt", "new in the submodule\n");
    let before = project.snapshot();
    let ran = project.run(&["run", "-n", "1"]).expect(0);
    assert!(!ran.stderr.contains("submodule"), "{}", ran.stderr);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    assert_eq!(changed_paths(&project), "src/cost.txt\n");
    let after = project.snapshot();
    assert!(before == after, "{:?} {:?}", before.keys(), after.keys());
}

#[test]
fn an_agent_has_submodules_and_lfs_files_and_they_are_no_part_of_its_candidate() {
    let agent =
        "set -e; grep -q inner lib/inner/in.txt; echo mine > lib/lib.txt; echo 50 > src/cost.txt";
    let project = with_library(&config_of_agent(agent));
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    assert_eq!(changed_paths(&project), "src/cost.txt\n");
    let project = with_data(&config_of_agent(
        "[ $(cat data/data.bin) = test ] && echo 50 > src/cost.txt",
    ));
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    assert_eq!(changed_paths(&project), "src/cost.txt\n");
}

#[test]
fn what_the_clone_lacks_is_named_by_run_and_doctor() {
    let project = with_library(CONFIG);
    git_by_path(
        &project,
        &["submodule", "--quiet", "deinit", "--force", "lib"],
    );
    fs::remove_dir_all(project.root().join(".git/modules")).expect("removed");
    let said = "the submodule lib is not in this clone; its directory is empty";
    project.run(&["run", "-n", "1"]).expect(3).says(said);
    let ran = project.run(&["doctor"]);
    assert!(
        ran.stdout.contains("git submodule update --init"),
        "{}",
        ran.stdout
    );
    let project = with_data(CONFIG);
    fs::remove_dir_all(project.root().join(".git/lfs")).expect("removed");
    let said =
        "the content of data/data.bin, which Git LFS keeps, is not in this clone; it is a pointer";
    project.run(&["run", "-n", "1"]).expect(3).says(said);
    let ran = project.run(&["doctor"]);
    assert!(ran.stdout.contains("git lfs pull"), "{}", ran.stdout);
}

#[test]
fn candidates_are_built_with_the_content_of_lfs_files_and_try_takes_the_rest() {
    let project = with_data(CONFIG);
    project.ideas(&[]);
    project.write("data/data.bin", "test");
    project.write("src/cost.txt", "99\n");
    project.run(&["try"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    assert_eq!(changed_paths(&project), "src/cost.txt\n");
    assert_eq!(project.read("data/data.bin"), "test");
    project.write("data/data.bin", "other");
    let said = "data/data.bin is kept by Git LFS, and a candidate cannot change it";
    project.run(&["try"]).expect(2).says(said);
    assert_eq!(project.runs().len(), 1);
}

#[test]
fn try_does_not_take_the_users_submodules_for_new_files() {
    let project = with_library(&CONFIG.replace("src/**", "**"));
    project.write("src/cost.txt", "99\n");
    project.write("src/new.txt", "new\n");
    project.run(&["try", "--untracked"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    assert_eq!(changed_paths(&project), "src/cost.txt\nsrc/new.txt\n");
}
