//! A word on subjects that look like others.

use super::screen::Screen;
use coldsign::acts::Store;
use coldsign::acts::lookalikes::lookalikes;

/// How many others are named of one subject, and of how many subjects.
const NAMED: usize = 3;
const SUBJECTS: usize = 10;

/// Warns of each subject that people could take for another one.
pub fn warn(store: &Store, subjects: &[String], screen: &mut Screen) {
    let found = lookalikes(store, subjects);
    for (subject, others) in found.iter().take(SUBJECTS) {
        let named: Vec<String> = others.iter().take(NAMED).map(|other| spelled(other)).collect();
        let more = others.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        screen.warning(&format!("{} looks like another subject: {}{more}", spelled(subject), named.join(", ")));
    }
    if found.len() > SUBJECTS {
        screen.warning(&format!("{} more subjects look like others", found.len() - SUBJECTS));
    }
}

/// The name (the screen escapes it), and which letters of it are not the ones of a plain keyboard.
fn spelled(name: &str) -> String {
    let others = name.chars().filter(|letter| !letter.is_ascii()).take(NAMED);
    let others: Vec<String> = others.map(|letter| format!("U+{:04X}", u32::from(letter))).collect();
    match others.is_empty() {
        true => name.to_owned(),
        false => format!("{name} (with {})", others.join(", ")),
    }
}
