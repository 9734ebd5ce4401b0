//! `coldsign init`

use super::Ended;
use super::ask;
use super::context::Context;
use super::fault::Fault;
use super::medium;
use super::screen::Screen;
use super::sheet::Sheet;
use super::when;
use coldsign::acts::init::{self, Prepared, Request};
use coldsign::acts::{Session, Store};
use coldsign::issuing::Policy;
use coldsign::issuing::policy::{LARGEST, StarterKind, StarterPlan, starter};
use coldsign::keystore::{KdfCost, Passphrase, RecoveryCode};
use coldsign::refusal::Refusal;
use coldsign::storage::read_file;
use coldsign_verify::escape::escaped;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Make a store: keys, policy, unlock, recovery code
///
/// Makes a store with its keys, a policy that works as it stands, the first admin's unlock and a
/// recovery code. Asks for what no option gives.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign init
  coldsign init --issuer https://tokens.example --api orders=https://orders.example --fedn study
  coldsign --store /srv/keys --passphrase-file PASS init --issuer https://tokens.example \\
      --policy policy.toml --recovery-sheet /media/usb/recovery.txt")]
pub struct Args {
    /// The issuer (`iss`) of every token; it can't be changed later
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Your name for this way of opening the store (a-z, 0-9, -) [default: admin]
    #[arg(long, value_name = "NAME")]
    admin: Option<String>,
    /// Start with this policy instead of one made from the services named
    #[arg(long, value_name = "FILE", conflicts_with_all = ["api", "fedn", "flowkit", "plain"])]
    policy: Option<PathBuf>,
    /// A service that takes RFC 9068-shaped tokens
    #[arg(long, value_name = "NAME=AUDIENCE")]
    api: Vec<String>,
    /// A FEDn network, perhaps with the host its clients look for
    #[arg(long, value_name = "NAME[=HOST[:PORT]]")]
    fedn: Vec<String>,
    /// A FlowAPI server and its identifier
    #[arg(long, value_name = "NAME=IDENTIFIER")]
    flowkit: Vec<String>,
    /// A proxy or anything else that checks registered claims
    #[arg(long, value_name = "NAME[=AUDIENCE]")]
    plain: Vec<String>,
    /// Write the recovery code and the root code to this new file instead of showing them
    #[arg(long, value_name = "FILE")]
    recovery_sheet: Option<PathBuf>,
    /// Put the root's key into this directory (another stick) instead of the store
    #[arg(long, value_name = "DIR")]
    root_to: Option<PathBuf>,
    /// What each try of a passphrase costs: 2^N KiB of memory (10 to 20)
    #[arg(long, value_name = "N", default_value_t = 18)]
    kdf_log_n: u8,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    let place = context.place()?;
    init::check_place(&place)?;
    for product in args.recovery_sheet.iter().chain(&args.root_to) {
        Store::refuse_within(&place, product)?;
        medium::tell_modes_of(product, screen);
    }
    let cost = KdfCost::new(args.kdf_log_n)?;
    let now = context.now()?;
    let issuer = match &args.issuer {
        Some(issuer) => issuer.clone(),
        None => ask_issuer()?,
    };
    init::check_issuer(&issuer)?;
    let policy = policy_text(&args, &issuer)?;
    match (Policy::parse(&policy), &args.policy) {
        (Err(faults), Some(file)) => return Err(Fault::Policy { file: file.clone(), faults }.into()),
        (Err(faults), None) => {
            let facts = faults.iter().map(|fault| fault.fact.clone()).collect();
            return Err(Fault::Services(facts).into());
        }
        (Ok(_), _) => {}
    };
    let admin = match &args.admin {
        Some(admin) => admin.clone(),
        None if args.issuer.is_some() => "admin".to_owned(),
        None => ask::line("your name for this way of opening the store (a-z, 0-9, -)", Some("admin"))?,
    };
    init::check_unlock_name(&admin)?;
    let passphrase = match context.passphrase_from_file()? {
        Some(text) => Passphrase::new(text)?,
        None => ask::new_passphrase(&admin)?,
    };
    let (recovery, root_code) = (RecoveryCode::generate()?, RecoveryCode::generate()?);
    let mut prepared = Prepared::make(&Request {
        path: &place,
        issuer: &issuer,
        admin: &admin,
        passphrase: &passphrase,
        cost,
        policy: &policy,
        recovery: &recovery,
        root_code: &root_code,
        root_to: args.root_to.as_deref(),
        now,
    })?;
    // The codes go on paper before there is anything that only they could open.
    let store = prepared.store()?;
    let sheet = Sheet { store: &store, place: &place, now, recovery: &recovery, root: Some(&root_code) };
    let file = args.recovery_sheet.as_deref();
    sheet.hand_over(file)?;
    file.inspect(|file| prepared.with(file));
    let session = prepared.appear(&passphrase)?;
    report(&session, &place, args.kdf_log_n, screen);
    Ok(())
}

