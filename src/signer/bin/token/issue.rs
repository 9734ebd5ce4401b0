//! `coldsign token issue`

use super::super::context::Context;
use super::super::fault::Fault;
use super::super::medium;
use super::super::screen::Screen;
use super::super::{Ended, lookalikes, when};
use super::grant;
use coldsign::acts::issue::{self, Batch, Issued, Planned};
use coldsign::issuing::policy::TokenForm;
use coldsign::refusal::Refusal;
use coldsign::storage::{Outbox, read_file};
use coldsign_verify::escape::escaped;
use serde_json::json;
use std::path::PathBuf;

/// From this length on proxies begin to cut headers, in bytes.
const LARGE: usize = 2 << 10;
const LARGEST_DETAIL: u64 = 64 << 10;

/// Issue tokens as the policy in force allows
///
/// Issues one token for each subject, as the policy in force allows. Each is checked, recorded in
/// the journal, and only then written; nothing is overwritten.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign token issue api/reader ann --to /media/usb
  coldsign token issue fedn/client hospital-a hospital-b --lifetime 30d --to /media/usb
  coldsign token issue flowkit/analyst,viewer ward7 --reason 'ticket 1234' --to out
  coldsign token issue api/reader ann --scope orders:read --dry-run
  coldsign token issue api/reader ann --to - > ann.jwt")]
