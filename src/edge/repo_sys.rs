//! The one setting of libgit2 that its safe binding does not offer.
#![expect(
    unsafe_code,
    reason = "git2 has no binding for GIT_OPT_ENABLE_FSYNC_GITDIR"
)]

use libc::c_int;

/// Makes libgit2 sync every object and ref that it writes: the ledger may name a commit only when
/// the commit survives power loss too.
pub fn sync_what_git_writes() {
    libgit2_sys::init();
    // SAFETY: the option takes one int; it sets a process-wide flag, and this process has one thread
    // that uses libgit2.
    unsafe {
        libgit2_sys::git_libgit2_opts(
            libgit2_sys::GIT_OPT_ENABLE_FSYNC_GITDIR as c_int,
            1 as c_int,
        );
    }
}
