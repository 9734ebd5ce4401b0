//! `coldsign-gate check`

use crate::Ended;
use crate::place;
use crate::refusal::Refusal;
use crate::screen::Screen;
use coldsign_verify::trust::TrustStore;
use coldsign_verify::{Expectations, Jwks, Profile, UnixTime, Verifier};
use serde_json::json;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A token is at most 16 KiB, a key set at most 1 MiB; more is never read.
const LARGEST_FILE: u64 = 1 << 20;

/// Say whether a token would be accepted: exit status 0 if so, 1 if not
///
/// By what is installed in the trust store, revocations included; or, with --jwks, by a bare key set.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign-gate check --service api token.jwt
  coldsign-gate check --service fed --role client < token.jwt
  coldsign-gate check --jwks /etc/api/jwks.json --issuer https://tokens.example \\
      --audience https://api.example.org token.jwt")]
#[command(group(clap::ArgGroup::new("by").required(true).args(["service", "jwks"])))]
pub struct Args {
    /// The file with the token; standard input without
    pub token: Option<PathBuf>,
    /// The service, by what is installed in the trust store
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// The role to demand (FEDn)
    #[arg(long)]
    role: Option<String>,
    /// A key set, instead of the trust store
    #[arg(long, value_name = "FILE")]
    pub jwks: Option<PathBuf>,
    /// With --jwks: the claim layout, rfc9068, flowkit, fedn or plain
    #[arg(long, default_value = "rfc9068", conflicts_with = "service")]
    profile: Profile,
    /// With --jwks: the issuer to expect
    #[arg(long, conflicts_with = "service")]
    issuer: Option<String>,
    /// With --jwks: the audience to expect
    #[arg(long, conflicts_with = "service")]
    audience: Option<String>,
    /// With --jwks: clock difference to forgive, in seconds
    #[arg(long, default_value_t = 0, conflicts_with = "service")]
    leeway: u64,
}

pub fn run(args: &Args, trust: &Path, now: UnixTime, screen: &mut Screen) -> Ended {
    let verifier = match (&args.service, &args.jwks) {
        (Some(service), _) => TrustStore::open(trust)?.verifier(service)?,
        (None, Some(jwks)) => bare_verifier(args, jwks)?,
        (None, None) => return Err(Refusal::new("name --service or --jwks")),
    };
    let verifier = match &args.role {
        Some(role) => verifier.expecting(|expected| expected.role(role)),
        None => verifier,
    };
    let token = read(args.token.as_deref())?;
    let token = String::from_utf8_lossy(&token);
    let verified = verifier
        .verify(bare(&token), now)
        .map_err(|refusal| Refusal::new(format!("refused: {refusal}")).rule(refusal.code()))?;
    let subject = verified.subject().unwrap_or_default();
    let line = format!("accepted: {subject} until {}, key {}", verified.expires_at(), verified.kid());
    let object = json!({
        "accepted": true, "subject": verified.subject(), "expires_at": verified.expires_at().0,
        "kid": verified.kid(), "claims": verified.claims(),
    });
    screen.tell(&[line], &object);
    Ok(())
}

fn bare_verifier(args: &Args, jwks: &Path) -> Result<Verifier, Refusal> {
    let keys = Jwks::parse(&read(Some(jwks))?);
    let keys = keys.map_err(|error| Refusal::new(format!("{}: {error}", jwks.display())))?;
    Ok(Verifier::new(keys, expectations(args)?.leeway(args.leeway)))
}

/// The token in a header file: what stands before it is set aside.
fn bare(text: &str) -> &str {
    let mut token = text.trim_ascii();
    for before in ["authorization:", "bearer "] {
        if let Some((start, rest)) = token.split_at_checked(before.len())
            && start.eq_ignore_ascii_case(before)
        {
            token = rest.trim_ascii();
        }
    }
    token
}

fn expectations(args: &Args) -> Result<Expectations, Refusal> {
    let needed = |value: &Option<String>, option: &str| {
        value.clone().ok_or_else(|| Refusal::new(format!("profile {} needs {option}", args.profile)))
    };
    Ok(match args.profile {
        Profile::Rfc9068 => {
            Expectations::rfc9068(needed(&args.issuer, "--issuer")?, needed(&args.audience, "--audience")?)
        }
        Profile::FlowKit => Expectations::flowkit(needed(&args.audience, "--audience")?),
        Profile::Fedn => Expectations::fedn(None),
        Profile::Plain => Expectations::plain(args.issuer.as_deref(), args.audience.as_deref()),
    })
}

fn read(file: Option<&Path>) -> Result<Vec<u8>, Refusal> {
    if let Some(file) = file {
        return place::read(file, LARGEST_FILE);
    }
    let mut bytes = Vec::new();
    let read = io::stdin().take(LARGEST_FILE + 1).read_to_end(&mut bytes);
    read.map_err(|error| Refusal::system("read", Path::new("standard input"), &error))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(Refusal::new(format!("standard input is larger than {LARGEST_FILE} bytes")));
    }
    Ok(bytes)
}
