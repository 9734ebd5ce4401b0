//! Saying what was not tested, where nobody can overlook it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Once;

use crate::binary::interop_folder;

/// Names a skipped test on stderr, past the test runner's capture, and in `target/interop/skipped-<test>.txt`.
pub fn skip(what: &str) {
    let line = format!("skipped: {what}\n");
    // Only the print macros are captured.
    let _ = std::io::stderr().write_all(line.as_bytes());
    let file = OpenOptions::new().create(true).append(true).open(note());
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("note of what was skipped");
}

/// Like [`skip`], but on a machine that promised to have everything (`CI=true`) it fails the test.
pub(crate) fn skip_unless_promised(what: &str) {
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "CI has to run this: {what}");
    skip(what);
}

/// Removes what an earlier run of this test has noted.
pub(crate) fn start_afresh() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = fs::remove_file(note());
    });
}

fn note() -> PathBuf {
    let test = std::env::current_exe().expect("path of the running test");
    let name = test.file_stem().expect("name of the running test").to_string_lossy().into_owned();
    let name = name.rsplit_once('-').map_or(name.as_str(), |(name, _hash)| name);
    interop_folder().join(format!("skipped-{name}.txt"))
}
