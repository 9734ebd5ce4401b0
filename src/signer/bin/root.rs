//! `coldsign root …`

mod seen;

use super::Ended;
use super::ask;
use super::context::{Context, Pin};
use super::screen::Screen;
use super::sheet;
use super::when;
use coldsign::acts::root::{self, Custodian, Progress, RootDenied, Wish};
use coldsign::acts::{Session, Store, path_word};
use coldsign::keystore::{KeyRecord, KeyState, RecoveryCode};
use coldsign::refusal::Refusal;
use coldsign::storage::read_file;
use coldsign_verify::PublicKey;
use coldsign_verify::root::Root;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Show the root that verifiers pin: its fingerprint, its custodians, its end
    #[command(after_help = "Examples:\n  coldsign root show\n  coldsign root show 1 --json")]
    Show {
        /// Its number; the newest without
        number: Option<u64>,
        #[command(flatten)]
        pin: Pin,
    },
    /// Make the next root: a later end, another bundle key, another threshold
    #[command(after_help = "\
Examples:
  coldsign root rotate
  coldsign root rotate --bundle-key
  coldsign root rotate --threshold 2 --by root/1")]
    Rotate {
        /// Replace the key that signs bundles: for one that somebody else may have
        #[arg(long)]
        bundle_key: bool,
        #[command(flatten)]
        terms: NewTerms,
        #[command(flatten)]
        by: By,
    },
    /// Make the next root with one custodian more, who gets a key and a code of their own
    #[command(after_help = "\
Examples:
  coldsign root add-key --threshold 2
  coldsign root add-key --to /media/cora --sheet /media/paper/cora.txt --by root/1
  coldsign root add-key --instead-of root/2 --by root/1")]
    AddKey {
        /// The custodian that leaves at the same time, such as root/2: its key or code is lost
        #[arg(long, value_name = "NAME")]
        instead_of: Option<String>,
        /// Put the new key into this directory (another stick) instead of the store
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Write the new code to this new file instead of showing it
        #[arg(long, value_name = "FILE")]
        sheet: Option<PathBuf>,
        #[command(flatten)]
        terms: NewTerms,
        #[command(flatten)]
        by: By,
    },
    /// Make the next root without one of the custodians
    #[command(after_help = "Examples:\n  coldsign root remove-key root/2 --threshold 1")]
    RemoveKey {
        /// The custodian's key, such as root/2
        name: String,
        #[command(flatten)]
        terms: NewTerms,
        #[command(flatten)]
        by: By,
    },
    /// Show the root that waits, ask, and sign it as another custodian
    #[command(after_help = "\
Examples:
  coldsign root sign --by root/2
  coldsign root sign --by root/2 --root-code-file code --draft DIGEST
  coldsign root sign --by root/3 --root-file /media/anna/coldsign-root-key-….age")]
    Sign {
        /// Sign the root whose payload has this SHA-256 without a question (scripts); root show prints it
        #[arg(long, value_name = "DIGEST")]
        draft: Option<String>,
        #[command(flatten)]
        by: By,
    },
    /// Take back the root that waits for signatures
    #[command(after_help = "Examples:\n  coldsign root discard")]
    Discard,
}

/// What the next root says.
#[derive(clap::Args)]
pub struct NewTerms {
    /// How many custodians must sign from then on
    #[arg(long, value_name = "N")]
    threshold: Option<usize>,
    /// How long it is good [default: five years]
    #[arg(long, value_name = "DURATION")]
    lifetime: Option<String>,
}

/// Who signs.
#[derive(clap::Args)]
pub struct By {
    /// The custodian whose code it is, where there are several
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// That custodian's code from the first line of a file; - for standard input
    #[arg(long, value_name = "FILE")]
    root_code_file: Option<PathBuf>,
    /// That custodian's key, where it is not in the store
    #[arg(long, value_name = "FILE")]
    root_file: Option<PathBuf>,
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::Show { number, pin } => show(number, pin, context, screen),
        Command::Rotate { bundle_key, terms, by } => {
            let wish = Wish { bundle_key, ..terms.wish()? };
            propose(&wish, &by, context, screen)
        }
        Command::AddKey { instead_of, to, sheet, terms, by } => {
            for product in to.iter().chain(&sheet) {
                context.refuse_within(product)?;
            }
            let code = RecoveryCode::generate()?;
            let new = Wish { add: Some(&code), add_to: to.as_deref(), ..terms.wish()? };
            add_key(&Wish { remove: instead_of.as_deref(), ..new }, sheet.as_deref(), &by, context, screen)
        }
        Command::RemoveKey { name, terms, by } => {
            let wish = Wish { remove: Some(&name), ..terms.wish()? };
            propose(&wish, &by, context, screen)
        }
        Command::Sign { draft, by } => sign(draft.as_deref(), &by, context, screen),
        Command::Discard => discard(context, screen),
    }
}

