//! `autoresearch.checks.sh`: the tests of the project, as its tools run them.

/// The gate of these commands; each on its own line, the first that fails ends it.
pub(super) fn gate(commands: &[&str]) -> String {
    include_str!("templates/checks.sh").replace("@COMMANDS@", &commands.join("\n"))
}

/// A gate that refuses everything until it is edited: no tests were found.
pub(super) fn gate_to_edit() -> String {
    gate(&[
        "echo \"autoresearch.checks.sh: run the tests here, then delete this line and the next\" >&2",
        "exit 1",
    ])
}

/// What to say of [`gate_to_edit`].
pub(super) const EDIT_NOTE: &str = "no tests were found: put a command that fails on wrong code \
                                    into autoresearch.checks.sh (or delete it, to go without a gate)";
