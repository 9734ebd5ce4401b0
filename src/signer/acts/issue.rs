//! `token issue`: from a request to tokens that are recorded, checked and delivered.

mod output;

pub use output::{Undelivered, confirm, deliver};
pub(super) use output::{deliver_or, settle};

use super::denied::nearest;
use super::{Denied, Session, Store, told};
use crate::issuing::delivery::{self, Delivered};
use crate::issuing::policy::{KidForm, Service, TokenForm};
use crate::issuing::record::TokenIssued;
use crate::issuing::{Draft, Policy, Request, draft, size};
use crate::journal::{Event, Line, hex, sha256};
use crate::keystore::{self, KeyRecord, KeyState, SecretKey};
use crate::publishing::libtrust_kid;
use crate::refusal::Refusal;
use crate::rotation::{Rules, Table, until_expired};
use coldsign_verify::jws::{Sign, assemble};
use coldsign_verify::{Expectations, Jwks, Profile, UnixTime, Verifier, base64url};
use serde_json::Value;
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};

/// The most subjects of one act: it is one commit, and nobody watches a longer one.
const LARGEST_BATCH: usize = 10_000;
/// What goes in front of the name of a file that is used from a cutover's swap on.
const AFTER_SWAP: &str = "after-swap-";

/// What is asked for, for one or more subjects.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The service.
    pub service: String,
    /// Roles of it.
    pub roles: Vec<String>,
    /// Whom the tokens are about.
    pub subjects: Vec<String>,
    /// In seconds; the role's default where `None`.
    pub lifetime: Option<u64>,
    /// When they begin to be valid, in seconds since the epoch.
    pub not_before: Option<u64>,
    /// Scopes to narrow the roles to.
    pub scopes: Vec<String>,
    /// RFC 9396 authorization details to narrow them to.
    pub details: Option<Value>,
    /// RFC 7800 `cnf.jkt`: thumbprint of the holder's key.
    pub cnf_jkt: Option<String>,
    /// The form of the file, where not the policy's.
    pub form: Option<TokenForm>,
    /// Why, for the journal.
    pub reason: Option<String>,
}

/// One token's draft and the key that would sign it.
pub struct Planned {
    /// Its subject.
    pub subject: String,
    /// Its claims and the rule that allows each.
    pub draft: Draft,
    /// The name of the file it would be in.
    pub file_name: String,
    /// The key that would sign it: RFC 7638 thumbprint; `None` where none does.
    pub kid: Option<String>,
    /// The `jti` of the token whose place it takes: from a cutover's swap on, or after an emergency.
    pub stands_for: Option<String>,
}

/// A token that is recorded and may leave.
pub struct Issued {
    /// Its subject.
    pub subject: String,
    /// Its `jti`.
    pub jti: String,
    /// When it expires, in seconds since the epoch.
    pub expires_at: u64,
    /// The token. What leaves is this, or `file`.
    pub token: zeroize::Zeroizing<String>,
    /// The file its holder gets.
    pub file: Delivered,
    /// `keyset/number` of its key.
    pub key: String,
    /// Whether any publication holds that key, or the folder of a cutover.
    pub key_published: bool,
    /// Whether the newest publication tells its service that a token may be valid for so long.
    pub validity_told: bool,
    /// Until when nothing takes it back at its service, in seconds since the epoch; `None` where the
    /// service learns of revocations.
    pub exposed_until: Option<u64>,
}

/// The claims of each token as they would be, without signing anything. Needs no passphrase.
///
/// # Errors
/// As [`issue`] would refuse.
pub fn plan(store: &Store, batch: &Batch, now: u64) -> Result<Vec<Planned>, Refusal> {
    plan_under(store, batch, None, false, now)
}

