//! What `--help` and the manual pages add below the flags: examples, and exit codes where a command
//! has an answer. `tests/it/documented.rs` runs every example, a line that begins with `  $ `.

/// Of the program itself.
pub const PROGRAM: &str = "\
Examples:
  $ autoresearch init                  # in your repository: scripts, config, backlog
  $ autoresearch doctor                # what is missing or noisy here
  $ autoresearch run -n 200            # the loop
  $ autoresearch log                   # what became of each candidate

Exit codes:
  0    it did what it was asked
  1    the answer is no: not kept, not reproduced, no longer worth it, biased
  2    wrong flags, or an invalid config, backlog or ledger
  3    the machine or repository cannot do it now; `doctor` found problems
  130  interrupted; `run` goes on from there";

/// Of `init`.
pub const INIT: &str = "\
Examples:
  $ autoresearch init --dry-run        # what it would write
  $ autoresearch init";

/// Of `doctor`.
pub const DOCTOR: &str = "\
Examples:
  $ autoresearch doctor
  $ autoresearch doctor --json         # for a script

Exit code 3: something must be repaired before a run can begin.";

/// Of `noise`.
pub const NOISE: &str = "\
Examples:
  $ autoresearch noise
  $ autoresearch noise --pairs 60      # slower and surer

Exit code 1: the two worktrees of one commit differ, so that nothing can be judged.";

/// Of `run`.
pub const RUN: &str = "\
Examples:
  $ autoresearch run                               # as the config says
  $ autoresearch run -n 200 --time-limit 8h        # overnight
  $ autoresearch run --proposer ideas              # only the backlog
  $ autoresearch run --proposer agent -n 5         # only the agent
  $ autoresearch run --fresh                       # do not go on with the last session

One Ctrl-C finishes the current step, a second one stops at once; either way, and after a kill,
the next `run` goes on from there. Exit code 0: it ended by itself, whatever it kept.";

/// Of `try`.
pub const TRY: &str = "\
Examples:
  $ autoresearch try -m \"Reuse the buffer\"         # what is edited, not yet committed
  $ autoresearch try -m \"Add a cache\" --untracked  # new files inside the scope, too

Exit codes: 0 it is kept, 1 it is not. The working tree stays as it is.";

/// Of `status`.
pub const STATUS: &str = "\
Examples:
  $ autoresearch status                # also from another terminal while the loop runs
  $ autoresearch status --json";

/// Of `watch`.
pub const WATCH: &str = "\
Examples:
  $ autoresearch watch                             # beside `run`, in another terminal
  $ autoresearch watch --file autoresearch.jsonl   # the log of another program

Keys: j/k or arrows move, enter opens the run, / filters, f shows only one verdict, s all sessions,
tab goes to the next pane, ? shows all keys, q quits. NO_COLOR=1: without colour.";

/// Of `log`.
pub const LOG: &str = "\
Examples:
  $ autoresearch log --last --status keep          # what the last session kept
  $ autoresearch log --sort gain -n 10             # the ten best
  $ autoresearch log --since 12h --grep buffer
  $ autoresearch log --csv > runs.csv";

/// Of `show`.
pub const SHOW: &str = "\
Examples:
  $ autoresearch show 2
  $ autoresearch show 2 --diff         # its change, as a patch";

/// Of `explain`.
pub const EXPLAIN: &str = "\
Examples:
  $ autoresearch explain 2             # one verdict, pair by pair
  $ autoresearch explain               # every verdict of the ledger, recomputed

Exit code 1: the ledger says otherwise than its pairs.";

/// Of `report`.
pub const REPORT: &str = "\
Examples:
  $ autoresearch report -o report.html
  $ autoresearch report --format md                # for a pull request
  $ autoresearch report --serve                    # live, on this machine only";

/// Of `reproduce`.
pub const REPRODUCE: &str = "\
Examples:
  $ autoresearch reproduce 2                       # a run of the ledger
  $ autoresearch reproduce autoresearch/toy        # a commit, or the tip of a branch
  $ autoresearch reproduce --all --time-limit 1h   # all that the last session claims

Works in any clone that has the commits and experiments.jsonl.
Exit codes: 0 everything asked for is reproduced; 1 it is not, or this machine cannot tell.";

/// Of `ablate`.
pub const ABLATE: &str = "\
Examples:
  $ autoresearch ablate                # every kept commit of the last session
  $ autoresearch ablate 2 --pairs 40
  $ autoresearch ablate --drop         # and take out what no longer pays

Exit code 1: a commit no longer pays, or costs, and is still there.";

/// Of `profile`.
pub const PROFILE: &str = "\
Examples:
  $ autoresearch profile                           # HEAD
  $ autoresearch profile main autoresearch/toy     # what moved between two revisions
  $ autoresearch profile -o profiles

A script that honours AUTORESEARCH_PROFILE=PATH, by writing folded stacks to PATH.folded, profiles
itself; others are run under perf.";

/// Of `finalize`.
pub const FINALIZE: &str = "\
Examples:
  $ autoresearch finalize --plan groups.json       # only propose groups, to be edited
  $ autoresearch finalize --from groups.json --pr-dir pull-requests
  $ autoresearch finalize --force                  # anew, as proposed

Nothing is pushed and nothing is checked out.
Exit code 1: a group fails, or is not shown to be better on its own.";

/// Of `simulate`.
pub const SIMULATE: &str = "\
Examples:
  $ autoresearch simulate --streams 4              # every noise, every rule
  $ autoresearch simulate --noise iid2 --rule single,autoresearch
  $ autoresearch simulate --stream no-ops --streams 4
  $ autoresearch simulate --ledger --streams 4     # the noise of this project's own pairs

The rules are described in docs/decision.md. The same seed gives the same bytes, whatever the
number of threads.";

/// Of `repair`.
pub const REPAIR: &str = "\
Examples:
  $ autoresearch repair --dry-run          # exit code 1 when a line is damaged
  $ autoresearch repair";

/// Of `clean`.
pub const CLEAN: &str = "\
Examples:
  $ autoresearch clean";

/// Of `completions`.
pub const COMPLETIONS: &str = "\
Examples:
  $ mkdir -p ~/.local/share/bash-completion/completions ~/.config/fish/completions
  $ autoresearch completions bash > ~/.local/share/bash-completion/completions/autoresearch
  $ autoresearch completions fish > ~/.config/fish/completions/autoresearch.fish";

/// Of `man`.
pub const MAN: &str = "\
Examples:
  $ autoresearch man --out ~/.local/share/man/man1
  $ autoresearch man run | man -l -    # one page, without installing it";
