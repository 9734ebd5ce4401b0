//! `coldsign token verify`

use super::super::context::Context;
use super::super::fault::Fault;
use super::super::screen::Screen;
use super::super::{Ended, when};
use super::{find_token, read_token};
use coldsign::acts::verify::{verifier_of_folder, verifier_of_store, verify};
use coldsign::refusal::Refusal;
use coldsign::storage::read_file;
use coldsign_verify::escape::escaped;
use coldsign_verify::{Expectations, Jwks, LONGEST_JWKS, Profile, Verifier};
use serde_json::json;
use std::path::PathBuf;

/// Check a token as its service would
///
/// Checks a token as its service would, at this machine's time: with the keys this store would
/// publish, with a published folder alone, or with any JWKS file.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign token verify api-ann.jwt --service api
  coldsign token verify api-ann.jwt --published /media/usb/coldsign-publication-000001/for-api
  coldsign token verify t.jwt --jwks jwks.json --issuer https://tokens.example --audience https://api.example")]
#[command(group = clap::ArgGroup::new("keys").required(true))]
pub struct Args {
    /// The file: a token, a header, a dotenv file, a client.yaml; standard input without
    file: Option<PathBuf>,
    /// As this service of the store would
    #[arg(long, group = "keys")]
    service: Option<String>,
    /// From a published for-SERVICE folder alone; needs no store
    #[arg(long, value_name = "DIR", group = "keys")]
    published: Option<PathBuf>,
    /// With the keys of this JWKS file; needs no store
    #[arg(long, value_name = "FILE", group = "keys")]
    jwks: Option<PathBuf>,
    /// With --jwks: the claim layout
    #[arg(long, value_name = "PROFILE", default_value = "rfc9068", requires = "jwks", value_parser = ["rfc9068", "flowkit", "fedn", "plain"])]
    profile: String,
    /// With --jwks: the issuer to expect
    #[arg(long, requires = "jwks")]
    issuer: Option<String>,
    /// With --jwks: the audience to expect
    #[arg(long, requires = "jwks")]
    audience: Option<String>,
    /// At this time instead of now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    let now = context.now()?;
    let at = args.at.as_deref().map(|text| when::point(text, now)).transpose()?.unwrap_or(now);
    let verifier = verifier(&args, context, screen, at)?;
    let token = find_token(&read_token(args.file.as_ref())?);
    let verified = verify(&verifier, &token, at)?;
    if screen.json() {
        screen.object(&json!({
            "verified": true, "kid": verified.kid(), "algorithm": verified.algorithm().to_string(),
            "claims": verified.claims(), "expires": verified.expires_at().0,
        }));
        return Ok(());
    }
    screen.line(&format!(
        "verified: {} until {}, key {}",
        escaped(verified.subject().unwrap_or("no subject")),
        when::both(verified.expires_at().0),
        escaped(verified.kid())
    ));
    Ok(())
}

fn verifier(args: &Args, context: &Context, screen: &mut Screen, at: u64) -> Result<Verifier, Refusal> {
    if let Some(service) = &args.service {
        return verifier_of_store(&context.store(screen)?, service, at);
    }
    if let Some(folder) = &args.published {
        return Ok(verifier_of_folder(folder)?.0);
    }
    let file = args.jwks.as_ref().ok_or(Fault::Missing("no keys are named"))?;
    let jwks = Jwks::parse(&read_file(file, LONGEST_JWKS as u64)?)
        .map_err(|error| Fault::Keys { file: file.display().to_string(), what: error.to_string() })?;
    let profile: Profile = args.profile.parse().map_err(|_| Fault::Missing("no such profile"))?;
    let audience = || args.audience.as_deref().ok_or(Fault::Missing("this profile wants --audience"));
    let expected = match profile {
        Profile::Rfc9068 => {
            let issuer = args.issuer.as_deref().ok_or(Fault::Missing("this profile wants --issuer"))?;
            Expectations::rfc9068(issuer, audience()?)
        }
        Profile::FlowKit => Expectations::flowkit(audience()?),
        Profile::Fedn => Expectations::fedn(None),
        Profile::Plain => Expectations::plain(args.issuer.as_deref(), args.audience.as_deref()),
    };
    Ok(Verifier::new(jwks, expected))
}