/// What is shown is what is signed: the draft is read once, in the opened store.
fn sign(draft: Option<&str>, by: &By, context: &Context, screen: &mut Screen) -> Ended {
    let check = |store: &Store| Ok(root::must_wait(store).map(drop)?);
    let (mut session, name) = by.session(check, context, screen)?;
    let waiting = root::waiting(session.store())?.ok_or(RootDenied::NothingWaits)?;
    seen::waiting(&waiting, draft, &by.command(&name), screen)?;
    let custodian = by.custodian(&session, &name, screen)?;
    let progress = root::sign(&mut session, &waiting, &custodian)?;
    tell(&session, &progress, screen)
}

fn discard(context: &Context, screen: &mut Screen) -> Ended {
    let mut session = context.act(screen, |store, _| Ok(root::must_wait(store).map(drop)?))?;
    let elsewhere =
        root::custodians(session.store()).filter(|key| key.state == KeyState::PreActivation && key.elsewhere);
    let elsewhere: Vec<String> = elsewhere.map(|key| format!("coldsign-root-key-{}.age", key.kid)).collect();
    let root_version = root::discard(&mut session)?;
    if screen.json() {
        screen.object(&json!({"root_version": root_version, "discarded": true}));
        return Ok(());
    }
    screen.note(&format!("root {root_version} is taken back; keys made for it are gone from the store"));
    for file in elsewhere {
        screen.note(&format!("{file}, wherever it was put, opens nothing: destroy it"));
    }
    Ok(())
}

fn add_key(wish: &Wish<'_>, sheet: Option<&Path>, by: &By, context: &Context, screen: &mut Screen) -> Ended {
    let Some(code) = wish.add else { return Ok(()) };
    let (mut session, signer) = by.session(|store| root::check(store, wish), context, screen)?;
    let proposal = root::prepare(&session, wish)?;
    seen::proposed(&proposal.difference, by.is_scripted(), screen)?;
    let custodian = by.custodian(&session, &signer, screen)?;
    let name = format!("root/{}", session.store().ledger().keys.next_number("root"));
    // On paper before there is anything that only it could open.
    sheet::custodian(&session, &name, wish.add_to.is_some(), code, sheet)?;
    let progress = root::propose(&mut session, wish, proposal, &custodian).inspect_err(|_| {
        // The only copy of the code is destroyed only where the journal is known not to have its key.
        let known = context.unvouched_store().map_or(true, |store| store.ledger().keys.by_name(&name).is_some());
        sheet::take_back(sheet, known, screen);
    })?;
    sheet::give_name(sheet, screen);
    tell(&session, &progress, screen)
}

fn propose(wish: &Wish<'_>, by: &By, context: &Context, screen: &mut Screen) -> Ended {
    let (mut session, signer) = by.session(|store| root::check(store, wish), context, screen)?;
    let proposal = root::prepare(&session, wish)?;
    seen::proposed(&proposal.difference, by.is_scripted(), screen)?;
    let custodian = by.custodian(&session, &signer, screen)?;
    let progress = root::propose(&mut session, wish, proposal, &custodian)?;
    tell(&session, &progress, screen)
}

impl NewTerms {
    fn wish(&self) -> Result<Wish<'static>, Refusal> {
        let lifetime = self.lifetime.as_deref().map(when::span).transpose()?;
        Ok(Wish { threshold: self.threshold, lifetime, ..Wish::default() })
    }
}

impl By {
    /// Whether the code is in a file: nobody types it.
    fn is_scripted(&self) -> bool {
        self.root_code_file.is_some()
    }

