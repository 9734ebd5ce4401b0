//! `coldsign key …`

mod import;

use super::Ended;
use super::ask;
use super::context::Context;
use super::screen::Screen;
use super::table::Table;
use super::when;
use coldsign::acts::Store;
use coldsign::acts::keys::{self, Change};
use coldsign::keystore::{KeyRecord, KeyState, Purpose, Transition};
use coldsign::publishing::fingerprint;
use coldsign_verify::escape::escaped;
use serde_json::{Value, json};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a keyset's next key
    ///
    /// The first key of a keyset signs at once. Later ones are published first and sign when they
    /// are activated.
    #[command(after_help = "Examples:\n  coldsign key generate default")]
    Generate {
        /// The keyset, as policy.toml names it
        keyset: String,
    },
    Import(import::Args),
    /// List keys
    #[command(after_help = "Examples:\n  coldsign key list\n  coldsign key list flowkit --json")]
    List {
        /// Only this keyset
        keyset: Option<String>,
        /// Those that are gone as well
        #[arg(long)]
        all: bool,
    },
    /// Show a key's public half, state and fingerprints
    #[command(after_help = "Examples:\n  coldsign key show default/1\n  coldsign key show default/1 --pem")]
    Show {
        /// keyset/number, or the kid
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// Print the public key as PEM, nothing else
        #[arg(long, conflicts_with = "jwk")]
        pem: bool,
        /// Print the public key as JWK, nothing else
        #[arg(long)]
        jwk: bool,
    },
    /// Let a published key sign
    #[command(after_help = "Examples:\n  coldsign key activate default/2")]
    Activate {
        /// keyset/number, or the kid
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// Why, for the journal
        #[arg(long)]
        reason: Option<String>,
        /// For a service that reads one key: let its tokens be refused until it has the new one
        #[arg(long)]
        accept_outage: bool,
    },
    /// Pause a signing key; its tokens stay valid
    #[command(after_help = "Examples:\n  coldsign key suspend default/1 --reason 'audit until Monday'")]
    Suspend(Named),
    /// Let a paused key sign again
    #[command(after_help = "Examples:\n  coldsign key resume default/1")]
    Resume(Named),
    /// End signing for good: the private half is destroyed, its tokens stay valid
    #[command(after_help = "Examples:\n  coldsign key deactivate default/1")]
    Deactivate(Named),
    /// Remove a key that no verifier needs any more
    #[command(after_help = "Examples:\n  coldsign key destroy default/1")]
    Destroy(Named),
}

#[derive(clap::Args)]
pub struct Named {
    /// keyset/number, or the kid
    #[arg(allow_hyphen_values = true)]
    key: String,
    /// Why, for the journal
    #[arg(long)]
    reason: Option<String>,
    /// Do not ask whether it is meant
    #[arg(long)]
    yes: bool,
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::Generate { keyset } => {
            let mut session = context.act(screen, |store, _| keys::check_keyset(store, &keyset))?;
            let key = keys::generate(&mut session, &keyset)?;
            made(&key, "made", screen);
            Ok(())
        }
        Command::Import(args) => import::run(args, context, screen),
        Command::List { keyset, all } => list(keyset.as_deref(), all, context, screen),
        Command::Show { key, pem, jwk } => show(&key, pem, jwk, context, screen),
        Command::Activate { key, reason, accept_outage } => {
            let named = Named { key, reason, yes: true };
            change(named, Transition::Activate, accept_outage, context, screen)
        }
        Command::Suspend(named) => change(named, Transition::Suspend, false, context, screen),
        Command::Resume(named) => change(named, Transition::Resume, false, context, screen),
        Command::Deactivate(named) => change(named, Transition::Deactivate, false, context, screen),
        Command::Destroy(named) => change(named, Transition::Destroy, false, context, screen),
    }
}

fn made(key: &KeyRecord, verb: &str, screen: &mut Screen) {
    if screen.json() {
        screen.object(&as_json(key));
        return;
    }
    screen.note(&format!("{verb} {} ({}), kid {}", key.name(), key.public.algorithm(), key.kid));
    if key.state == KeyState::PreActivation {
        screen.note("it signs once verifiers can be counted on to know it: publish, wait, activate");
    }
    screen.hint("coldsign publish --to .");
}

fn list(keyset: Option<&str>, all: bool, context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store(screen)?;
    let keys: Vec<&KeyRecord> = store
        .ledger()
        .keys
        .all()
        .iter()
        .filter(|key| keyset.is_none_or(|keyset| key.keyset == keyset))
        .filter(|key| all || key.state != KeyState::Destroyed)
        .collect();
    if let (true, Some(keyset)) = (keys.is_empty(), keyset) {
        keys::check_keyset(&store, keyset)?;
    }
    if screen.json() {
        screen.object(&Value::Array(keys.into_iter().map(as_json).collect()));
        return Ok(());
    }
    let mut table = Table::new(&["KEY", "ALGORITHM", "STATE", "MADE (UTC)", "KID"]);
    for key in keys {
        let algorithm = key.public.algorithm().to_string();
        table.row(&[&key.name(), &algorithm, &state(key, &store), &when::minute(key.made_at), &key.kid]);
    }
    for line in table.lines(screen.width()) {
        screen.line(&line);
    }
    Ok(())
}

