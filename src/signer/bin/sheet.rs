//! The recovery sheet: codes for paper, what they open and how they are used.

use super::ask;
use super::fault::Fault;
use super::screen::Screen;
use super::when;
use coldsign::acts::{Session, Store, path_word, root};
use coldsign::journal::{hex, sha256};
use coldsign::keystore::{KeyRecord, RecoveryCode};
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
pub fn take_back(file: Option<&Path>, may_count: bool, screen: &mut Screen) {
    let Some(file) = file.map(unnamed) else { return };
    if may_count {
        screen.warning(&format!("the new code is on {}: try it, then name the file", escaped(&shown(&file))));
    } else {
        remove_file(&file);
    }
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

/// Hands a new custodian their code: in a new file that gets its name from [`give_name`], or at the
/// terminal, typed back.
pub fn custodian(
    session: &Session,
    name: &str,
    elsewhere: bool,
    code: &RecoveryCode,
    file: Option<&Path>,
) -> Result<(), Refusal> {
    let (by, test) = match elsewhere {
        true => (
            format!("{name} --root-file KEY"),
            "--root-file KEY\n    KEY is the file coldsign-root-key-….age, on the stick it was made on.",
        ),
        false => (name.to_owned(), "--root"),
    };
    let sheet = session.store().sheet();
    let mut text = Zeroizing::new(String::with_capacity(2 << 10));
    text.push_str(&format!(
        "coldsign custodian's sheet{:>46}\n\nissuer  {}\nstore   {}\nkey     {name}\n\nroot code       ",
        when::utc(session.now()),
        sheet.issuer,
        sheet.store_id
    ));
    text.push_str(&code.expose_for_paper());
    text.push_str(&format!(
        "\n    Opens the key {name} of the root, and nothing else.\n\
         \x20   A root waits for its signature:\n\
         \x20     coldsign root sign --by {by}\n\
         \x20   Is it the right code?   coldsign unlock test NAME {test}\n\n\
         Valid only where that command says so, whatever became of the act that\n\
         wrote this sheet.\n\n\
         Codes: capitals and blanks don't matter; O counts as 0, I and L as 1.\n\n\
         Keep this sheet in a closed place, away from machine, key and backups.\n"
    ));
    if let Some(file) = file {
        return hand_over_unnamed(file, &text);
    }
    ask::tell(&format!("\n{}\nWrite the code down now: it is shown once. Then type it back.\n", text.as_str()))?;
    Ok(ask_back("root code", code)?)
}

fn hand_over_unnamed(file: &Path, text: &str) -> Result<(), Refusal> {
    let partial = unnamed(file);
    if is_there(file) {
        return Err(StorageFault::Exists(file.to_owned()).into());
    }
    if is_there(&partial) {
        return Err(Fault::HalfSheet(partial).into());
    }
    Ok(create_private_file(&partial, text.as_bytes())?)
}

impl Sheet<'_> {
    /// Writes the sheet to a new file; or shows it at the terminal, and has the codes typed back.
    pub fn hand_over(&self, file: Option<&Path>) -> Result<(), Refusal> {
        let text = self.text()?;
        if let Some(file) = file {
            return Ok(create_private_file(file, text.as_bytes())?);
        }
        ask::tell(&format!("\n{}\n", text.as_str()))?;
        let what = if self.root.is_some() { "both codes down now: they are" } else { "the code down now: it is" };
        let back = if self.root.is_some() { "them" } else { "it" };
        // The sheet is longer than a screen: the codes have scrolled away by now.
        let mut codes = Zeroizing::new(String::with_capacity(256));
        codes.push_str("recovery code   ");
        codes.push_str(&self.recovery.expose_for_paper());
        if let Some(code) = self.root {
            codes.push_str("\nroot code       ");
            codes.push_str(&code.expose_for_paper());
        }
        ask::tell(&format!("{}\n", codes.as_str()))?;
        ask::tell(&format!("Write {what} shown once. Then type {back} back.\n"))?;
        ask_back("recovery code", self.recovery)?;
        self.root.map_or(Ok(()), |code| ask_back("root code", code))?;
        Ok(())
    }

    /// As [`Sheet::hand_over`], but the file gets its name from [`give_name`], when the code is in force.
    pub fn hand_over_unnamed(&self, file: Option<&Path>) -> Result<(), Refusal> {
        let Some(file) = file else { return self.hand_over(None) };
        hand_over_unnamed(file, &self.text()?)
    }

    /// In letters that any printer has, in lines that any paper has room for.
    fn text(&self) -> Result<Zeroizing<String>, Refusal> {
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
                 \x20   store was made, or on a custodian's own. Copy it over before you\n\
                 \x20   destroy that one.\n\n",
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
        text.push_str(&self.fingerprints()?);
        text.push_str(
            "\nKeep this sheet in a closed place, away from machine and backups:\n\
             whoever has it and the disk, or any backup, has the keys.\n\
             It was seen or is lost:     coldsign unlock change recovery\n",
        );
        Ok(text)
    }

    fn root_file(&self) -> String {
        match root::custodians(self.store).next() {
            Some(key) if key.elsewhere => format!("coldsign-root-key-{}.age, kept elsewhere", key.kid),
            Some(key) => escaped(&self.place.join(root::key_file(&key.kid)).display().to_string()).to_string(),
            None => String::new(),
        }
    }

    /// Held against a store that somebody brings back: is it this one, and has it all of that day?
    fn fingerprints(&self) -> Result<String, Refusal> {
        let journal = self.store.journal();
        let note = hex(&sha256(journal.note().as_bytes()));
        let roots = root::chain(self.store)?;
        let mut text = String::new();
        // Those who pinned the first follow to the newest; those who pin now take the newest.
        for root in roots.iter().take(1).chain(roots.iter().skip(1).last()) {
            let number = root.root_version();
            text.push_str(&format!("fingerprint of root {number}, which verifiers pin\n"));
            text.push_str(&grouped(&root.fingerprint().to_string()));
            text.push_str(&format!("    Is it this store's?   coldsign root show {number}\n\n"));
        }
        text.push_str(&format!("journal fingerprint, at {} lines\n{}", journal.entries().len(), grouped(&note)));
        text.push_str("    Is it this one?   coldsign journal verify --fingerprint 'DIGITS'\n\n");
        let keys: Vec<&KeyRecord> = root::custodians(self.store).collect();
        for key in &keys {
            let whose = if keys.len() > 1 { format!(" of {}", key.name()) } else { String::new() };
            text.push_str(&format!("root key fingerprint{whose}\n{}", grouped(&fingerprint(&key.public))));
        }
        text.push('\n');
        Ok(text)
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
