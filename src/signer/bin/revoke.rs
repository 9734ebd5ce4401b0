//! `coldsign revoke …`

use super::ask;
use super::context::Context;
use super::screen::{Screen, many};
use super::table::Table;
use super::{Ended, lookalikes, when};
use coldsign::acts::Store;
use coldsign::acts::revocations::{self, Reach, Request};
use coldsign::issuing::record::TokenRecord;
use coldsign::issuing::revoked::{RevocationMade, RevocationRecord, What};
use coldsign_verify::escape::escaped;
use serde_json::{Value, json};

/// How many of the tokens reached are shown.
const SHOWN: usize = 20;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Take a single token back, by its id (jti)
    #[command(after_help = "\
Examples:
  coldsign token list --subject ann --long        the ids
  coldsign token inspect found.jwt                the id of a token in hand
  coldsign revoke token 5Jw0rQk1mHXtZr2c8g6n0A --reason 'mailed to the wrong address'")]
    Token {
        /// The token's id
        #[arg(value_name = "JTI", allow_hyphen_values = true)]
        token: String,
        #[command(flatten)]
        how: How,
    },
    /// Take back every token about a subject, for every service
    #[command(after_help = "Examples:\n  coldsign revoke subject ann --reason 'left the project'")]
    Subject {
        /// The subjects
        #[arg(value_name = "SUBJECT", required = true)]
        subjects: Vec<String>,
        /// Also where the journal has no token of them: a restore may have lost it
        #[arg(long)]
        unseen: bool,
        #[command(flatten)]
        how: How,
    },
    /// Take back every token of a role
    #[command(after_help = "Examples:\n  coldsign revoke role api/writer --reason 'role was too wide'")]
    Role {
        /// The roles
        #[arg(value_name = "SERVICE/ROLE", required = true)]
        roles: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Take back every token for a service
    #[command(after_help = "Examples:\n  coldsign revoke service api --reason 'moved to another operator'")]
    Service {
        /// The services
        #[arg(value_name = "SERVICE", required = true)]
        services: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Take back every token that a key signed so far; for a key in other hands see `rotate emergency`
    #[command(after_help = "Examples:\n  coldsign revoke key default/2 --reason 'a batch went astray'")]
    Key {
        /// keyset/number, or the kid
        #[arg(value_name = "KEY", allow_hyphen_values = true)]
        key: String,
        #[command(flatten)]
        how: How,
    },
    /// Take back every token there is
    #[command(after_help = "Examples:\n  coldsign revoke everything --dry-run")]
    Everything {
        #[command(flatten)]
        how: How,
    },
    /// List revocations and whether they are published; needs no passphrase
    #[command(after_help = "Examples:\n  coldsign revoke list\n  coldsign revoke list --json")]
    List,
}

#[derive(clap::Args)]
pub struct How {
    /// Why, for the journal
    #[arg(long)]
    reason: Option<String>,
    /// Show which tokens and services it reaches; revoke nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask whether it is meant
    #[arg(long)]
    yes: bool,
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    let (what, names, unseen, how) = match command {
        Command::Token { token, how } => (What::Token, vec![token], false, how),
        Command::Subject { subjects, unseen, how } => (What::Subject, subjects, unseen, how),
        Command::Role { roles, how } => (What::Role, roles, false, how),
        Command::Service { services, how } => (What::Service, services, false, how),
        Command::Key { key, how } => (What::Key, vec![key], false, how),
        Command::Everything { how } => (What::Everything, Vec::new(), false, how),
        Command::List => return list(context, screen),
    };
    revoke(&Request { what, names, reason: how.reason.clone(), unseen }, &how, context, screen)
}

fn revoke(request: &Request, how: &How, context: &Context, screen: &mut Screen) -> Ended {
    if how.dry_run {
        let store = context.store(screen)?;
        let reach = revocations::reach(&store, request, context.now()?.max(store.journal().newest_time()))?;
        warn_of_lookalikes(request, &store, screen);
        if screen.json() {
            screen.object(&as_json(&reach.made, &reach, true));
        } else {
            show(&reach, &store, true, screen);
        }
        return Ok(());
    }
    let mut told = Value::Null;
    let mut session = context.act(screen, |store, screen| {
        let reach = revocations::reach(store, request, context.now()?.max(store.journal().newest_time()))?;
        warn_of_lookalikes(request, store, screen);
        if !screen.json() {
            show(&reach, store, false, screen);
        }
        if !how.yes {
            ask::confirm(&format!("{} can't be given back, only issued again.", many(reach.tokens.len(), "token")))?;
        }
        told = as_json(&reach.made, &reach, false);
        Ok(())
    })?;
    let made = revocations::revoke(&mut session, request)?;
    if screen.json() {
        told["revocations"] = made.iter().map(made_json).collect();
        screen.object(&told);
        return Ok(());
    }
    for one in &made {
        let name = one.name.as_deref().map(|name| format!(" {}", escaped(name))).unwrap_or_default();
        screen.note(&format!("revocation {}: {}{name}", one.number, one.what));
    }
    screen.note("no service knows of it before it has the next publication");
    screen.hint("coldsign publish --to .");
    Ok(())
}

fn show(reach: &Reach<'_>, store: &Store, dry_run: bool, screen: &mut Screen) {
    let verb = if dry_run { "would be taken back (a dry run)" } else { "to take back" };
    screen.line(&format!("{} {verb}", many(reach.tokens.len(), "token")));
    let mut table = Table::new(&["SUBJECT", "SERVICE/ROLES", "UNTIL (UTC)", "JTI"]);
    for token in reach.tokens.iter().take(SHOWN) {
        let issued = &token.issued;
        let grant = format!("{}/{}", issued.service, issued.roles.join(","));
        table.row(&[&issued.sub, &grant, &when::minute(issued.exp), &issued.jti]);
    }
    if !reach.tokens.is_empty() {
        table.lines(screen.width()).iter().for_each(|line| screen.line(line));
    }
    if reach.tokens.len() > SHOWN {
        screen.line(&format!("and {} more: coldsign token list", reach.tokens.len() - SHOWN));
    }
    show_foreign(reach, screen);
    for service in &reach.services {
        let (name, tokens, files) =
            (&service.service, many(service.tokens, "token"), when::both(when::rounded_up(service.on_files)));
        screen.line(&match service.on_bundles {
            Some(bundles) => format!(
                "{name} ({tokens}): refused from the next publication on; without it until {} at the latest where it reads bundles, until {files} where it reads revoked.json",
                when::both(when::rounded_up(bundles))
            ),
            None => format!(
                "{name} ({tokens}): sees no revocations (policy); it may accept until {files}, when the last expires"
            ),
        });
    }
    let blind = reach.services.iter().filter(|one| one.on_bundles.is_none());
    let blind: Vec<&str> = blind.map(|one| one.service.as_str()).collect();
    if !blind.is_empty() {
        screen.warning(&format!(
            "{} can't be told: only a gate in front, or replacing its key, ends these tokens earlier",
            blind.join(", ")
        ));
    }
    for key in reach.made.iter().filter(|one| one.what == What::Key).filter_map(|one| one.name.as_deref()) {
        if let Some(kept) = store.ledger().keys.by_kid(key).and_then(|key| key.foreign.kid.as_deref()) {
            screen.note(&format!("both its kids are revoked: {kept} and {key}"));
        }
    }
    if reach.made.iter().any(|one| one.what == What::Key) {
        screen.warning(
            "this does not end a key that is in other hands: whoever has it dates tokens as they like; rotate emergency does",
        );
    }
    if let [_, twin] = &reach.made[..]
        && twin.what == What::Key
        && let Some(key) = twin.name.as_deref().and_then(|kid| store.ledger().keys.by_kid(kid))
    {
        screen.note(&format!("a cutover is open: key {} goes with it", key.name()));
    }
    if reach.siblings > 0 {
        screen.note(&format!(
            "{} of the same subjects for the same services stay valid: revoke subject takes them all",
            many(reach.siblings, "token")
        ));
    }
}

/// What is taken back that the journal has no token of.
fn show_foreign(reach: &Reach<'_>, screen: &mut Screen) {
    for key in &reach.foreign {
        let until = when::both(when::rounded_up(key.foreign.tokens.map_or(0, |tokens| tokens.until)));
        screen.line(&format!(
            "tokens of that kind that {} has signed elsewhere are taken back too; they live until {until}, and the journal can't count them",
            key.name()
        ));
    }
}

fn warn_of_lookalikes(request: &Request, store: &Store, screen: &mut Screen) {
    if request.what == What::Subject {
        lookalikes::warn(store, &request.names, screen);
    }
}

fn list(context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store(screen)?;
    let all = store.ledger().revocations.all();
    if screen.json() {
        let rows = all.iter().map(|one| {
            let mut row = made_json(&one.made);
            row["at"] = one.at.into();
            row["by"] = one.by.as_str().into();
            row["publication"] = published(&store, one).into();
            row
        });
        screen.object(&rows.collect());
        return Ok(());
    }
    if all.is_empty() {
        screen.note("nothing was ever revoked");
        return Ok(());
    }
    let mut table = Table::new(&["NUMBER", "WHEN (UTC)", "WHAT", "BY", "PUBLISHED", "REASON"]);
    for one in all {
        let publication = published(&store, one).map_or("not yet".to_owned(), |seq| format!("from {seq} on"));
        let what = match (&one.made.what, &one.made.name) {
            (What::Key, Some(kid)) => {
                store.ledger().keys.by_kid(kid).map_or_else(|| one.words(), |key| format!("key {}", key.name()))
            }
            _ => one.words(),
        };
        let reason = one.made.reason.as_deref().unwrap_or_default();
        table.row(&[&one.made.number.to_string(), &when::minute(one.at), &what, &one.by, &publication, reason]);
    }
    table.lines(screen.width()).iter().for_each(|line| screen.line(line));
    Ok(())
}

/// The first publication that says so.
fn published(store: &Store, one: &RevocationRecord) -> Option<u64> {
    let publications = store.ledger().publications.all();
    publications.iter().find(|publication| publication.index > one.index).map(|publication| publication.made.seq)
}

fn as_json(made: &[RevocationMade], reach: &Reach<'_>, dry_run: bool) -> Value {
    let token = |token: &&TokenRecord| {
        let issued = &token.issued;
        json!({
            "jti": issued.jti, "subject": issued.sub, "service": issued.service, "roles": issued.roles,
            "expires": issued.exp,
        })
    };
    json!({
        "dry_run": dry_run,
        "revocations": made.iter().map(made_json).collect::<Vec<_>>(),
        "tokens": reach.tokens.iter().map(token).collect::<Vec<_>>(),
        "services": reach.services.iter().map(|one| json!({
            "service": one.service, "tokens": one.tokens, "sees_revocations": one.on_bundles.is_some(),
            "on_bundles": one.on_bundles, "on_files": one.on_files,
        })).collect::<Vec<_>>(),
        "siblings": reach.siblings,
        "foreign": reach.foreign.iter().map(|key| json!({
            "key": key.name(), "tokens_until": key.foreign.tokens.map(|tokens| tokens.until), "kept_kid": key.foreign.kid,
        })).collect::<Vec<_>>(),
    })
}

fn made_json(made: &RevocationMade) -> Value {
    json!({
        "number": made.number, "what": made.what.word(), "name": made.name, "cut_off": made.cut_off,
        "reason": made.reason,
    })
}