fn show(name: &str, pem: bool, jwk: bool, context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store(screen)?;
    let key = keys::find(&store, name)?;
    if pem {
        screen.product(key.public.to_spki_pem().as_bytes());
        return Ok(());
    }
    if jwk {
        screen.document(&key.public.to_jwk(&key.kid));
        return Ok(());
    }
    if screen.json() {
        screen.object(&as_json(key));
        return Ok(());
    }
    let published = store.ledger().publications.first_published(&key.kid);
    let mut row = |name: &str, value: String| screen.line(&format!("{name:<16}{value}"));
    row("key", key.name());
    row("for", key.purpose.word().to_owned());
    row("algorithm", key.public.algorithm().to_string());
    row("kid", key.kid.clone());
    row("state", format!("{} ({})", state(key, &store), key.state.name()));
    row("made", when::utc(key.made_at));
    row("first signed", key.activated_at.map(when::utc).unwrap_or("never".to_owned()));
    row("first published", published.map(when::utc).unwrap_or("never".to_owned()));
    row("private half", if key.has_private_half() { "in the store" } else { "not in the store" }.to_owned());
    if let Some(tokens) = key.foreign.tokens {
        row("older tokens", format!("signed elsewhere, until {}", when::utc(when::rounded_up(tokens.until))));
    }
    if let Some(kid) = &key.foreign.kid {
        row("older kid", format!("{}, published too", escaped(kid)));
    }
    row("SHA-256 of SPKI", fingerprint(&key.public));
    screen.line("");
    screen.product(key.public.to_spki_pem().as_bytes());
    Ok(())
}

fn change(named: Named, transition: Transition, accept_outage: bool, context: &Context, screen: &mut Screen) -> Ended {
    let change = Change { key: &named.key, transition, reason: named.reason.clone(), accept_outage };
    let mut session = context.act(screen, |store, _| {
        let key = keys::find(store, &named.key)?;
        keys::permitted(store, key, &change, context.now()?)?;
        let destroys = matches!(transition, Transition::Deactivate | Transition::Destroy) && key.has_private_half();
        if destroys && !named.yes {
            ask::confirm(&format!("The private half of {} will be destroyed; backups may still hold it.", key.name()))?;
        }
        Ok(())
    })?;
    let after = keys::change(&mut session, &change)?;
    if screen.json() {
        screen.object(&as_json(&after));
        return Ok(());
    }
    screen.note(&format!("{} is {}", after.name(), state(&after, session.store())));
    match after.state {
        KeyState::Deactivated { .. } => {
            screen.note("its private half is unlinked; backups and worn flash cells may still hold it");
            screen.hint("coldsign publish --to .");
        }
        KeyState::Destroyed => screen.hint("coldsign publish --to ."),
        _ => {}
    }
    Ok(())
}

/// A key's state in plain words.
pub fn state(key: &KeyRecord, store: &Store) -> String {
    match (&key.state, key.purpose) {
        (KeyState::Active, Purpose::Journal) => "signs checkpoints".to_owned(),
        (KeyState::Active, Purpose::Bundle) => "kept for bundles".to_owned(),
        (KeyState::Active, Purpose::Root) if key.elsewhere => "root, kept elsewhere".to_owned(),
        (KeyState::Active, Purpose::Root) => "root, under its own code".to_owned(),
        (KeyState::PreActivation, _) if store.ledger().publications.first_published(&key.kid).is_none() => {
            "not published, not signing".to_owned()
        }
        (KeyState::PreActivation, _) => "published, not signing".to_owned(),
        (KeyState::Deactivated { verify_until }, _) => format!("verifying until {}", when::utc(*verify_until)),
        (state, _) => state.words(),
    }
}

/// A key as the commands' JSON has it.
pub fn as_json(key: &KeyRecord) -> Value {
    let verify_until = match key.state {
        KeyState::Deactivated { verify_until } => Some(verify_until),
        _ => None,
    };
    json!({
        "key": key.name(),
        "purpose": key.purpose.word(),
        "algorithm": key.public.algorithm().to_string(),
        "kid": key.kid,
        "state": key.state.name(),
        "made": key.made_at,
        "activated": key.activated_at,
        "verify_until": verify_until,
        "private_half": key.has_private_half(),
        "jwk": key.public.to_jwk(&key.kid),
        "tokens_until": key.foreign.tokens.map(|tokens| tokens.until),
        "tokens_longest": key.foreign.tokens.map(|tokens| tokens.longest),
        "kept_kid": key.foreign.kid,
    })
}