/// As [`plan`], under that key where one is given; `known_subject` as a [`Request`] has it.
pub(super) fn plan_under(
    store: &Store,
    batch: &Batch,
    key: Option<&KeyRecord>,
    known_subject: bool,
    now: u64,
) -> Result<Vec<Planned>, Refusal> {
    if !store.policy_is_applied()? {
        return Err(Denied::PolicyUnapplied.into());
    }
    let (policy, _) = store.policy()?;
    if batch.subjects.len() > LARGEST_BATCH {
        return Err(Denied::BatchTooLarge { found: batch.subjects.len(), most: LARGEST_BATCH }.into());
    }
    let mut seen = HashSet::new();
    if let Some(twice) = batch.subjects.iter().find(|subject| !seen.insert(subject.as_str())) {
        return Err(Denied::SubjectTwice(twice.clone()).into());
    }
    // What there is no service for is refused by the draft.
    let service = policy.service(&batch.service);
    let keys = match key {
        Some(key) => vec![("", Some(key.kid.clone()))],
        None => service.map_or_else(|| vec![("", None)], |service| keys_for(store, service)),
    };
    let withdrawn = super::revocations::cut_offs(store, Some(&policy));
    let carried = |kid: &str| Some(kid_for(service?, store.ledger().keys.by_kid(kid)?));
    let mut planned: Vec<Planned> = Vec::with_capacity(batch.subjects.len());
    for subject in &batch.subjects {
        let mut first: Option<String> = None;
        for (front, kid) in &keys {
            let known_as = kid.as_deref().and_then(carried).unwrap_or_default();
            let request = Request {
                service: batch.service.clone(),
                roles: batch.roles.clone(),
                subject: subject.clone(),
                lifetime: batch.lifetime,
                not_before: batch.not_before.map(UnixTime),
                scopes: batch.scopes.clone(),
                details: batch.details.clone(),
                cnf_jkt: batch.cnf_jkt.clone(),
                known_subject,
                cut_off: super::revocations::cut_off(&withdrawn, batch, subject, &known_as),
            };
            let jti = base64url::encode(&*keystore::random::<16>()?);
            let draft = draft(&policy, &store.sheet().issuer, &request, UnixTime(now), &jti)?;
            let name = delivery::name(&policy, &batch.service, &batch.roles, subject, batch.form)?;
            planned.push(Planned {
                subject: subject.clone(),
                draft,
                file_name: format!("{front}{name}"),
                kid: kid.clone(),
                stands_for: first.replace(jti).filter(|_| !front.is_empty()),
            });
        }
    }
    Ok(planned)
}

/// Signs, checks and records the tokens. When this returns they are in the journal and may leave;
/// say with [`confirm`] whether they did.
///
/// # Errors
/// As the policy refuses, or [`Denied::SelfCheck`], or as the store refuses; then nothing counts as
/// issued.
pub fn issue(session: &mut Session, batch: &Batch) -> Result<Vec<Issued>, Refusal> {
    let planned = plan(session.store(), batch, session.now())?;
    let (issued, lines) = sign_all(session, batch, planned)?;
    session.record(&lines)?;
    Ok(issued)
}

/// Signs and checks planned tokens, each under its key; what comes back is to be recorded before
/// anything leaves.
pub(super) fn sign_all(
    session: &Session,
    batch: &Batch,
    planned: Vec<Planned>,
) -> Result<(Vec<Issued>, Vec<Line>), Refusal> {
    let store = session.store();
    let (policy, record) = store.policy()?;
    let service = service_of(&policy, &batch.service)?;
    let record_sha256 = record.applied.sha256.clone();
    let mut keys: HashMap<Option<String>, (&KeyRecord, SecretKey)> = HashMap::new();
    let check = SelfCheck::new(store, &policy, service, session.now())?;
    let published_reach = told::published_reach(store, &service.name);
    let form = match batch.form {
        Some(form) => form,
        None => delivery::usual_form(&policy, &batch.service, &batch.roles)?,
    };
    let mut issued = Vec::with_capacity(planned.len());
    let mut lines: Vec<Line> = Vec::with_capacity(planned.len());
    for Planned { subject, draft, file_name, kid, stands_for } in planned {
        let (key, secret) = match keys.entry(kid) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let key = match unknown.key() {
                    Some(kid) => super::keys::find(store, kid)?,
                    None => signing_key(store, service)?,
                };
                unknown.insert((key, session.opened().load(key)?))
            }
        };
        let token = zeroize::Zeroizing::new(sign(secret, service, &draft)?);
        size::check(&draft, token.len())?;
        check.token(&token, &subject, &draft)?;
        // A key that waits signs for a cutover only, and is in the folder of its operator.
        let waits = key.state == KeyState::PreActivation;
        let published = waits || store.ledger().publications.first_published(&key.kid).is_some();
        let file = Delivered { name: file_name, ..render(&policy, batch, &subject, &token)? };
        lines.push(
            TokenIssued {
                jti: draft.jti.clone(),
                service: service.name.clone(),
                roles: batch.roles.clone(),
                sub: subject.clone(),
                kid: key.kid.clone(),
                policy: record_sha256.clone(),
                iat: draft.issued_at.0,
                nbf: draft.not_before.0,
                exp: draft.expires_at.0,
                token_sha256: hex(&sha256(token.as_bytes())),
                claims: draft.undetermined.clone(),
                form: form.to_string(),
                reason: batch.reason.clone(),
                stands_for,
            }
            .line(),
        );
        issued.push(Issued {
            subject,
            jti: draft.jti,
            expires_at: draft.expires_at.0,
            token,
            file,
            key: key.name(),
            key_published: published,
            validity_told: draft.expires_at.0.saturating_sub(draft.issued_at.0) <= published_reach,
            exposed_until: (!service.sees_revocations)
                .then(|| until_expired(policy.timing().skew, service.leeway, draft.expires_at.0)),
        });
    }
    Ok((issued, lines))
}

