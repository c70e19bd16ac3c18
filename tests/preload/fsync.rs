//! Stands before the C library's `fsync` in a program under test (`LD_PRELOAD`): the disk refuses what `UNSYNCED` names,
//! `directory` or `key`. The file for a key is synced twice: empty, then with its key.

use std::fs;
use std::os::raw::c_int;
use std::sync::atomic::{AtomicBool, Ordering};

const EIO: c_int = 5;

static KEPT_ROOM: AtomicBool = AtomicBool::new(false);

unsafe extern "C" {
    fn __errno_location() -> *mut c_int;
}

#[unsafe(no_mangle)]
pub extern "C" fn fsync(file: c_int) -> c_int {
    let Ok(path) = fs::read_link(format!("/proc/self/fd/{file}")) else {
        return 0;
    };
    let is_refused = match std::env::var("UNSYNCED").as_deref() {
        Ok("directory") => path.is_dir(),
        Ok("key") => {
            let is_key = path.to_string_lossy().contains("/.pending-");
            is_key && KEPT_ROOM.swap(true, Ordering::Relaxed)
        }
        _ => false,
    };
    if !is_refused {
        return 0;
    }
    // The C library hands out a valid place for the error of this thread.
    unsafe { *__errno_location() = EIO };
    -1
}
