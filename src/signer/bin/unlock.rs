//! `coldsign unlock …`

use super::Ended;
use super::ask;
use super::context::{Context, secret_in};
use super::fault::Fault;
use super::screen::Screen;
use super::sheet::{Sheet, give_name, take_back};
use super::table::Table;
use super::when;
use coldsign::acts::unlock::{self, Depth, UnlockDenied};
use coldsign::acts::{Session, Store, root};
use coldsign::keystore::{KdfCost, KeyRecord, Passphrase, RecoveryCode, UnlockRecord, Unlocks};
use coldsign::refusal::Refusal;
use coldsign::storage::read_file;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub enum Command {
    /// List the ways to open the store; needs no passphrase
    #[command(after_help = "Examples:\n  coldsign unlock list\n  coldsign unlock list --json")]
    List,
    /// Let another person open the store; another unlock opens it for that
    ///
    /// The name `recovery` stands for the recovery code, where it was removed before.
    #[command(after_help = "\
Examples:
  coldsign unlock add berta
  coldsign --passphrase-file OLD unlock add berta --new-passphrase-file NEW")]
    Add {
        /// A name for it (a-z, 0-9, -)
        name: String,
        #[command(flatten)]
        new: New,
    },
    /// Change a passphrase, or make a new recovery code; everything is sealed anew
    ///
    /// Opened by the unlock itself, or by the one that --unlock names. Backups and copies made before
    /// still open the old way.
    #[command(after_help = "\
Examples:
  coldsign unlock change anna
  coldsign --unlock recovery unlock change anna      her passphrase is lost
  coldsign unlock change recovery                    the sheet was seen or is lost
  coldsign unlock change recovery --recovery-sheet /media/usb/recovery.txt")]
    Change {
        /// The unlock
        name: String,
        #[command(flatten)]
        new: New,
        /// Only wrap the unlock's own identity again. Whoever had the old passphrase and a copy of
        /// the store can then open this store too, and all later copies of it
        #[arg(long)]
        rewrap_only: bool,
    },
    /// End a way to open the store; everything is sealed anew
    ///
    /// Opened by another unlock, which shows that there is one that works. Backups and copies made
    /// before still open the old way.
    #[command(
        after_help = "Examples:\n  coldsign unlock remove berta\n  coldsign --unlock recovery unlock remove berta --yes"
    )]
    Remove {
        /// The unlock
        name: String,
        /// Do not ask whether it is meant
        #[arg(long)]
        yes: bool,
    },
    /// Bring an unlock's own file up to date, after another unlock was changed or removed
    ///
    /// Each unlock's file names the journal's key. A changed or removed unlock gives the journal a new
    /// key. Until a file names the new key, somebody who knew the old key can deceive the owner of that
    /// file. Every other act that this unlock opens does the same.
    #[command(after_help = "\
Examples:
  coldsign unlock refresh berta
  coldsign unlock refresh recovery      with the code on paper")]
    Refresh {
        /// The unlock
        name: String,
    },
    /// Try a passphrase or code: does it open the store and reach every private key?
    ///
    /// Changes nothing, in a copy of a store as well.
    #[command(after_help = "\
Examples:
  coldsign unlock test recovery
  coldsign unlock test recovery --root
  coldsign --store /media/usb/copy unlock test anna")]
    Test {
        /// The unlock
        name: String,
        /// Try the root code too
        #[arg(long)]
        root: bool,
        /// The root's key, where it is kept outside the store; tries the root code
        #[arg(long, value_name = "FILE")]
        root_file: Option<PathBuf>,
        /// Read the root code from the first line of a file; tries it
        #[arg(long, value_name = "FILE")]
        root_code_file: Option<PathBuf>,
    },
}

/// Where a new passphrase or code comes from or goes to.
#[derive(clap::Args)]
pub struct New {
    /// Read the new passphrase from the first line of a file; - for standard input
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// For `recovery`: write the new code to this new file instead of showing it
    #[arg(long, value_name = "FILE")]
    recovery_sheet: Option<PathBuf>,
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::List => list(context, screen),
        Command::Add { name, new } => add(&name, &new, context, screen),
        Command::Change { name, new, rewrap_only } => {
            let depth = if rewrap_only { Depth::RewrapOnly } else { Depth::Reseal };
            change(&name, &new, depth, context, screen)
        }
        Command::Remove { name, yes } => remove(&name, yes, context, screen),
        Command::Refresh { name } => refresh(&name, context, screen),
        Command::Test { name, root, root_file, root_code_file } => {
            let root = (root || root_file.is_some() || root_code_file.is_some()).then_some((root_file, root_code_file));
            test(&name, root, context, screen)
        }
    }
}

