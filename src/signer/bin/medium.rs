//! What is worth knowing of a medium before something secret goes there.

use super::screen::Screen;
use coldsign::storage::Outbox;
use coldsign_verify::escape::escaped;
use std::path::Path;

/// Says that a medium keeps no modes: told before a token or a code is written there.
pub fn tell_modes(outbox: &Outbox, screen: &mut Screen) {
    if outbox.keeps_modes() == Some(false) {
        screen.warning(&format!(
            "{} keeps no file modes: every user of a machine that has it mounted can read what is written there",
            escaped(&outbox.path().display().to_string())
        ));
    }
}

/// As [`tell_modes`], for a file that is about to be made.
pub fn tell_modes_of(file: &Path, screen: &mut Screen) {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A folder that is not there is refused by whatever writes the file.
    if let Ok(outbox) = Outbox::open(folder) {
        tell_modes(&outbox, screen);
    }
}
