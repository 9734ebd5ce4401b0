//! `coldsign token list`

use super::super::context::Context;
use super::super::screen::Screen;
use super::super::table::Table;
use super::super::{Ended, when};
use coldsign::acts::tokens::{Filter, list};
use coldsign::issuing::record::{Delivery, TokenRecord};
use serde_json::{Value, json};

/// List tokens from the journal; needs no passphrase
///
/// Lists tokens from the journal, oldest first: who can reach what. Needs no passphrase.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign token list --live
  coldsign token list --service flowkit --live --json
  coldsign token list --subject ann")]
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
    /// Only those valid now
    #[arg(long)]
    live: bool,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store()?;
    let now = context.now()?;
    let filter =
        Filter { service: args.service, role: args.role, subject: args.subject, live_at: args.live.then_some(now) };
    let tokens: Vec<&TokenRecord> = list(&store, &filter).collect();
    if screen.json() {
        screen.object(&Value::Array(tokens.into_iter().map(|token| as_json(token, now)).collect()));
        return Ok(());
    }
    if tokens.is_empty() {
        screen.note("no token in the journal matches");
        return Ok(());
    }
    let mut table = Table::new(&["SUBJECT", "SERVICE/ROLES", "UNTIL (UTC)", "ISSUED (UTC)", "BY", ""]);
    for token in tokens {
        let grant = format!("{}/{}", token.issued.service, token.issued.roles.join(","));
        let until = when::minute(token.issued.exp);
        let issued = when::minute(token.at);
        let delivery = if token.delivery == Delivery::Delivered { "" } else { token.delivery.words() };
        table.row(&[&token.issued.sub, &grant, &until, &issued, &token.by, delivery]);
    }
    for line in table.lines(screen.width()) {
        screen.line(&line);
    }
    Ok(())
}

/// A token as the commands' JSON has it.
pub fn as_json(token: &TokenRecord, now: u64) -> Value {
    let issued = &token.issued;
    json!({
        "jti": issued.jti, "service": issued.service, "roles": issued.roles, "subject": issued.sub,
        "kid": issued.kid, "policy": issued.policy, "issued": token.at, "by": token.by,
        "not_before": issued.nbf, "expires": issued.exp, "live": token.live_at(now),
        "claims": issued.claims, "reason": issued.reason, "delivery": token.delivery.words(),
        "token_sha256": issued.token_sha256,
    })
}