    /// The command by which that custodian signs, with the files that were named.
    fn command(&self, name: &str) -> String {
        let files = [("--root-code-file", &self.root_code_file), ("--root-file", &self.root_file)];
        let files = files.iter().filter_map(|(option, file)| Some(format!(" {option} {}", path_word(file.as_ref()?))));
        files.fold(format!("coldsign root sign --by {name}"), |command, file| command + &file)
    }

    /// The store opened and checked, and the name of the custodian who signs.
    fn session(
        &self,
        check: impl Fn(&Store) -> Result<(), Refusal>,
        context: &Context,
        screen: &mut Screen,
    ) -> Result<(Session, String), Refusal> {
        let mut name = String::new();
        let session = context.act(screen, |store, _| {
            check(store)?;
            let record = root::signer(store, self.by.as_deref())?;
            name = record.name();
            if record.elsewhere && self.root_file.is_none() {
                return Err(RootDenied::Elsewhere(name.clone()).into());
            }
            Ok(())
        })?;
        Ok((session, name))
    }

    /// That custodian's key, opened with its code.
    fn custodian(&self, session: &Session, name: &str, screen: &mut Screen) -> Result<Custodian, Refusal> {
        // Who may sign was settled in the store that was opened; no draft is read again here.
        let mut custodians = root::custodians(session.store());
        let none = || RootDenied::NoCustodian { name: name.to_owned(), may: Vec::new() };
        let record = custodians.find(|key| key.name() == name).ok_or_else(none)?;
        let elsewhere = self.root_file.as_deref().map(|file| read_file(file, root::LARGEST_KEY)).transpose()?;
        let elsewhere = self.root_file.as_deref().zip(elsewhere.as_deref());
        let custodian = ask::root_code(self.root_code_file.as_deref(), &format!("root code of {name}: "), |code| {
            root::open(session.store(), record, elsewhere, code)
        })?;
        if !custodian.as_named {
            screen.warning(&format!(
                "the file of {name} is not the one that the journal names: was it wrapped by another code?"
            ));
        }
        Ok(custodian)
    }
}

fn tell(session: &Session, progress: &Progress, screen: &mut Screen) -> Ended {
    let made = if progress.complete { root::newest(session.store())? } else { None };
    if screen.json() {
        screen.object(&json!({
            "root_version": progress.root_version, "complete": progress.complete, "signed": progress.signed,
            "may_sign": progress.may_sign, "new_keys": progress.new_keys, "ended": progress.ended,
            "key_file": progress.key_file.as_ref().map(|file| file.display().to_string()),
            "root": made.as_ref().map(as_json),
            "draft": root::waiting(session.store())?.map(|waiting| waiting.difference.payload.to_string()),
        }));
        return Ok(());
    }
    for key in &progress.new_keys {
        screen.note(&format!("made {key}"));
    }
    if let Some(file) = &progress.key_file {
        screen.note(&format!("the custodian's key is {}, and nowhere else", file.display()));
    }
    for key in &progress.ended {
        screen.note(&format!("{key} is gone"));
    }
    let Some(root) = made else {
        screen.note(&format!("root {} waits for signatures", progress.root_version));
        for line in lacking(session.store())? {
            screen.note(&line);
        }
        if let Some(next) = progress.may_sign.first() {
            screen.hint(&format!("coldsign root sign --by {next}"));
        }
        return Ok(());
    };
    screen.note(&format!("made root {}, good until {}", root.root_version(), when::utc(root.terms().expires_at.0)));
    tell_fingerprint(&root, screen);
    screen.note("verifiers that pinned an earlier root follow to it by themselves");
    let terms = root.terms();
    if terms.threshold > 1 && terms.threshold == terms.root_keys.len() {
        screen.warning("every custodian must sign the next root: if one key or code is lost, nobody can make one");
    }
    screen.hint("coldsign publish --to .");
    Ok(())
}