pub struct Args {
    /// The grant: a service and one or more of its roles
    #[arg(value_name = "SERVICE/ROLE[,ROLE…]")]
    grant: String,
    /// Whom the tokens are about
    #[arg(value_name = "SUBJECT", required = true)]
    subjects: Vec<String>,
    /// Write each token's file into this directory; - prints one token to standard output
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    to: Option<PathBuf>,
    /// How long they are valid (12h, 30d) [default: the role's]
    #[arg(long, value_name = "DURATION")]
    lifetime: Option<String>,
    /// When they begin to be valid: a date, a time, or +2h
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// Only these of the roles' scopes
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Only these authorization details (RFC 9396), from a JSON file
    #[arg(long, value_name = "FILE")]
    detail: Option<PathBuf>,
    /// Bind the token to the holder's key: its RFC 7638 thumbprint (cnf.jkt)
    #[arg(long, value_name = "THUMBPRINT")]
    cnf_jkt: Option<String>,
    /// The form of the file [default: the policy's]
    #[arg(long, value_enum)]
    form: Option<Form>,
    /// Show the claims and what allows each; sign and record nothing
    #[arg(long)]
    dry_run: bool,
    /// Why, for the journal
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Form {
    /// The token alone
    Raw,
    /// An Authorization header
    Header,
    /// Environment variables
    Dotenv,
    /// What `fedn client start --init` reads
    #[value(name = "client.yaml")]
    ClientYaml,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    let now = context.now()?;
    let batch = batch(&args, now)?;
    if args.dry_run {
        let store = context.store(screen)?;
        let planned = issue::plan(&store, &batch, now.max(store.journal().newest_time()))?;
        lookalikes::warn(&store, &batch.subjects, screen);
        if screen.json() {
            screen.object(&json!({"dry_run": planned.iter().map(as_json).collect::<Vec<_>>()}));
        } else {
            planned.iter().for_each(|planned| show(planned, screen));
        }
        return Ok(());
    }
    let to = args.to.as_ref().ok_or(Fault::Missing("--to names no directory"))?;
    if to.as_os_str() == "-" {
        if batch.subjects.len() != 1 {
            return Err(Fault::Missing("--to - prints one token: name one subject").into());
        }
        if screen.is_closed() {
            return Err(Fault::StdoutClosed.into());
        }
        return to_stdout(&batch, context, screen);
    }
    let outbox = Outbox::open(to)?;
    medium::tell_modes(&outbox, screen);
    let mut session = context.act(screen, |store, screen| {
        lookalikes::warn(store, &batch.subjects, screen);
        let planned = issue::plan(store, &batch, now.max(store.journal().newest_time()))?;
        store.refuse_inside(&outbox)?;
        let names: Vec<String> = planned.into_iter().map(|one| one.file_name).collect();
        Ok(outbox.refuse_taken(&names)?)
    })?;
    let issued = issue::issue(&mut session, &batch)?;
    issue::deliver(&mut session, &issued, &outbox)?;
    report(&issued, &outbox, screen);
    exposure(&batch, &issued, screen);
    Ok(())
}

fn batch(args: &Args, now: u64) -> Result<Batch, Refusal> {
    let (service, roles) = grant(&args.grant)?;
    let details = match &args.detail {
        None => None,
        Some(file) => Some(
            coldsign_verify::json::parse(&read_file(file, LARGEST_DETAIL)?)
                .map_err(|error| Fault::Json { file: file.display().to_string(), what: error.to_string() })?,
        ),
    };
    Ok(Batch {
        service,
        roles,
        subjects: args.subjects.clone(),
        lifetime: args.lifetime.as_deref().map(when::span).transpose()?,
        not_before: args.not_before.as_deref().map(|text| when::point(text, now)).transpose()?,
        scopes: args.scope.clone(),
        details,
        cnf_jkt: args.cnf_jkt.clone(),
        form: args.form.map(|form| match form {
            Form::Raw => TokenForm::Raw,
            Form::Header => TokenForm::Header,
            Form::Dotenv => TokenForm::Dotenv,
            Form::ClientYaml => TokenForm::ClientYaml,
        }),
        reason: args.reason.clone(),
    })
}

fn to_stdout(batch: &Batch, context: &Context, screen: &mut Screen) -> Ended {
    let mut session = context.act(screen, |store, screen| {
        lookalikes::warn(store, &batch.subjects, screen);
        issue::plan(store, batch, context.now()?.max(store.journal().newest_time())).map(drop)
    })?;
    let issued = issue::issue(&mut session, batch)?;
    for token in &issued {
        screen.product(token.token.as_bytes());
        screen.product(b"\n");
    }
    if screen.flush() {
        if issued.len() > 1 {
            screen.note("a cutover is open: the first token is for now, the second from the swap on");
        }
        exposure(batch, &issued, screen);
        return issue::confirm(&mut session, &issued, &[]);
    }
    issue::confirm(&mut session, &[], &issued)?;
    Err(Fault::NotTaken.into())
}

/// Until when a service that sees no revocations goes on accepting what was issued, come what may.
fn exposure(batch: &Batch, issued: &[Issued], screen: &mut Screen) {
    if let Some(until) = issued.iter().filter_map(|token| token.exposed_until).max() {
        let service = &batch.service;
        screen.note(&format!(
            "{service} sees no revocations: until {} nothing takes it back there",
            when::utc(when::rounded_up(until))
        ));
    }
}

fn report(issued: &[Issued], outbox: &Outbox, screen: &mut Screen) {
    if screen.json() {
        let tokens: Vec<_> = issued
            .iter()
            .map(|token| {
                json!({
                    "subject": token.subject, "jti": token.jti, "expires": token.expires_at, "key": token.key,
                    "file": outbox.path().join(&token.file.name).display().to_string(), "bytes": token.token.len(),
                })
            })
            .collect();
        screen.object(&json!({ "tokens": tokens }));
        return;
    }
    for token in issued {
        let path = outbox.path().join(&token.file.name);
        screen.line(&path.display().to_string());
        screen.note(&format!("{} until {}, signed by {}", token.subject, when::both(token.expires_at), token.key));
        if token.token.len() > LARGE {
            screen.warning(&format!("it has {} bytes; some proxies cut headers off", token.token.len()));
        }
    }
    if issued.iter().any(|token| !token.key_published) {
        screen.warning("no publication holds its key yet: no service can check it");
        screen.hint("coldsign publish --to .");
    } else if issued.iter().any(|token| !token.validity_told) {
        screen.warning("no publication tells its service yet to accept a token for so long: it is refused there");
        screen.hint("coldsign publish --to .");
    }
}

fn show(planned: &Planned, screen: &mut Screen) {
    let draft = &planned.draft;
    screen.line(&format!(
        "{} (typ {}, signed by keyset {}; a dry run)",
        escaped(&planned.subject),
        draft.typ,
        draft.keyset
    ));
    let why = |claim: &str| draft.reasons.iter().find(|reason| reason.claim == claim).map(|reason| reason.why.as_ref());
    for (claim, value) in &draft.claims {
        screen.line(&format!("  {claim:<10} {}", escaped(&value.to_string())));
        if let Some(why) = why(claim) {
            screen.line(&format!("             {}", escaped(why)));
        }
    }
    screen.line(&format!("  valid from {} to {}", when::both(draft.not_before.0), when::both(draft.expires_at.0)));
    screen.line(&format!("  file       {}", planned.file_name));
}

fn as_json(planned: &Planned) -> serde_json::Value {
    let draft = &planned.draft;
    let reasons: serde_json::Map<_, _> =
        draft.reasons.iter().map(|reason| (reason.claim.clone(), reason.why.as_ref().into())).collect();
    json!({
        "subject": planned.subject, "typ": draft.typ, "keyset": draft.keyset, "claims": draft.claims_map(),
        "reasons": reasons, "file": planned.file_name,
    })
}