/// A service of the policy.
///
/// # Errors
/// [`Denied::NoService`].
pub fn service_of<'p>(policy: &'p Policy, name: &str) -> Result<&'p Service, Denied> {
    policy.service(name).ok_or_else(|| Denied::NoService {
        name: name.to_owned(),
        nearest: nearest(name, policy.services().map(|service| service.name.as_str())),
    })
}

/// The kid a service knows a key by.
pub fn kid_for(service: &Service, key: &KeyRecord) -> String {
    match service.kid {
        KidForm::Thumbprint => key.kid.clone(),
        KidForm::Libtrust => libtrust_kid(&key.public),
    }
}

/// What a verifier of a service expects, exactly as the service is told. `policy` is that of [`told::policy`].
///
/// # Errors
/// As the store refuses.
pub fn expectations(store: &Store, policy: &Policy, service: &Service, now: u64) -> Result<Expectations, Refusal> {
    let issuer = store.sheet().issuer.as_str();
    let audience = service.audience.as_deref();
    let expected = match service.profile {
        Profile::Rfc9068 => Expectations::rfc9068(issuer, audience.unwrap_or_default()),
        Profile::FlowKit => Expectations::flowkit(audience.unwrap_or_default()),
        Profile::Fedn => Expectations::fedn(None),
        Profile::Plain => Expectations::plain(Some(issuer), audience),
    };
    let reach = told::reach(store, policy, service, now)?;
    let expected = expected.leeway(service.leeway).longest_validity(reach);
    Ok(match &service.custom_claim {
        Some(claim) => expected.claim(claim.name.clone(), claim.value.clone()),
        None => expected,
    })
}

fn render(policy: &Policy, batch: &Batch, subject: &str, token: &str) -> Result<Delivered, Refusal> {
    Ok(delivery::render(policy, &batch.service, &batch.roles, subject, token, batch.form)?)
}

/// The keys that a token for a service is signed with, each with what goes in front of its file's
/// name: one, but until the swap of a cutover is confirmed both the key that is installed and the one
/// that will be.
fn keys_for(store: &Store, service: &Service) -> Vec<(&'static str, Option<String>)> {
    let signing = store.ledger().keys.signing(&service.keyset).map(|key| key.kid.clone());
    let mut keys = vec![("", signing)];
    let open = super::series::open_cutover(store, &service.keyset);
    let open = open.filter(|open| open.issued.services.contains(&service.name));
    // It has swapped already; the others of the keyset have not.
    if let Some(open) = open.filter(|open| open.confirmed.contains(&service.name)) {
        return vec![("", Some(open.issued.kid.clone()))];
    }
    if let Some(open) = open.filter(|_| Table.covers_both(true)) {
        keys.push((AFTER_SWAP, Some(open.issued.kid.clone())));
    }
    keys
}

