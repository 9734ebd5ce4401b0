//! The recovery sheet: codes for paper, what they open and how they are used.

use super::ask;
use super::fault::Fault;
use super::screen::Screen;
use super::when;
use coldsign::acts::{Store, path_word, unlock};
use coldsign::journal::{hex, sha256};
use coldsign::keystore::RecoveryCode;
use coldsign::publishing::fingerprint;
use coldsign::refusal::Refusal;
use coldsign::storage::{self, StorageFault, create_private_file, is_there, remove_file};
use coldsign_verify::escape::escaped;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What a sheet is made from.
pub struct Sheet<'a> {
    /// The store, for its fingerprints.
    pub store: &'a Store,
    /// Where it is or is to be.
    pub place: &'a Path,
    /// Seconds since the epoch.
    pub now: u64,
    /// The code that opens the store.
    pub recovery: &'a RecoveryCode,
    /// The code that opens the root's key, where it is a new one.
    pub root: Option<&'a RecoveryCode>,
}

/// What a sheet is called until its code is in force: one that an act left behind under this name may
/// open nothing, or may be the only one that opens.
fn unnamed(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Gives a sheet its name, once its code is in force.
pub fn give_name(file: Option<&Path>, screen: &mut Screen) {
    let Some(file) = file else { return };
    if let Err(fault) = storage::give_name(&unnamed(file), file) {
        let there = if is_there(file) { file.to_owned() } else { unnamed(file) };
        screen.warning(&format!("the new code, which is in force, is on {}: {fault}", escaped(&shown(&there))));
    }
}

/// Removes a sheet where its code opens nothing after all.
pub fn take_back(file: Option<&Path>, refusal: &Refusal, screen: &mut Screen) {
    let Some(file) = file.map(unnamed) else { return };
    if refusal.reason().rule() == Some("UNLOCK-UNFINISHED") {
        screen.warning(&format!("the new code is on {}: try it, then name the file", escaped(&shown(&file))));
    } else {
        remove_file(&file);
    }
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

impl Sheet<'_> {
    /// Writes the sheet to a new file; or shows it at the terminal, and has the codes typed back.
    pub fn hand_over(&self, file: Option<&Path>) -> Result<(), Refusal> {
        let text = self.text();
        if let Some(file) = file {
            return Ok(create_private_file(file, text.as_bytes())?);
        }
        ask::tell(&format!("\n{}\n", text.as_str()))?;
        let what = if self.root.is_some() { "both codes down now: they are" } else { "the code down now: it is" };
        let back = if self.root.is_some() { "them" } else { "it" };
        ask::tell(&format!("Write {what} shown once. Then type {back} back.\n"))?;
        ask_back("recovery code", self.recovery)?;
        self.root.map_or(Ok(()), |code| ask_back("root code", code))?;
        Ok(())
    }

    /// As [`Sheet::hand_over`], but the file gets its name from [`give_name`], when the code is in force.
    pub fn hand_over_unnamed(&self, file: Option<&Path>) -> Result<(), Refusal> {
        let Some(file) = file else { return self.hand_over(None) };
        let partial = unnamed(file);
        if is_there(file) {
            return Err(StorageFault::Exists(file.to_owned()).into());
        }
        if is_there(&partial) {
            return Err(Fault::HalfSheet(partial).into());
        }
        Ok(create_private_file(&partial, self.text().as_bytes())?)
    }

    /// In letters that any printer has, in lines that any paper has room for.
    fn text(&self) -> Zeroizing<String> {
        let sheet = self.store.sheet();
        // Room enough from the start: a growing text would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(8 << 10));
        text.push_str(&format!(
            "coldsign recovery sheet{:>49}\n\nissuer  {}\nstore   {}\n        export COLDSIGN_STORE={}\n\n",
            when::utc(self.now),
            sheet.issuer,
            sheet.store_id,
            escaped(&path_word(self.place))
        ));
        text.push_str("recovery code   ");
        text.push_str(&self.recovery.expose_for_paper());
        text.push_str(
            "\n    Opens the store without a passphrase, and everything in it but the\n\
             \x20   root's key.\n\
             \x20   A passphrase is lost:\n\
             \x20     coldsign --unlock recovery unlock change NAME\n\
             \x20   The machine is lost:\n\
             \x20     coldsign --unlock recovery backup restore BACKUP\n\
             \x20   Is it the right code?   coldsign unlock test recovery\n\n",
        );
        if self.root.is_none() {
            text.push_str(
                "Valid only where that command says so, whatever became of the act that\n\
                 wrote this sheet. The code of the sheet before it then opens nothing new.\n\n\
                 root code       not on this sheet: it is on the sheet of the day the\n\
                 \x20   store was made. Copy it over before you destroy that one.\n\n",
            );
        }
        if let Some(code) = self.root {
            text.push_str("root code       ");
            text.push_str(&code.expose_for_paper());
            text.push_str(
                "\n    Opens the root's key, which no passphrase opens. Everyday work never\n    needs it. It is in\n      ",
            );
            text.push_str(&self.root_file());
            text.push_str("\n    Is it the right code?   coldsign unlock test recovery --root\n\n");
        }
        text.push_str("Codes: capitals and blanks don't matter; O counts as 0, I and L as 1.\n\n");
        text.push_str(&self.fingerprints());
        text.push_str(
            "\nKeep this sheet in a closed place, away from machine and backups:\n\
             whoever has it and the disk, or any backup, has the keys.\n\
             It was seen or is lost:     coldsign unlock change recovery\n",
        );
        text
    }

    fn root_file(&self) -> String {
        match unlock::root(self.store) {
            Some((_, Some(file))) => escaped(&self.place.join(file).display().to_string()).to_string(),
            Some((root, None)) => format!("coldsign-root-key-{}.age, kept elsewhere", root.kid),
            None => String::new(),
        }
    }

    /// Held against a store that somebody brings back: is it this one, and has it all of that day?
    fn fingerprints(&self) -> String {
        let journal = self.store.journal();
        let note = hex(&sha256(journal.note().as_bytes()));
        let root = unlock::root(self.store).map(|(root, _)| fingerprint(&root.public)).unwrap_or_default();
        format!(
            "journal fingerprint, at {} lines\n{}root key fingerprint\n{}\n",
            journal.entries().len(),
            grouped(&note),
            grouped(&root)
        )
    }
}

/// A digest in two lines of eight groups of four.
fn grouped(digest: &str) -> String {
    let digits: Vec<char> = digest.chars().filter(char::is_ascii_hexdigit).collect();
    let groups: Vec<String> = digits.chunks(4).map(|four| four.iter().collect()).collect();
    groups.chunks(8).map(|line| format!("    {}\n", line.join(" "))).collect()
}

fn ask_back(name: &str, code: &RecoveryCode) -> Result<(), Fault> {
    loop {
        let typed = ask::secret(&format!("{name}: "))?;
        match RecoveryCode::read(&typed) {
            Ok(read) if read.is(code) => return Ok(()),
            Ok(_) => ask::tell("that is another code\n")?,
            Err(fault) => ask::tell(&format!("{fault}\n"))?,
        }
    }
}
