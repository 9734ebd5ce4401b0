//! `coldsign token list`

use super::super::context::Context;
use super::super::fault::Fault;
use super::super::screen::Screen;
use super::super::table::Table;
use super::super::{Ended, when};
use coldsign::acts::tokens::{Filter, IssuedUnder, list};
use coldsign::issuing::record::{Delivery, TokenRecord};
use coldsign::issuing::revoked::Revocations;
use serde_json::{Value, json};

/// Digits of a policy's SHA-256 that are shown.
const SHOWN: usize = 12;

/// List tokens from the journal; needs no passphrase
///
/// Lists tokens from the journal, oldest first: who could reach what, under which policy, issued by
/// whom. Needs no passphrase.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign token list --live
  coldsign token list --service flowkit --live --json
  coldsign token list --scope results:read --live-between 2027-03-01 2027-04-01 --long
  coldsign token list --claim tenant=north --by anna")]
pub struct Args {
    /// Only for this service
    #[arg(long)]
    service: Option<String>,
    /// Only with this role
    #[arg(long)]
    role: Option<String>,
    /// Only about this subject
    #[arg(long)]
    subject: Option<String>,
    /// Only with this scope, by the policy of its issue and what it was narrowed to
    #[arg(long)]
    scope: Option<String>,
    /// Only with this claim: a text, JSON, or a member of a list
    #[arg(long, value_name = "NAME=VALUE")]
    claim: Vec<String>,
    /// Only those this key signed
    #[arg(long, value_name = "KID|KEYSET/NUMBER", allow_hyphen_values = true)]
    kid: Option<String>,
    /// Only those issued with this unlock
    #[arg(long, value_name = "UNLOCK")]
    by: Option<String>,
    /// Only those valid now
    #[arg(long)]
    live: bool,
    /// Only those valid at any time from the first on and before the second
    #[arg(long, num_args = 2, value_names = ["FROM", "UNTIL"])]
    live_between: Option<Vec<String>>,
    /// More columns: scopes, key, policy, jti, the jti it stands for, reason; as wide as they are
    #[arg(long)]
    long: bool,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    let now = context.now()?;
    let (json, long) = (screen.json(), args.long);
    let filter = filter(args, now)?;
    let store = context.store(screen)?;
    let tokens = list(&store, &filter)?;
    let mut policies = IssuedUnder::new(&store);
    let revocations = &store.ledger().revocations;
    // A policy that can't be read any more takes the scopes from the view, not the tokens.
    let mut scopes = |token: &TokenRecord| policies.scopes(&token.issued).ok();
    if json {
        let rows = tokens.into_iter().map(|token| {
            let mut row = as_json(token, revocations, now);
            row["scopes"] = json!(scopes(token));
            row
        });
        screen.object(&rows.collect());
        return Ok(());
    }
    if long {
        let key = |kid: &str| store.ledger().keys.by_kid(kid).map_or_else(|| kid.to_owned(), |key| key.name());
        let mut table = Table::new(&[
            "SUBJECT",
            "SERVICE/ROLES",
            "SCOPES",
            "FROM (UTC)",
            "UNTIL (UTC)",
            "ISSUED (UTC)",
            "BY",
            "KEY",
            "POLICY",
            "JTI",
            "STANDS FOR",
            "REASON",
            "",
        ]);
        for token in tokens {
            let issued = &token.issued;
            let scopes = scopes(token).map_or_else(|| "?".to_owned(), |scopes| Vec::from_iter(scopes).join(" "));
            let policy: String = issued.policy.chars().take(SHOWN).collect();
            table.row(&[
                &issued.sub,
                &grant(token),
                &scopes,
                &when::minute(issued.nbf),
                &when::minute(issued.exp),
                &when::minute(token.at),
                &token.by,
                &key(&issued.kid),
                &policy,
                &issued.jti,
                issued.stands_for.as_deref().unwrap_or_default(),
                issued.reason.as_deref().unwrap_or_default(),
                &state(token, revocations),
            ]);
        }
        table.lines(usize::MAX).iter().for_each(|line| screen.line(line));
        return Ok(());
    }
    if tokens.is_empty() {
        screen.note("no token in the journal matches");
        return Ok(());
    }
    let mut table = Table::new(&["SUBJECT", "SERVICE/ROLES", "UNTIL (UTC)", "ISSUED (UTC)", "BY", ""]);
    for token in tokens {
        let until = when::minute(token.issued.exp);
        let issued = when::minute(token.at);
        table.row(&[&token.issued.sub, &grant(token), &until, &issued, &token.by, &state(token, revocations)]);
    }
    for line in table.lines(screen.width()) {
        screen.line(&line);
    }
    Ok(())
}

fn filter(args: Args, now: u64) -> Result<Filter, Fault> {
    let live_between = match args.live_between.as_deref() {
        Some([from, until]) => Some((when::point(from, now)?, when::point(until, now)?)),
        _ => None,
    };
    let claim = |text: String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Fault::Claim(text)),
    };
    Ok(Filter {
        service: args.service,
        role: args.role,
        subject: args.subject,
        scope: args.scope,
        claims: args.claim.into_iter().map(claim).collect::<Result<_, _>>()?,
        key: args.kid,
        by: args.by,
        live_at: args.live.then_some(now),
        live_between,
    })
}

fn grant(token: &TokenRecord) -> String {
    format!("{}/{}", token.issued.service, token.issued.roles.join(","))
}

fn state(token: &TokenRecord, revocations: &Revocations) -> String {
    let delivery = (token.delivery != Delivery::Delivered).then_some(token.delivery.words());
    let revoked = revocations.of(token).map(|_| "revoked");
    revoked.into_iter().chain(delivery).collect::<Vec<_>>().join(", ")
}

/// A token as the commands' JSON has it.
pub fn as_json(token: &TokenRecord, revocations: &Revocations, now: u64) -> Value {
    let issued = &token.issued;
    let revoked = revocations.of(token).map(|one| json!({"revocation": one.made.number, "at": one.at}));
    json!({
        "jti": issued.jti, "service": issued.service, "roles": issued.roles, "subject": issued.sub,
        "kid": issued.kid, "policy": issued.policy, "issued": token.at, "by": &*token.by,
        "not_before": issued.nbf, "expires": issued.exp, "live": token.live_at(now), "revoked": revoked,
        "claims": issued.claims, "reason": issued.reason,
        "stands_for": issued.stands_for, "delivery": token.delivery.words(),
        "token_sha256": issued.token_sha256, "entry": token.index,
    })
}
