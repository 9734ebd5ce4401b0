//! What a command may touch: the store, what its command line names, the terminal, the time zone.
//!
//! Every option that names a file has its meaning here; a file without one could not be opened. The
//! page is `docs/operator/install.md`, "What a running command may touch".

use super::context::Context;
use clap::ArgMatches;
use coldsign::storage::{Confined, Reach, folder_above, holds_file, is_folder, lies_in};
use std::path::{Path, PathBuf};

/// How a command uses a path that it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Reads the file, or the folder with everything below.
    Read,
    /// Reads the folder, and the whole publication that it lies in, if it does.
    ReadPublished,
    /// Puts products into this folder. It is made where only it is missing.
    Into,
    /// Makes a file in this folder, which must be there.
    In,
    /// Makes or replaces this file.
    At,
    /// Puts its product into this folder where it is there, else makes a file of that name.
    IntoOrAt,
    /// Seen to elsewhere in this file.
    Special,
}

/// Every option and argument that names a file: the command (`""`: all of them), its name, its meaning.
const MEANINGS: [(&str, &str, Meaning); 50] = [
    ("", "store", Meaning::Special),
    ("", "passphrase_file", Meaning::Read),
    ("backup create", "to", Meaning::Into),
    ("backup restore", "checkpoint", Meaning::Read),
    ("backup restore", "file", Meaning::Read),
    ("backup verify", "file", Meaning::Read),
    ("demo", "folder", Meaning::Special),
    ("init", "policy", Meaning::Read),
    ("init", "recovery_sheet", Meaning::At),
    ("init", "root_to", Meaning::In),
    ("journal export", "to", Meaning::IntoOrAt),
    ("journal prove", "to", Meaning::At),
    ("journal verify", "against", Meaning::Read),
    ("journal verify", "export", Meaning::Read),
    ("journal verify", "key", Meaning::Read),
    ("journal verify", "proof", Meaning::Read),
    ("key import", "file", Meaning::Read),
    ("man", "to", Meaning::Into),
    ("policy check", "file", Meaning::Read),
    ("publication check", "folder", Meaning::Read),
    ("publication copy", "to", Meaning::Into),
    ("publish", "to", Meaning::Into),
    ("root add-key", "root_code_file", Meaning::Read),
    ("root add-key", "root_file", Meaning::Read),
    ("root add-key", "sheet", Meaning::At),
    ("root add-key", "to", Meaning::In),
    ("root remove-key", "root_code_file", Meaning::Read),
    ("root remove-key", "root_file", Meaning::Read),
    ("root rotate", "root_code_file", Meaning::Read),
    ("root rotate", "root_file", Meaning::Read),
    ("root sign", "root_code_file", Meaning::Read),
    ("root sign", "root_file", Meaning::Read),
    ("rotate cutover issue", "to", Meaning::Into),
    ("rotate emergency", "to", Meaning::Into),
    ("rotate next", "to", Meaning::Into),
    ("rotate plan", "ics", Meaning::At),
    ("token inspect", "file", Meaning::Read),
    ("token issue", "detail", Meaning::Read),
    ("token issue", "to", Meaning::Into),
    ("token verify", "file", Meaning::Read),
    ("token verify", "jwks", Meaning::Read),
    ("token verify", "published", Meaning::ReadPublished),
    ("unlock add", "new_passphrase_file", Meaning::Read),
    ("unlock add", "recovery_sheet", Meaning::At),
    ("unlock change", "new_passphrase_file", Meaning::Read),
    ("unlock change", "recovery_sheet", Meaning::At),
    ("unlock test", "root_code_file", Meaning::Read),
    ("unlock test", "root_file", Meaning::Read),
    ("verifier add", "file", Meaning::Read),
    ("verifier receipt", "files", Meaning::Read),
];

