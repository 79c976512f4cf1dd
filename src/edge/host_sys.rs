//! The system calls behind [`host`](super::host): each one number or name, `None` when the system
//! does not have it.
#![expect(
    unsafe_code,
    reason = "statvfs, getloadavg, uname and sysconf have no safe wrapper here"
)]

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Bytes that this user may still write on the disk of `path`.
pub(super) fn disk_free_bytes(path: &Path) -> Option<u64> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut stats = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends in NUL and `stats` has room for one `statvfs`, which is only read after
    // the call has said that it filled it.
    let stats = unsafe {
        if libc::statvfs(path.as_ptr(), stats.as_mut_ptr()) != 0 {
            return None;
        }
        stats.assume_init()
    };
    // The fields' widths differ between systems.
    #[expect(clippy::useless_conversion, reason = "u64 on Linux, u32 on others")]
    let (blocks, size) = (u64::from(stats.f_bavail), u64::from(stats.f_frsize));
    blocks.checked_mul(size)
}

/// The one-minute load average.
pub(super) fn load1() -> Option<f64> {
    let mut loads = [0.0f64; 1];
    // SAFETY: the array has room for the one number that is asked for.
    let given = unsafe { libc::getloadavg(loads.as_mut_ptr(), 1) };
    (given == 1).then_some(loads[0])
}

/// Name and release of the kernel.
pub(super) fn uname() -> Option<String> {
    let mut name = std::mem::MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: `name` has room for one `utsname`, and is only read after the call has filled it;
    // its fields end in NUL.
    unsafe {
        if libc::uname(name.as_mut_ptr()) != 0 {
            return None;
        }
        let name = name.assume_init();
        let system = CStr::from_ptr(name.sysname.as_ptr()).to_string_lossy();
        let release = CStr::from_ptr(name.release.as_ptr()).to_string_lossy();
        Some(format!("{system} {release}"))
    }
}

/// Bytes of memory built in.
pub(super) fn physical_memory() -> Option<u64> {
    // SAFETY: sysconf takes a number and returns one.
    let (pages, size) = unsafe {
        (
            libc::sysconf(libc::_SC_PHYS_PAGES),
            libc::sysconf(libc::_SC_PAGESIZE),
        )
    };
    let (pages, size) = (u64::try_from(pages).ok()?, u64::try_from(size).ok()?);
    pages.checked_mul(size)
}
