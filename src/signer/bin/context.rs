//! What every command starts from: the store's place, the clock, the passphrase.

use super::Global;
use super::ask;
use super::fault::Fault;
use super::reach;
use super::screen::Screen;
use super::when;
use clap::ArgMatches;
use coldsign::acts::clock::{act_time, check_gap_since};
use coldsign::acts::{ClockDenied, Session, Store, Unlocked, history};
use coldsign::keystore::{Passphrase, RecoveryCode, unlock_opens};
use coldsign::refusal::Refusal;
use coldsign::storage::{Confined, read_descriptor, read_file};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The longest passphrase file that is read, in bytes.
const LONGEST_PASSPHRASE: u64 = 4 << 10;
/// The name under which the recovery code opens a store.
const RECOVERY: &str = "recovery";

/// The options of every command, and the process's surroundings.
pub struct Context {
    global: Global,
    confined: Confined,
}

impl Context {
    pub(super) fn new(global: Global) -> Self {
        Self { global, confined: Confined::default() }
    }

    /// From here on the process can touch nothing but what the command needs.
    pub(super) fn confine(&mut self, matches: &ArgMatches) {
        self.confined = reach::confine(matches, self);
    }

    /// What holds for the process since then.
    pub fn confined(&self) -> Confined {
        self.confined
    }

    /// Where the store is or is to be.
    pub fn place(&self) -> Result<PathBuf, Fault> {
        if let Some(place) = &self.global.store {
            return Ok(place.clone());
        }
        if let Some(named) = std::env::var_os("COLDSIGN_STORE").filter(|named| !named.is_empty()) {
            return Ok(PathBuf::from(named));
        }
        let data = std::env::var_os("XDG_DATA_HOME").filter(|data| Path::new(data).is_absolute());
        let data = data.map(PathBuf::from).or_else(|| {
            let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
            Some(Path::new(&home).join(".local/share"))
        });
        data.map(|data| data.join("coldsign")).ok_or(Fault::NoPlace)
    }

    /// The store, for reading. Where --unlock or --passphrase-file names how to open it, it is opened and
    /// vouched for; else what is shown is marked as not authenticated.
    pub fn store(&self, screen: &mut Screen) -> Result<Store, Refusal> {
        if self.global.passphrase_file.is_some() || self.global.unlock.is_some() {
            return self.vouched_store(screen);
        }
        let store = self.unvouched_store()?;
        screen.shows(false);
        Ok(store)
    }

    /// The store as its files have it: for questions that are asked before it is opened.
    pub fn unvouched_store(&self) -> Result<Store, Refusal> {
        Store::open(&self.place()?)
    }

    /// The store, opened: for what people pin or carry out.
    pub fn vouched_store(&self, screen: &mut Screen) -> Result<Store, Refusal> {
        let (store, _) = self.open_quietly(&self.unlock(&self.unvouched_store()?, None)?)?;
        screen.shows(true);
        Ok(store.into_store())
    }

    /// As [`Context::vouched_store`], unless the operator takes the files' word for it.
    pub fn store_to_pin(&self, unauthenticated: bool, screen: &mut Screen) -> Result<Store, Refusal> {
        if unauthenticated { self.store(screen) } else { self.vouched_store(screen) }
    }

    /// The store for reading where there is one; a store that can't be read is a refusal.
    pub fn store_if_any(&self, screen: &mut Screen) -> Result<Option<Store>, Refusal> {
        match self.place() {
            Ok(place) if self.global.store.is_some() || Store::is_at(&place) => Ok(Some(self.store(screen)?)),
            _ => Ok(None),
        }
    }

    /// Refuses to write a product into the store.
    pub fn refuse_within(&self, product: &Path) -> Result<(), Refusal> {
        match self.place() {
            Ok(place) if Store::is_at(&place) => Ok(Store::refuse_within(&place, product)?),
            _ => Ok(()),
        }
    }

    /// The machine's clock, in seconds since the epoch.
    pub fn now(&self) -> Result<u64, Fault> {
        when::now()
    }

    /// The store, opened for an act that asks nothing more. Asks for the passphrase where no file has it.
    pub fn session(&self, screen: &mut Screen) -> Result<Session, Refusal> {
        self.open(screen)?.begin(self, screen)
    }

