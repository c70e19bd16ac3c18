//! Stands before functions of the C library in a program under test (`LD_PRELOAD`). `REFUSED` names what fails: the
//! function, the number of the error, a part of the file's path, and the one call that fails, if it is not all of them.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The next library's.
const NEXT: *mut c_void = -1_isize as *mut c_void;

static CALLS: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    fn __errno_location() -> *mut c_int;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

fn is_refused(function: &str, path: &str) -> bool {
    let refused = std::env::var("REFUSED").unwrap_or_default();
    let words: Vec<_> = refused.split(' ').collect();
    let [name, error, part, which @ ..] = words.as_slice() else {
        return false;
    };
    if *name != function || !path.contains(part) {
        return false;
    }
    let call = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    if which.first().is_some_and(|which| which.parse() != Ok(call)) {
        return false;
    }
    // The C library hands out a valid place for the error of this thread.
    unsafe { *__errno_location() = error.parse().unwrap() };
    true
}

fn path_of(file: c_int) -> String {
    let path = fs::read_link(format!("/proc/self/fd/{file}")).unwrap_or_default();
    path.to_string_lossy().into_owned()
}

macro_rules! refusable {
    ($name:ident($($argument:ident: $kind:ty),*) -> $result:ty, $text:literal, $path:expr) => {
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $kind),*) -> $result {
            if is_refused(stringify!($name), &$path) {
                return -1;
            }
            let found = unsafe { dlsym(NEXT, $text.as_ptr()) };
            let next: unsafe extern "C" fn($($kind),*) -> $result =
                unsafe { std::mem::transmute(found) };
            unsafe { next($($argument),*) }
        }
    };
}

refusable!(write(file: c_int, bytes: *const c_void, size: usize) -> isize, c"write", path_of(file));
refusable!(lseek64(file: c_int, offset: i64, whence: c_int) -> i64, c"lseek64", path_of(file));
refusable!(ftruncate64(file: c_int, size: i64) -> c_int, c"ftruncate64", path_of(file));
refusable!(flock(file: c_int, operation: c_int) -> c_int, c"flock", path_of(file));
refusable!(
    open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int,
    c"open64",
    unsafe { CStr::from_ptr(path) }.to_string_lossy()
);