fn signing_key<'a>(store: &'a Store, service: &'a Service) -> Result<&'a KeyRecord, Denied> {
    let keys = &store.ledger().keys;
    keys.signing(&service.keyset).ok_or_else(|| Denied::NoSigningKey {
        keyset: service.keyset.clone(),
        paused: keys.of_keyset(&service.keyset).find(|key| key.state == KeyState::Suspended).map(KeyRecord::name),
    })
}

fn sign(secret: &SecretKey, service: &Service, draft: &Draft) -> Result<String, Refusal> {
    let failed = |_| keystore::KeystoreFault::Operation("signing");
    let token = match service.kid {
        KidForm::Thumbprint => assemble(secret, draft.typ, &draft.claims_json).map_err(failed)?,
        KidForm::Libtrust => {
            let kid = libtrust_kid(secret.public());
            let signer: &dyn Sign = &secret.signing_as(&kid);
            assemble(signer, draft.typ, &draft.claims_json).map_err(failed)?
        }
    };
    Ok(token)
}

/// Every token must pass the verifier that services use, with the keys that services get.
struct SelfCheck {
    verifier: Verifier,
}

impl SelfCheck {
    fn new(store: &Store, policy: &Policy, service: &Service, now: u64) -> Result<Self, Refusal> {
        let keys = store.ledger().keys.of_keyset(&service.keyset);
        let set = keys.filter(|key| key.has_private_half()).map(|key| (kid_for(service, key), key.public.clone()));
        let jwks = Jwks::new(set)
            .map_err(|error| Denied::SelfCheck { subject: service.name.clone(), what: error.to_string() })?;
        let expected = expectations(store, policy, service, now)?.proof_of_possession_enforced_by_caller();
        Ok(Self { verifier: Verifier::new(jwks, expected) })
    }

    fn token(&self, token: &str, subject: &str, draft: &Draft) -> Result<(), Denied> {
        let failed = |what: String| Denied::SelfCheck { subject: subject.to_owned(), what };
        // At the moment it begins to be valid: that may lie ahead.
        let verified = self.verifier.verify(token, draft.not_before).map_err(|refusal| failed(refusal.to_string()))?;
        if draft.is_of(verified.claims()) {
            Ok(())
        } else {
            Err(failed("its claims are not those that were drafted".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystore::RsaBits;
    use crate::refusal::Refuse;
    use coldsign_verify::Algorithm;

    const POLICY: &str = r#"
        format = "coldsign-policy"
        version = 1
        [keysets.default]
        algorithm = "EdDSA"
        [services.api]
        profile = "rfc9068"
        keyset = "default"
        audience = "https://api.example"
        [services.api.roles.reader]
        [services.api.roles.writer]
    "#;

    fn drafted(role: &str) -> Draft {
        let request = Request {
            service: "api".to_owned(),
            roles: vec![role.to_owned()],
            subject: "ann".to_owned(),
            ..Request::default()
        };
        let policy = Policy::parse(POLICY).unwrap();
        draft(&policy, "https://tokens.example", &request, UnixTime(1_800_000_000), role).unwrap()
    }

    fn check_for(key: &SecretKey) -> SelfCheck {
        let jwks = Jwks::new([(key.kid().to_owned(), key.public().clone())]).unwrap();
        let expected = Expectations::rfc9068("https://tokens.example", "https://api.example");
        SelfCheck { verifier: Verifier::new(jwks, expected) }
    }

    #[test]
    fn a_token_that_its_service_would_not_take_stays_in() {
        let key = || SecretKey::generate(Algorithm::EdDsa, RsaBits::Two).unwrap();
        let (ours, other) = (key(), key());
        let (reader, writer) = (drafted("reader"), drafted("writer"));
        let token = assemble(&ours, reader.typ, &reader.claims_json).unwrap();
        assert!(check_for(&ours).token(&token, "ann", &reader).is_ok());
        for refused in [check_for(&other).token(&token, "ann", &reader), check_for(&ours).token(&token, "ann", &writer)]
        {
            assert_eq!(refused.unwrap_err().rule(), Some("TOKEN-SELF-CHECK"));
        }
    }
}