/// Where jiff looks for time zones that no file of their own says.
const ZONES: [&str; 4] = ["/etc/localtime", "/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

/// Confines the process to what its command needs.
pub fn confine(matches: &ArgMatches, context: &Context) -> Confined {
    let (command, named) = innermost(matches);
    let mut reach = every_command();
    match command.as_str() {
        // It confines itself once it knows its folder; the commands that it plays run within that.
        "demo" => return Confined::default(),
        // It looks at the whole machine, and changes nothing.
        "doctor" => reach.read(Path::new("/")),
        // It asks for a file then.
        "backup restore" if asks_for_a_checkpoint(named) => reach.read(Path::new("/")),
        _ => {}
    }
    let place = context.place();
    let named: Vec<(&PathBuf, Meaning)> = paths(&command, named).collect();
    // What is bound to be refused leaves nothing behind.
    if named.iter().any(|(path, meaning)| is_refused(path, *meaning, place.as_deref().ok())) {
        reach.make_nothing();
    }
    match &place {
        Ok(place) if ["init", "backup restore"].contains(&command.as_str()) => reach.keep_beside(place),
        Ok(place) if command != "doctor" => reach.keep(place),
        _ => {}
    }
    named.iter().for_each(|(path, meaning)| add(&mut reach, path, *meaning));
    reach.confine()
}

/// Confines the process to a folder, for all the commands that are played in it.
pub fn confine_to(folder: &Path) -> Confined {
    let mut reach = every_command();
    reach.keep(folder);
    reach.confine()
}

/// The terminal for questions, the time zone, and the list of the process's own memory, which is locked.
fn every_command() -> Reach {
    let mut reach = Reach::new();
    reach.terminal(Path::new("/dev/tty"));
    reach.read(Path::new("/proc/self/maps"));
    ZONES.iter().for_each(|zones| reach.read(Path::new(zones)));
    if let Some(zones) = std::env::var_os("TZDIR") {
        reach.read(Path::new(&zones));
    }
    let zone = std::env::var("TZ").unwrap_or_default();
    let zone = Path::new(zone.trim_start_matches(':'));
    if zone.is_absolute() {
        reach.read(zone);
    }
    reach
}

/// The paths that were typed for a command. A hyphen is none: standard input and output are open already.
fn paths<'a>(command: &str, named: &'a ArgMatches) -> impl Iterator<Item = (&'a PathBuf, Meaning)> {
    let of_it = MEANINGS.into_iter().filter(move |(of, _, _)| of.is_empty() || *of == command);
    let typed = of_it.flat_map(|(_, option, meaning)| {
        let paths = named.try_get_many::<PathBuf>(option).ok().flatten().unwrap_or_default();
        paths.map(move |path| (path, meaning))
    });
    typed.filter(|(path, _)| path.as_os_str() != "-")
}

/// Whether no product can go there: the folder above it is missing, or it lies in the store.
fn is_refused(path: &Path, meaning: Meaning, store: Option<&Path>) -> bool {
    let above = path.parent().map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    match meaning {
        Meaning::Into if !is_folder(path) && !above.is_some_and(is_folder) => true,
        Meaning::In if !is_folder(path) => true,
        Meaning::Into | Meaning::In | Meaning::At | Meaning::IntoOrAt => {
            store.is_some_and(|store| lies_in(path, store))
        }
        Meaning::Read | Meaning::ReadPublished | Meaning::Special => false,
    }
}

fn add(reach: &mut Reach, path: &Path, meaning: Meaning) {
    match meaning {
        Meaning::Read => reach.read(path),
        Meaning::ReadPublished => {
            reach.read(path);
            let above = folder_above(path).map(|(above, _)| above);
            above.filter(|above| holds_file(above, "SHA256SUMS")).iter().for_each(|above| reach.read(above));
        }
        Meaning::Into => reach.put_into(path),
        Meaning::In => reach.put_at(&path.join("product")),
        Meaning::IntoOrAt if is_folder(path) => reach.put_into(path),
        Meaning::At | Meaning::IntoOrAt => reach.put_at(path),
        Meaning::Special => {}
    }
}

fn asks_for_a_checkpoint(named: &ArgMatches) -> bool {
    !["checkpoint", "fingerprint", "no_checkpoint"]
        .iter()
        .any(|option| named.value_source(option).is_some_and(|source| source == clap::parser::ValueSource::CommandLine))
}

/// The whole name of the command that was typed, and what was typed for it.
fn innermost(matches: &ArgMatches) -> (String, &ArgMatches) {
    let (mut name, mut at) = (String::new(), matches);
    while let Some((next, below)) = at.subcommand() {
        name.push_str(if name.is_empty() { "" } else { " " });
        name.push_str(next);
        at = below;
    }
    (name, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::any::TypeId;

    /// Every option of every command that is a path: the command and the option.
    fn paths_of(definition: &clap::Command, name: &str, found: &mut Vec<(String, String)>) {
        for argument in definition.get_arguments().filter(|argument| !name.is_empty() || argument.is_global_set()) {
            if argument.get_value_parser().type_id() == TypeId::of::<PathBuf>() {
                found.push((name.to_owned(), argument.get_id().to_string()));
            }
        }
        for below in definition.get_subcommands() {
            paths_of(below, format!("{name} {}", below.get_name()).trim(), found);
        }
    }

    #[test]
    fn every_option_that_names_a_file_has_a_meaning() {
        let mut defined = Vec::new();
        paths_of(&super::super::definition(), "", &mut defined);
        let mut known: Vec<(String, String)> =
            MEANINGS.iter().map(|(of, option, _)| ((*of).to_owned(), (*option).to_owned())).collect();
        defined.sort();
        known.sort();
        assert_eq!(defined, known);
    }

    #[test]
    fn only_a_restore_that_asks_for_a_file_may_read_them_all() {
        let asks = |line: &str| {
            let matches = super::super::definition().try_get_matches_from(line.split(' ')).unwrap();
            let (command, named) = innermost(&matches);
            assert_eq!(command, "backup restore");
            asks_for_a_checkpoint(named)
        };
        assert!(asks("coldsign backup restore x.tar"));
        assert!(!asks("coldsign backup restore x.tar --no-checkpoint --reason gone"));
        assert!(!asks("coldsign backup restore x.tar --checkpoint c --store s"));
        assert!(!asks("coldsign backup restore x.tar --fingerprint 1f0c"));
    }
}