fn show(number: Option<u64>, pin: Pin, context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store_to_pin(pin.unauthenticated, screen)?;
    let root = root::find(&store, number)?;
    let waiting = root::waiting(&store)?;
    if screen.json() {
        let mut shown = as_json(&root);
        if let Some(waiting) = &waiting {
            let may_sign: Vec<String> = root::may_sign(&store)?.iter().map(|key| key.name()).collect();
            shown["waiting"] = json!({
                "root_version": waiting.terms.root_version, "signed_kids": waiting.signed, "may_sign": may_sign,
                "draft": waiting.difference.payload.to_string(), "changes": seen::as_json(&waiting.difference),
            });
        }
        screen.object(&shown);
        return Ok(());
    }
    let terms = root.terms();
    screen.line(&format!("root {} of {}", terms.root_version, terms.issuer));
    screen.line(&format!("made {}, good until {}", when::utc(terms.issued_at.0), when::utc(terms.expires_at.0)));
    screen.line(&format!(
        "{} of {} custodians must sign the next: {}",
        terms.threshold,
        terms.root_keys.len(),
        named(&store, &terms.root_keys)
    ));
    screen.line(&format!("bundles are signed by {}", named(&store, &terms.bundle_keys)));
    screen.line("its fingerprint:");
    for line in fingerprint_lines(&root) {
        screen.line(&line);
    }
    let Some(waiting) = waiting else { return Ok(()) };
    let (terms, difference) = (&waiting.terms, &waiting.difference);
    screen.line("");
    screen.line(&format!("root {} waits for signatures", terms.root_version));
    let (threshold, keys) = (terms.threshold, terms.root_keys.len());
    screen.line(&format!("  it is to be signed by {threshold} of {keys}: {}", named(&store, &terms.root_keys)));
    screen.line(&format!("  bundles are to be signed by {}", named(&store, &terms.bundle_keys)));
    for line in lacking(&store)? {
        screen.line(&format!("  {line}"));
    }
    seen::lines(difference).iter().for_each(|line| screen.line(line));
    if let Some(next) = root::may_sign(&store)?.first() {
        screen.hint(&format!("coldsign root sign --by {}", next.name()));
    }
    Ok(())
}

/// Who has signed the root that waits, and what it lacks.
fn lacking(store: &Store) -> Result<Vec<String>, Refusal> {
    let Some(waiting) = root::waiting(store)? else { return Ok(Vec::new()) };
    let names = |keys: Vec<&KeyRecord>| keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(", ");
    let signed = root::custodians(store).filter(|key| waiting.signed.contains(&key.kid)).collect();
    let mut lines = vec![format!("signed by {}", names(signed))];
    let newest = root::newest(store)?;
    for terms in newest.as_ref().map(Root::terms).into_iter().chain([&waiting.terms]) {
        let lacks = waiting.lacks(terms);
        if lacks > 0 {
            lines.push(format!("it lacks {lacks} of the custodians that root {} names", terms.root_version));
        }
    }
    lines.push(format!("may sign: {}", names(root::may_sign(store)?)));
    Ok(lines)
}

/// The fingerprint as those read it who pin the root, hex and words, beside what was done.
pub fn tell_fingerprint(root: &Root, screen: &mut Screen) {
    screen.note(&format!(
        "for whoever pins root {}, its fingerprint (tell it by another way than the stick):",
        root.root_version()
    ));
    for line in fingerprint_lines(root) {
        screen.note(&line);
    }
}

/// A root as the commands' JSON has it.
pub fn as_json(root: &Root) -> Value {
    let terms = root.terms();
    let kids = |keys: &[PublicKey]| keys.iter().map(PublicKey::thumbprint).collect::<Vec<_>>();
    json!({
        "root_version": terms.root_version, "fingerprint": root.fingerprint().to_string(),
        "words": root.fingerprint().words().join(" "), "iat": terms.issued_at.0, "exp": terms.expires_at.0,
        "root_kids": kids(&terms.root_keys), "threshold": terms.threshold, "bundle_kids": kids(&terms.bundle_keys),
    })
}

/// Hex in groups of four, then words in lines of six.
fn fingerprint_lines(root: &Root) -> Vec<String> {
    let hex = root.fingerprint().to_string();
    let groups: Vec<&str> = hex.as_bytes().chunks(4).filter_map(|four| std::str::from_utf8(four).ok()).collect();
    let hex = groups.chunks(8).map(|line| format!("  {}", line.join(" ")));
    let words = root.fingerprint().words();
    hex.chain(words.chunks(6).map(|line| format!("  {}", line.join(" ")))).collect()
}

/// Keys by the names that people call them.
fn named(store: &Store, keys: &[PublicKey]) -> String {
    let name = |key: &PublicKey| {
        let kid = key.thumbprint();
        store.ledger().keys.by_kid(&kid).map_or(kid, KeyRecord::name)
    };
    keys.iter().map(name).collect::<Vec<_>>().join(", ")
}