fn report(session: &Session, place: &Path, kdf_log_n: u8, screen: &mut Screen) {
    let store = session.store();
    let keys = store.ledger().keys.all();
    if screen.json() {
        let keys: Vec<_> =
            keys.iter().map(|key| json!({"key": key.name(), "purpose": key.purpose.word(), "kid": key.kid})).collect();
        screen.object(&json!({
            "store": place.display().to_string(), "store_id": store.sheet().store_id, "issuer": store.sheet().issuer, "keys": keys,
        }));
        return;
    }
    screen.note(&format!("the time of this act is {}", when::both(session.now())));
    screen.note(&format!("made the store {}", place.display()));
    for key in keys {
        screen.note(&format!("made {} ({}, for {})", key.name(), key.public.algorithm(), key.purpose.word()));
    }
    if kdf_log_n < KdfCost::STANDARD.log_n() {
        screen.warning(&format!("a try at the passphrase costs only 2^{kdf_log_n} KiB; 2^18 is the standard"));
    }
    screen.note(&format!("the policy in force is {}: look it over", place.join("policy.toml").display()));
    screen.hint("coldsign publish --to .");
}

fn ask_issuer() -> Result<String, Refusal> {
    ask::tell(
        "The issuer stands in every token and in every service's configuration.\n\
         A URL of yours, which need not be reachable. It can't be changed later.\n",
    )?;
    loop {
        let issuer = ask::line("issuer, such as https://tokens.example.org", None)?;
        match init::check_issuer(&issuer) {
            Ok(()) => return Ok(issuer),
            Err(denied) => ask::tell(&format!("{}\n", escaped(&denied.to_string())))?,
        }
    }
}

fn policy_text(args: &Args, issuer: &str) -> Result<String, Refusal> {
    if let Some(file) = &args.policy {
        let bytes = read_file(file, LARGEST as u64)?;
        return Ok(String::from_utf8(bytes).map_err(|_| coldsign::storage::StorageFault::NotText(file.clone()))?);
    }
    let mut services = named_services(args)?;
    if services.is_empty() && args.issuer.is_none() {
        services = ask_services()?;
    }
    if services.is_empty() {
        return Err(Fault::Missing("no service is named: add --api, --fedn, --flowkit, --plain or --policy").into());
    }
    Ok(starter(&StarterPlan::with(issuer, services)))
}

fn named_services(args: &Args) -> Result<Vec<(String, StarterKind)>, Fault> {
    let mut services = Vec::new();
    for text in &args.api {
        let (name, audience) = text.split_once('=').ok_or(Fault::Missing("--api wants NAME=AUDIENCE"))?;
        services.push((name.to_owned(), StarterKind::Api { audience: audience.to_owned() }));
    }
    for text in &args.fedn {
        let (name, host) = text.split_once('=').unwrap_or((text, ""));
        services.push((name.to_owned(), fedn(host)?));
    }
    for text in &args.flowkit {
        let (name, audience) = text.split_once('=').ok_or(Fault::Missing("--flowkit wants NAME=IDENTIFIER"))?;
        services.push((name.to_owned(), StarterKind::FlowKit { audience: audience.to_owned() }));
    }
    for text in &args.plain {
        let (name, audience) = text.split_once('=').unwrap_or((text, ""));
        let audience = (!audience.is_empty()).then(|| audience.to_owned());
        services.push((name.to_owned(), StarterKind::Plain { audience }));
    }
    Ok(services)
}

fn fedn(host: &str) -> Result<StarterKind, Fault> {
    let bad_port = || Fault::Missing("the port of a FEDn host is a number up to 65535");
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.starts_with('/') => (host, Some(port.parse().map_err(|_| bad_port())?)),
        _ => (host, None),
    };
    Ok(StarterKind::Fedn { discover_host: (!host.is_empty()).then(|| host.to_owned()), discover_port: port })
}

fn ask_services() -> Result<Vec<(String, StarterKind)>, Refusal> {
    ask::tell(
        "\nWhich service shall accept the tokens? One for now; policy.toml takes more.\n\
         \x20 api      an HTTP API with a JWT library (RFC 9068-shaped tokens)\n\
         \x20 fedn     a FEDn network: clients, combiners, admins\n\
         \x20 flowkit  a FlowAPI server\n\
         \x20 plain    a proxy, Airflow, Slurm, a registry: registered claims\n",
    )?;
    loop {
        let kind = ask::line("kind of service", Some("api"))?;
        let (default, question, needed) = match kind.as_str() {
            "api" => ("api", "its audience, such as https://api.example.org", true),
            "fedn" => ("fedn", "the host its clients look for, or - for none", true),
            "flowkit" => ("flowkit", "its identifier (FLOWAPI_IDENTIFIER)", true),
            "plain" => ("service", "its audience, or - for none", true),
            _ => {
                ask::tell("one of api, fedn, flowkit, plain\n")?;
                continue;
            }
        };
        let name = ask::line("its name here (a-z, 0-9, -)", Some(default))?;
        let answer = if needed { ask::line(question, None)? } else { String::new() };
        let answer = if answer == "-" { String::new() } else { answer };
        let service = match kind.as_str() {
            "fedn" => fedn(&answer)?,
            "flowkit" => StarterKind::FlowKit { audience: answer },
            "plain" => StarterKind::Plain { audience: (!answer.is_empty()).then_some(answer) },
            _ => StarterKind::Api { audience: answer },
        };
        let services = vec![(name, service)];
        match Policy::parse(&starter(&StarterPlan::with("https://tokens.example", services.clone()))) {
            Ok(_) => return Ok(services),
            Err(faults) => {
                for fault in faults.iter() {
                    ask::tell(&format!("{}\n", escaped(&fault.fact)))?;
                }
            }
        }
    }
}
