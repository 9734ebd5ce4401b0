//! `coldsign key import`

use super::super::ask;
use super::super::context::Context;
use super::super::fault::Fault;
use super::super::screen::Screen;
use super::super::{Ended, when};
use super::made;
use coldsign::acts::foreign::{self, Said};
use coldsign::acts::keys;
use coldsign::keystore::{Foreign, ForeignTokens, KeyRecord};
use coldsign::refusal::Refusal;
use coldsign::storage::{StorageFault, read_file};
use coldsign_verify::escape::escaped;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The largest private key file that is read, in bytes.
const LARGEST_KEY: u64 = 64 << 10;
const DAY: u64 = 86_400;

/// Take in a private key that was made elsewhere: PKCS#8 PEM or a private JWK
///
/// Tokens that the key has signed elsewhere are not in the journal. Say until when they live:
/// the key stays published until then. Without these options coldsign asks.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign key import flowkit old-signing-key.pem --no-tokens
  coldsign key import api old.jwk --tokens-until 2027-06-30 --tokens-longest 90d --keep-kid
  coldsign key import api old.pem --tokens-until +30d --tokens-longest 30d --keep-kid=prod-2024")]
pub struct Args {
    /// The keyset, as policy.toml names it
    keyset: String,
    /// The file with the key
    file: PathBuf,
    /// When the last token expires that the key has signed elsewhere
    #[arg(long, value_name = "TIME", requires = "tokens_longest", conflicts_with = "no_tokens")]
    tokens_until: Option<String>,
    /// How long the longest of these tokens is valid
    #[arg(long, value_name = "DURATION", requires = "tokens_until", conflicts_with = "no_tokens")]
    tokens_longest: Option<String>,
    /// No token lives that the key has signed elsewhere
    #[arg(long)]
    no_tokens: bool,
    /// Publish the key under its old kid as well [default: the kid that the JWK names]
    #[arg(long, value_name = "KID", num_args = 0..=1)]
    keep_kid: Option<Option<String>>,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    let bytes = Zeroizing::new(read_file(&args.file, LARGEST_KEY)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| StorageFault::NotText(args.file.clone()))?;
    // A key that others have is no question of the store.
    keys::check_import(&context.unvouched_store()?, &args.keyset, text)?;
    let mut judged = Foreign::default();
    let mut session = context.act(screen, |store, _| {
        let named = keys::check_import(store, &args.keyset, text)?;
        let now = context.now()?.max(store.journal().newest_time());
        let said = said(&args, named.as_deref(), now)?;
        judged = foreign::judged(&said, named, &foreign::command(&args.keyset, &args.file), now)?;
        Ok(())
    })?;
    let key = keys::import(&mut session, &args.keyset, text, judged)?;
    made(&key, "took in", screen);
    told(&key, screen);
    screen.warning(&format!(
        "{} still holds the private key in the clear: destroy that file and every copy of it",
        args.file.display()
    ));
    screen.note("whoever has had a copy can sign tokens; a key made here would have none");
    Ok(())
}

/// What the options say, and where they say nothing, the person at the terminal.
fn said(args: &Args, named: Option<&str>, now: u64) -> Result<Said, Refusal> {
    let kid = args.keep_kid.clone();
    if args.no_tokens {
        return Ok(Said { tokens: Some(None), kid });
    }
    if let (Some(until), Some(longest)) = (&args.tokens_until, &args.tokens_longest) {
        let tokens = ForeignTokens { until: end_of(until, now)?, longest: when::span(longest)? };
        return Ok(Said { tokens: Some(Some(tokens)), kid });
    }
    match asked(named.filter(|_| kid.is_none()), now) {
        Ok((tokens, keeps)) => Ok(Said { tokens: Some(tokens), kid: kid.or(keeps.then_some(None)) }),
        Err(Fault::NoTerminal(_)) => Ok(Said { tokens: None, kid }),
        Err(fault) => Err(fault.into()),
    }
}

/// The answers, and whether the kid that the file names is to be kept.
fn asked(named: Option<&str>, now: u64) -> Result<(Option<ForeignTokens>, bool), Fault> {
    let until = ask::line("When does the last token expire that this key has signed elsewhere? A time, or none", None)?;
    if until == "none" {
        return Ok((None, false));
    }
    let until = end_of(&until, now)?;
    let longest = when::span(&ask::line("How long is the longest of these tokens valid (12h, 30d)?", None)?)?;
    let keeps = match named {
        Some(kid) => {
            let question =
                format!("Publish the key under its old kid {} as well, so that they are accepted?", escaped(kid));
            ask::line(&question, Some("yes"))? == "yes"
        }
        None => false,
    };
    Ok((Some(ForeignTokens { until, longest }), keeps))
}

/// A date counts to its end: the key must not leave a day too soon.
fn end_of(text: &str, now: u64) -> Result<u64, Fault> {
    let point = when::end_of(text, now)?;
    let is_date = text.len() == "2027-01-01".len() && !text.starts_with('+') && !text.contains(':');
    Ok(if is_date { point.saturating_add(DAY - 1) } else { point })
}

fn told(key: &KeyRecord, screen: &mut Screen) {
    if let Some(tokens) = key.foreign.tokens {
        let until = when::both(when::rounded_up(tokens.until));
        screen.note(&format!("its tokens from elsewhere live until {until}: it stays published until then at least"));
    }
    if let Some(kid) = &key.foreign.kid {
        screen.note(&format!("it is published under the kid {kid} as well"));
    }
}