    /// The store, opened for an act that is planned, shown and asked about first. What the plan says
    /// rests on a journal that the passphrase vouches for. Where another act came between, it is
    /// planned and asked about once more, under the lock.
    pub fn act(
        &self,
        screen: &mut Screen,
        plan: impl FnMut(&Store, &mut Screen) -> Result<(), Refusal>,
    ) -> Result<Session, Refusal> {
        let unlock = self.unlock(&self.unvouched_store()?, None)?;
        self.act_by(&unlock, screen, plan).map(|(session, _)| session)
    }

    /// As [`Context::act`], by an unlock of the store; and the passphrase that opened it.
    pub fn act_by(
        &self,
        unlock: &str,
        screen: &mut Screen,
        mut plan: impl FnMut(&Store, &mut Screen) -> Result<(), Refusal>,
    ) -> Result<(Session, Passphrase), Refusal> {
        let open = self.open_by(unlock, screen)?;
        plan(open.store(), screen)?;
        let (session, passphrase) = open.begin_kept(self, screen)?;
        let others: Vec<String> = history::acts(session.meanwhile()).iter().map(describe).collect();
        if !others.is_empty() {
            screen.warning("another act changed this store meanwhile:");
            others.iter().for_each(|other| screen.note(other));
            plan(session.store(), screen)?;
        }
        Ok((session, passphrase))
    }

    /// The store, opened for an act, without its lock.
    pub fn open(&self, screen: &mut Screen) -> Result<Open, Refusal> {
        let unlock = self.unlock(&self.unvouched_store()?, None)?;
        self.open_by(&unlock, screen)
    }

    /// The unlock that opens the store for an act: the one named, or `usual` where none is.
    pub fn unlock(&self, store: &Store, usual: Option<&str>) -> Result<String, Refusal> {
        store.unlock_name(self.global.unlock.as_deref().or(usual))
    }

    /// The store, opened for an act by an unlock of it.
    pub fn open_by(&self, unlock: &str, screen: &mut Screen) -> Result<Open, Refusal> {
        let (unlocked, passphrase) = self.open_quietly(unlock)?;
        screen.shows(true);
        let store = unlocked.store();
        let last = history::last(store.journal().entries()).map(|act| describe(&act)).unwrap_or_default();
        screen.note(&format!("opened {} at {}", store.sheet().issuer, store.directory().path().display()));
        screen.note(&format!("the last act: {last}"));
        act_time(self.now()?, store.journal().newest_time(), store.skew())?;
        self.check_gap(store.journal().newest_time())?;
        Ok(Open { unlocked, passphrase })
    }

    fn open_quietly(&self, unlock: &str) -> Result<(Unlocked, Passphrase), Refusal> {
        let place = self.place()?;
        self.with_passphrase_kept(unlock, |passphrase| Unlocked::open(&place, Some(unlock), passphrase))
    }

    /// Whether the operator has said in advance that the time is right.
    pub fn time_is_confirmed(&self) -> bool {
        self.global.time_confirmed
    }

    /// Asks whether the clock is right where the newest time that is known is long ago.
    pub fn check_gap(&self, newest: u64) -> Result<(), Refusal> {
        if let Err(gap) = check_gap_since(newest, self.now()?, self.global.time_confirmed) {
            self.confirm_time(&format!("The last act was {}.", when::both(newest)), gap)?;
        }
        Ok(())
    }

    /// Asks whether the clock is right; a script, which nobody watches, is refused.
    pub fn confirm_time(&self, reason: &str, otherwise: ClockDenied) -> Result<(), Refusal> {
        if self.global.passphrase_file.is_some() {
            return Err(otherwise.into());
        }
        let question = format!("{reason} The machine's clock shows {}. Is that the time?", when::both(self.now()?));
        match ask::confirm(&question) {
            Err(Fault::NoTerminal(_)) => Err(otherwise.into()),
            answered => Ok(answered?),
        }
    }

    /// The passphrase from its file, if one is named.
    pub fn passphrase_from_file(&self) -> Result<Option<Zeroizing<String>>, Refusal> {
        self.global.passphrase_file.as_deref().map(secret_in).transpose()
    }

    /// The unlock that is named, if one is.
    pub fn unlock_named(&self) -> Option<&str> {
        self.global.unlock.as_deref()
    }