fn list(context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store(screen)?;
    let unlocks = store.ledger().unlocks.all();
    let behind = store.unlocks_behind();
    if screen.json() {
        let rows = unlocks.iter().map(|unlock| as_json(unlock, !behind.contains(&unlock.name.as_str())));
        screen.object(&Value::Array(rows.collect()));
        return Ok(());
    }
    let mut table = Table::new(&["UNLOCK", "OPENED BY", "MADE (UTC)", "CHANGED (UTC)", "LAST BY", "COST"]);
    for unlock in unlocks {
        let changed = unlock.changed_at.map(when::minute).unwrap_or_default();
        let cost = format!("2^{} KiB", unlock.kdf_log_n);
        table.row(&[&unlock.name, kind(unlock), &when::minute(unlock.added_at), &changed, &unlock.by, &cost]);
    }
    for line in table.lines(screen.width()) {
        screen.line(&line);
    }
    tell_behind(&store, screen);
    Ok(())
}

/// Names the unlocks whose files still name a journal key that was replaced.
fn tell_behind(store: &Store, screen: &mut Screen) {
    for name in store.unlocks_behind() {
        screen.warning(&format!(
            "the file of {name} is not up to date: somebody who knew an old unlock could deceive {}",
            if name == Unlocks::RECOVERY { "whoever uses that code" } else { name }
        ));
        screen.hint(&format!("coldsign unlock refresh {name}"));
    }
}

/// Every act that opens with an unlock brings its file up to date; this one does nothing else.
fn refresh(name: &str, context: &Context, screen: &mut Screen) -> Ended {
    context.unvouched_store()?.ledger().unlocks.find(name)?;
    if context.unlock_named().is_some_and(|named| named != name) {
        return Err(Fault::Missing("NAME's own passphrase or code opens the store here: leave --unlock out").into());
    }
    let open = context.open_by(name, screen)?;
    let was_behind = open.store().unlocks_behind().contains(&name);
    let session = open.begin(context, screen)?;
    if screen.json() {
        screen.object(&json!({"unlock": name, "changed": was_behind, "up_to_date": true}));
        return Ok(());
    }
    let what = if was_behind { "is brought up to date" } else { "was up to date already" };
    screen.note(&format!("the file of {name} {what}"));
    tell_behind(session.store(), screen);
    Ok(())
}

fn add(name: &str, new: &New, context: &Context, screen: &mut Screen) -> Ended {
    unlock::check_name(name)?;
    new.fits(name, context)?;
    let mut session = context.act(screen, |store, _| unlock::check_add(store, name))?;
    let passphrase = new.passphrase(name, &session, context)?;
    unlock::add(&mut session, name, &passphrase)
        .inspect_err(|refusal| take_back(new.sheet(), may_count(refusal), screen))?;
    give_name(new.sheet(), screen);
    if screen.json() {
        told(&session, name, screen);
        return Ok(());
    }
    screen.note(&format!("{name} opens the store"));
    warn_cheap(&session, screen);
    screen.hint(&format!("coldsign unlock test {name}"));
    Ok(())
}

