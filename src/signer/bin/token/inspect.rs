//! `coldsign token inspect`

use super::super::context::Context;
use super::super::screen::Screen;
use super::super::{Ended, when};
use super::{find_token, list, read_token};
use coldsign::acts::Store;
use coldsign::acts::inspect::{Report, foreign_key, known, report};
use coldsign::issuing::record::TokenRecord;
use coldsign::issuing::revoked::RevocationRecord;
use coldsign_verify::escape::escaped;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Show what a token says, without checking it
///
/// Shows what a token says, from a file or standard input, and what the journal knows of it where
/// there is a store. Checks no signature: believe nothing it shows.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign token inspect api-ann.jwt
  xclip -o | coldsign token inspect
  coldsign token inspect hospital-a.client.yaml --json")]
pub struct Args {
    /// The file: a token, a header, a dotenv file, a client.yaml; standard input without
    file: Option<PathBuf>,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    let report = report(&find_token(&read_token(args.file.as_ref())?));
    let store = context.store_if_any(screen)?;
    let now = context.now()?;
    let token = store.as_ref().map(|store| known(store, &report));
    if screen.json() {
        screen.object(&as_json(&report, store.as_ref(), token, now));
        return Ok(());
    }
    let inspection = &report.inspection;
    screen.line(&format!("{} bytes, {} parts; nothing here is verified", inspection.length, inspection.parts));
    for (name, part) in [("header", &inspection.header), ("claims", &inspection.payload)] {
        match part {
            Ok(Value::Object(members)) => {
                screen.line(name);
                for (member, value) in members {
                    let dated = dated(member, value, now);
                    screen.line(&format!(
                        "  {:<12} {}{dated}",
                        escaped(member).to_string(),
                        escaped(&value.to_string())
                    ));
                }
            }
            Ok(other) => screen.line(&format!("{name} {}", escaped(&other.to_string()))),
            Err(fault) => screen.line(&format!("{name}: {}", escaped(&fault.to_string()))),
        }
    }
    match &report.user_claims {
        Some(Ok(roles)) => screen.line(&format!("user_claims hold {}", escaped(&roles.to_string()))),
        Some(Err(fault)) => screen.line(&format!("user_claims can't be unpacked: {}", escaped(fault))),
        None => {}
    }
    if let Some(malformed) = &inspection.malformed {
        screen.line(&format!("no service would take it: {}", escaped(&malformed.to_string())));
    }
    let revoked = token.flatten().and_then(|token| store.as_ref()?.ledger().revocations.of(token));
    for line in token.map(|token| verdict(token, revoked, now)).unwrap_or_default() {
        screen.line(&line);
    }
    let foreign = store.as_ref().filter(|_| matches!(token, Some(None))).and_then(|store| foreign_key(store, &report));
    if let Some(key) = foreign {
        screen.line(&format!("its key is {}, which has signed tokens elsewhere too", key.name()));
    }
    Ok(())
}

fn dated(member: &str, value: &Value, now: u64) -> String {
    match (member, value.as_u64()) {
        ("exp" | "nbf" | "iat" | "auth_time", Some(time)) => {
            format!("  {}, {}", when::both(time), when::from(now, time))
        }
        _ => String::new(),
    }
}

fn verdict(token: Option<&TokenRecord>, revoked: Option<&RevocationRecord>, now: u64) -> Vec<String> {
    let Some(token) = token else { return vec!["never issued here".to_owned()] };
    let issued = &token.issued;
    let life = if now < issued.nbf {
        format!("valid from {}", when::both(issued.nbf))
    } else if token.live_at(now) {
        format!("live until {}", when::both(issued.exp))
    } else {
        format!("expired {}", when::both(issued.exp))
    };
    let mut verdict = vec![
        format!(
            "issued here {} by {} as {}/{}",
            when::both(token.at),
            token.by,
            issued.service,
            issued.roles.join(",")
        ),
        format!("{life}, {}", token.delivery.words()),
    ];
    if let Some(revoked) = revoked {
        let reason = revoked.made.reason.as_deref().map(|reason| format!(": {}", escaped(reason))).unwrap_or_default();
        let (number, words) = (revoked.made.number, revoked.words());
        verdict.push(format!(
            "revoked {} by revocation {number} ({}){reason}",
            when::both(revoked.at),
            escaped(&words)
        ));
    }
    verdict
}

fn as_json(report: &Report, store: Option<&Store>, token: Option<Option<&TokenRecord>>, now: u64) -> Value {
    let inspection = &report.inspection;
    let part = |part: &Result<Value, coldsign_verify::jws::PartFault>| match part {
        Ok(value) => value.clone(),
        Err(fault) => json!({"fault": fault.to_string()}),
    };
    json!({
        "verified": false,
        "length": inspection.length,
        "parts": inspection.parts,
        "header": part(&inspection.header),
        "claims": part(&inspection.payload),
        "user_claims": report.user_claims.as_ref().and_then(|claims| claims.as_ref().ok()),
        "malformed": inspection.malformed.as_ref().map(ToString::to_string),
        "sha256": report.sha256,
        "store": store.zip(token).map(|(store, token)| match token {
            Some(token) => list::as_json(token, &store.ledger().revocations, now),
            None => json!({"issued": false}),
        }),
    })
}