    /// What opens with the passphrase or code of an unlock. Typed wrong, it is asked for again.
    pub fn with_passphrase<T>(
        &self,
        unlock: &str,
        open: impl Fn(&Passphrase) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.with_passphrase_kept(unlock, open).map(|(opened, _)| opened)
    }

    /// As [`Context::with_passphrase`], and the passphrase that did it.
    pub fn with_passphrase_kept<T>(
        &self,
        unlock: &str,
        open: impl Fn(&Passphrase) -> Result<T, Refusal>,
    ) -> Result<(T, Passphrase), Refusal> {
        let tries = if self.global.passphrase_file.is_some() { 1 } else { ask::TRIES };
        ask::again(tries, || {
            let passphrase = self.passphrase(unlock)?;
            Ok((open(&passphrase)?, passphrase))
        })
    }

    /// Whether the passphrase file, where no unlock is named with it, opens that one.
    pub fn file_opens(&self, store: &Store, unlock: &str) -> bool {
        let file = self.global.passphrase_file.as_deref().filter(|file| file.as_os_str() != "-");
        let record =
            store.ledger().unlocks.find(unlock).ok().filter(|_| file.is_some() && self.global.unlock.is_none());
        record.is_some_and(|record| {
            self.passphrase(unlock).is_ok_and(|passphrase| unlock_opens(store.directory(), record, &passphrase))
        })
    }

    /// The passphrase or code of an unlock, from its file or typed.
    fn passphrase(&self, unlock: &str) -> Result<Passphrase, Refusal> {
        let text = match self.passphrase_from_file()? {
            Some(text) => text,
            None if unlock == RECOVERY => ask::secret("recovery code: ")?,
            None => ask::secret(&format!("passphrase of {unlock}: "))?,
        };
        if unlock == RECOVERY {
            return Ok(RecoveryCode::read(&text).map_err(Fault::from)?.to_passphrase());
        }
        Ok(Passphrase::from(text))
    }
}

/// For what people pin or carry out.
#[derive(clap::Args, Clone, Copy)]
pub struct Pin {
    /// Don't ask for the passphrase: take the word of the store's files, which anybody who can write
    /// them can make up
    #[arg(long)]
    pub unauthenticated: bool,
}

/// A store that a passphrase has opened, before its lock is taken.
pub struct Open {
    unlocked: Unlocked,
    passphrase: Passphrase,
}

impl Open {
    /// The store.
    pub fn store(&self) -> &Store {
        self.unlocked.store()
    }

    /// Takes the lock, for an act.
    pub fn begin(self, context: &Context, screen: &mut Screen) -> Result<Session, Refusal> {
        self.begin_kept(context, screen).map(|(session, _)| session)
    }

    /// As [`Open::begin`], and the passphrase that opened the store.
    pub fn begin_kept(self, context: &Context, screen: &mut Screen) -> Result<(Session, Passphrase), Refusal> {
        let session = self.unlocked.begin(&self.passphrase, context.now()?)?;
        for file in &session.swept().removed {
            screen.note(&format!("removed what an interrupted act had left: {file}"));
        }
        for file in &session.swept().put_aside {
            screen.warning(&format!("put aside what the journal does not know: {file}"));
        }
        if !session.swept().put_aside.is_empty() {
            screen.hint("coldsign store check");
        }
        screen.note(&format!("the time of this act is {}", when::both(session.now())));
        Ok((session, self.passphrase))
    }
}

/// When an act was done, by which unlock, and what it did.
fn describe(act: &history::Act) -> String {
    format!("{} by {}: {}", when::both(act.time), act.by, act.what)
}

/// A passphrase or code: the first line of a file, or of standard input for `-`.
pub fn secret_in(file: &Path) -> Result<Zeroizing<String>, Refusal> {
    let bytes = Zeroizing::new(if file.as_os_str() == "-" {
        read_descriptor(std::io::stdin().as_fd(), LONGEST_PASSPHRASE)?
    } else {
        read_file(file, LONGEST_PASSPHRASE)?
    });
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| Fault::PassphraseNotText)?.trim_end_matches('\r');
    if line.is_empty() {
        return Err(Fault::EmptyPassphrase.into());
    }
    Ok(Zeroizing::new(line.to_owned()))
}