fn change(name: &str, new: &New, depth: Depth, context: &Context, screen: &mut Screen) -> Ended {
    new.fits(name, context)?;
    // A lost code is no reason to ask for it; a person's own passphrase is the one at hand.
    let by = context.unlock(&context.unvouched_store()?, (name != Unlocks::RECOVERY).then_some(name))?;
    let (mut session, own) = context.act_by(&by, screen, |store, _| unlock::check_change(store, name, depth, &by))?;
    let passphrase = new.passphrase(name, &session, context)?;
    unlock::change(&mut session, name, &passphrase, depth, Some(&own))
        .inspect_err(|refusal| take_back(new.sheet(), may_count(refusal), screen))?;
    give_name(new.sheet(), screen);
    if name == Unlocks::RECOVERY {
        screen.warning("the root code is not on the new sheet: copy it over before you destroy the old one");
    }
    if screen.json() {
        told(&session, name, screen);
        return Ok(());
    }
    screen.note(&format!("the {} of {name} is changed", word(name)));
    match depth {
        Depth::Reseal => {
            sealed_anew(&session, screen);
            warn_own(name, &by, screen);
        }
        Depth::RewrapOnly => screen.warning(&format!(
            "nothing was sealed anew: whoever had the old {} and a copy of the store can open this store and later copies",
            word(name)
        )),
    }
    warn_cheap(&session, screen);
    screen.hint(&format!("coldsign unlock test {name}"));
    Ok(())
}

fn remove(name: &str, yes: bool, context: &Context, screen: &mut Screen) -> Ended {
    let store = context.unvouched_store()?;
    let by = context.unlock(&store, store.ledger().unlocks.other_than(name))?;
    let own = |refusal| match by != name && context.file_opens(&store, name) {
        // The passphrase at hand is the one that is to go.
        true => UnlockDenied::Own { name: name.to_owned(), other: by.clone() }.into(),
        false => refusal,
    };
    let ask = |store: &Store, _: &mut Screen| {
        unlock::check_remove(store, name, &by)?;
        if !yes {
            ask::confirm(&format!("{name} will no longer open the store; copies made before still open that way."))?;
        }
        Ok(())
    };
    let (mut session, passphrase) = context.act_by(&by, screen, ask).map_err(own)?;
    unlock::remove(&mut session, name, Some(&passphrase))?;
    if screen.json() {
        told(&session, name, screen);
        return Ok(());
    }
    screen.note(&format!("{name} no longer opens the store"));
    sealed_anew(&session, screen);
    warn_own(name, &by, screen);
    warn_kept(name, screen);
    if let [last] = session.store().ledger().unlocks.all() {
        screen.warning(&format!("only {} opens the store now: if that is lost, the store is lost", last.name));
        let another = if last.name == Unlocks::RECOVERY { "NAME" } else { Unlocks::RECOVERY };
        screen.hint(&format!("coldsign unlock add {another}"));
    }
    Ok(())
}

fn test(name: &str, root: Option<(Option<PathBuf>, Option<PathBuf>)>, context: &Context, screen: &mut Screen) -> Ended {
    let store = context.unvouched_store()?;
    store.ledger().unlocks.find(name)?;
    if context.unlock_named().is_some_and(|named| named != name) {
        return Err(Fault::Missing("it is NAME's own passphrase or code that is tried: leave --unlock out").into());
    }
    let place = context.place()?;
    let reached = context.with_passphrase(name, |passphrase| unlock::test(&place, name, passphrase))?;
    let root = match &root {
        Some((file, code)) => Some(test_root(&store, file.as_deref(), code.as_deref())?),
        None => None,
    };
    if screen.json() {
        let keys: Vec<String> = reached.iter().map(KeyRecord::name).collect();
        let kid = root.as_ref().map(|(_, kid)| kid);
        screen.object(&json!({"unlock": name, "opens": true, "keys": keys, "root": kid}));
        return Ok(());
    }
    screen.line(&format!("{name} opens the store and reaches its {} private keys; nothing was changed", reached.len()));
    if let Some((name, kid)) = root {
        screen.line(&format!("the root code opens the root's key {name}, {kid}"));
    }
    Ok(())
}

/// Whether a change of the unlocks that was refused may be in force all the same.
fn may_count(refusal: &Refusal) -> bool {
    refusal.reason().rule() == Some("UNLOCK-UNFINISHED")
}

/// Name and kid of the root's key that was opened.
fn test_root(store: &Store, file: Option<&Path>, code_file: Option<&Path>) -> Result<(String, String), Refusal> {
    let elsewhere = file.map(|file| read_file(file, root::LARGEST_KEY)).transpose()?;
    ask::root_code(code_file, "root code: ", |code| {
        let key = root::opened_by(store, file.zip(elsewhere.as_deref()), code)?;
        Ok((key.name(), key.kid.clone()))
    })
}

impl New {
    fn sheet(&self) -> Option<&Path> {
        self.recovery_sheet.as_deref()
    }

    /// A code can't be chosen, and a passphrase is not for paper.
    fn fits(&self, name: &str, context: &Context) -> Result<(), Refusal> {
        self.sheet().map_or(Ok(()), |sheet| context.refuse_within(sheet))?;
        match (name == Unlocks::RECOVERY, &self.new_passphrase_file, &self.recovery_sheet) {
            (true, Some(_), _) => {
                Err(Fault::Missing("the recovery code is made here: leave out --new-passphrase-file").into())
            }
            (false, _, Some(_)) => Err(Fault::Missing("--recovery-sheet is for the unlock recovery").into()),
            _ => Ok(()),
        }
    }

    /// A person's new passphrase; or a new code, which is on paper when this returns.
    fn passphrase(&self, name: &str, session: &Session, context: &Context) -> Result<Passphrase, Refusal> {
        if name == Unlocks::RECOVERY {
            let code = RecoveryCode::generate()?;
            let place = context.place()?;
            let sheet =
                Sheet { store: session.store(), place: &place, now: session.now(), recovery: &code, root: None };
            sheet.hand_over_unnamed(self.sheet())?;
            return Ok(code.to_passphrase());
        }
        match &self.new_passphrase_file {
            Some(file) => Ok(Passphrase::new(secret_in(file)?)?),
            None => ask::new_passphrase(name),
        }
    }
}

fn told(session: &Session, name: &str, screen: &mut Screen) {
    let unlocks = &session.store().ledger().unlocks;
    let names: Vec<&str> = unlocks.all().iter().map(|unlock| unlock.name.as_str()).collect();
    screen.object(&json!({"unlock": name, "generation": unlocks.generation(), "unlocks": names}));
}

fn sealed_anew(session: &Session, screen: &mut Screen) {
    let generation = session.store().ledger().unlocks.generation();
    screen.note(&format!("every private key is sealed anew, in sealed/{generation}"));
    screen.warning("backups and copies made before now still open the old way, with all keys of that day");
    tell_behind(session.store(), screen);
}

/// Whoever knew the journal's key of that day can go on with a copy of that day, and put it here: the file in
/// it of the unlock that was used now opens to the same passphrase.
fn warn_own(changed: &str, by: &str, screen: &mut Screen) {
    if changed != by {
        let own = word(by);
        screen.warning(&format!("a copy from before that is put back whole opens to your own {own}: change it too"));
        screen.hint(&format!("coldsign unlock change {by}"));
    }
}

/// Whoever was removed opened every key of that day: a copy of that day signs publications and tokens until
/// verifiers hear of other keys.
fn warn_kept(removed: &str, screen: &mut Screen) {
    let own = word(removed);
    screen.warning(&format!(
        "whoever knew {removed}'s {own} and has a copy of the store has the keys of that day, and signs \
         publications with them"
    ));
    screen.hint("coldsign root rotate --bundle-key");
}

fn warn_cheap(session: &Session, screen: &mut Screen) {
    let cost = session.store().ledger().unlocks.cost().map_or(KdfCost::STANDARD.log_n(), KdfCost::log_n);
    if cost < KdfCost::STANDARD.log_n() {
        screen.warning(&format!("a try at the passphrase costs only 2^{cost} KiB; 2^18 is the standard"));
    }
}

fn word(name: &str) -> &'static str {
    if name == Unlocks::RECOVERY { "code" } else { "passphrase" }
}

fn kind(unlock: &UnlockRecord) -> &'static str {
    if unlock.name == Unlocks::RECOVERY { "code on paper" } else { "passphrase" }
}

/// An unlock as the commands' JSON has it.
fn as_json(unlock: &UnlockRecord, up_to_date: bool) -> Value {
    json!({
        "unlock": unlock.name,
        "kind": if unlock.name == Unlocks::RECOVERY { "recovery-code" } else { "passphrase" },
        "recipient": unlock.recipient,
        "kdf_log_n": unlock.kdf_log_n,
        "sha256": unlock.sha256,
        "added": unlock.added_at,
        "changed": unlock.changed_at,
        "up_to_date": up_to_date,
        "by": unlock.by,
    })
}
