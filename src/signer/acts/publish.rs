//! `publish`: the next numbered folder of public material.

use super::issue::kid_for;
use super::series::{installed, open_cutover};
use super::{Denied, Session, Store, files, revocations, told};
use crate::issuing::Policy;
use crate::issuing::policy::{Consumer, Export, Service};
use crate::journal::{Event, Line, hex, sha256};
use crate::keystore::{self, KeyRecord, KeyState, Purpose};
use crate::publishing::record::{BundleMade, CertificateMade, PublicationMade};
use crate::publishing::{
    self, Change, Head, Publication, PublishFault, PublishedKey, ServiceMaterial, Substance, difference,
};
use crate::refusal::{Refusal, Refuse};
use crate::rotation::{self, RootTooShort, Rules, Table};
use coldsign_verify::Digest;
use coldsign_verify::revocation::Revocations;
use coldsign_verify::root::Root;
use std::collections::BTreeMap;

/// Certificates outlive every rotation: what ends a key is its removal, not its certificate.
const CERTIFICATE_YEARS: u64 = 10;
const YEAR: u64 = 31_556_952;

/// What `publish` did.
pub struct Published {
    /// Its number.
    pub seq: u64,
    /// SHA-256 of its `SHA256SUMS`, lower-case hex.
    pub manifest: String,
    /// Whether it is a new one; otherwise nothing had changed.
    pub new: bool,
    /// What changed against the one before.
    pub changes: Vec<Change>,
}

/// Makes the next publication where anything changed since the last one, the last one's bundle ends too
/// soon, or `renew` says so; records it, and keeps it in the store. Copying it out is [`super::publications::copy`].
///
/// # Errors
/// [`Denied::NothingToPublish`], [`Denied::NoCertificate`], or as the store refuses.
pub fn publish(session: &mut Session, renew: bool) -> Result<Published, Refusal> {
    check_signing_keys(session)?;
    let certificates = certificates(session)?;
    let store = session.store();
    let policy = told::policy(store, session.now())?;
    let materials = materials(store, &policy, session.now())?;
    let newest = store.ledger().publications.newest();
    let from = store.ledger().backups.publications_from();
    let seq = newest.map_or(0, |newest| newest.made.seq).saturating_add(1).max(from);
    let roots = super::root::chain(store)?;
    let head = head(store, &policy, &roots, seq, session.now())?;
    let renew = renew || renews(store, &policy, session.now());
    let draft = publishing::draft(&head, &materials, &certificates)?;
    let changes = match newest {
        Some(newest) => {
            // A damaged copy of the old one must not keep the new one from being made.
            let kept = super::publications::files(store, newest.made.seq).unwrap_or_default();
            let changes = difference(&Substance::of(&kept), &draft.substance()?);
            // The first one after a restore replaces any that were lost, whatever was in them.
            let told = revocations::unpublished(store, session.now()).is_empty();
            if changes.is_empty() && told && !renew && newest.made.seq >= from {
                return Ok(Published {
                    seq: newest.made.seq,
                    manifest: newest.made.manifest.clone(),
                    new: false,
                    changes,
                });
            }
            changes
        }
        None => Vec::new(),
    };
    let key = bundle_key(store, &roots)?;
    bundle_end(&policy, &roots, session.now()).map_err(|short| super::root::ends(&roots, &short))?;
    let built = draft.seal(&session.opened().load(key)?)?;
    keep(session, &built)?;
    Ok(Published { seq, manifest: built.manifest_sha256, new: true, changes })
}

/// Whether a publication made at that time would hold anything else than the newest one.
///
/// # Errors
/// As the store refuses.
pub fn would_change(store: &Store, now: u64) -> Result<bool, Refusal> {
    let Some(newest) = store.ledger().publications.newest() else { return Ok(true) };
    if !revocations::unpublished(store, now).is_empty() {
        return Ok(true);
    }
    let policy = told::policy(store, now)?;
    let mut kept = BTreeMap::new();
    for key in certified(store, &policy, now) {
        match store.ledger().publications.certificate(&key.kid) {
            Some(sha256) => kept.insert(key.kid.clone(), kept_certificate(store, &key.kid, sha256)?),
            None => return Ok(true),
        };
    }
    let materials = materials(store, &policy, now)?;
    let roots = super::root::chain(store)?;
    if roots.is_empty() {
        return Ok(true);
    }
    let draft = publishing::draft(&head(store, &policy, &roots, newest.made.seq, now)?, &materials, &kept)?;
    let files = super::publications::files(store, newest.made.seq)?;
    Ok(!difference(&Substance::of(&files), &draft.substance()?).is_empty())
}

/// Publishes what an act has recorded, where services see it; `renew` as in [`publish`].
///
/// # Errors
/// [`Unpublished`] with what refused: the act itself is done.
pub(super) fn follow(session: &mut Session, renew: bool, done: &str) -> Result<Option<Published>, Refusal> {
    let made = would_change(session.store(), session.now())
        .and_then(|changed| if renew || changed { publish(session, renew).map(Some) } else { Ok(None) });
    made.map_err(|cause| Unpublished { done: done.to_owned(), cause }.into())
}

/// An act is done, and what services must hear of it could not be published.
#[derive(Debug, thiserror::Error)]
#[error("{done}, but no publication says so: {cause}")]
struct Unpublished {
    done: String,
    cause: Refusal,
}

impl Refuse for Unpublished {
    fn rule(&self) -> Option<&'static str> {
        self.cause.reason().rule()
    }

    fn why(&self) -> Vec<String> {
        let mut why = self.cause.reason().why();
        why.push("don't repeat the act: when that is mended, coldsign publish is all that is missing".to_owned());
        why
    }

    fn is_fault(&self) -> bool {
        self.cause.reason().is_fault()
    }

    fn hint(&self) -> Option<String> {
        self.cause.reason().hint().or_else(|| Some("coldsign publish --to .".to_owned()))
    }
}

/// Whether the newest bundle ends so soon that a new one must go out now, whatever it says.
pub fn renews(store: &Store, policy: &Policy, now: u64) -> bool {
    let newest = store.ledger().publications.newest();
    let Some((at, made)) = newest.and_then(|newest| Some((newest.at, newest.made.bundle.as_ref()?))) else {
        return false;
    };
    timing(policy).renews(at, made.exp, now)
}

/// From when to when the next publication is due after one of that time, though nothing changes.
pub fn due(policy: &Policy, newest: u64) -> (u64, u64) {
    let timing = timing(policy);
    (newest.saturating_add(timing.publication_due()), newest.saturating_add(timing.publish_every))
}

/// When a bundle made now ends: never after the newest root.
fn bundle_end(policy: &Policy, roots: &[Root], now: u64) -> Result<u64, RootTooShort> {
    let root_expiry = roots.last().map_or(u64::MAX, |root| root.terms().expires_at.0);
    Table.bundle_expiry(&timing(policy), now, root_expiry)
}

/// The travel times, which are the same for all keysets.
fn timing(policy: &Policy) -> rotation::Timing {
    policy.rotation("")
}

/// What the bundle of publication `seq` says beside its services.
fn head<'a>(store: &'a Store, policy: &Policy, roots: &'a [Root], seq: u64, now: u64) -> Result<Head<'a>, Refusal> {
    let before = store.ledger().publications.all().iter().rev().find(|one| one.made.seq < seq);
    let previous = match before {
        _ if seq == 1 => None,
        // No verifier has installed what had no bundle: any digest will do, and this one says something.
        Some(before) => Some(
            before.made.bundle.as_ref().map_or_else(|| before.made.manifest.clone(), |bundle| bundle.sha256.clone()),
        ),
        None => Some(hex(&sha256(store.journal().note().as_bytes()))),
    };
    let damaged = |_| Denied::Damaged {
        file: "journal/entries.jsonl".to_owned(),
        what: "a digest of a publication is none".to_owned(),
    };
    Ok(Head {
        seq,
        store_id: &store.sheet().store_id,
        issuer: &store.sheet().issuer,
        made_at: now,
        arrive_by: now.saturating_add(policy.distribution().delivery),
        // Whether the root allows it is for whoever signs.
        expires_at: bundle_end(policy, roots, now).unwrap_or_else(|short| short.needed),
        previous: previous.map(|digest| digest.parse::<Digest>()).transpose().map_err(damaged)?,
        skew_seconds: policy.timing().skew,
        roots,
        revoked: revocations::current(store, now),
        checkpoint: store.journal().note(),
    })
}

/// The key that the newest root names for bundles and that can sign.
fn bundle_key<'a>(store: &'a Store, roots: &[Root]) -> Result<&'a KeyRecord, Refusal> {
    let root = roots.last().ok_or(PublishFault::NoRoot)?;
    let named = |key: &&KeyRecord| key.has_private_half() && root.bundle_key(&key.kid).is_some();
    let mut keys = store.ledger().keys.all().iter().filter(|key| key.purpose == Purpose::Bundle);
    Ok(keys.rfind(named).ok_or_else(|| Denied::NoKey { name: "bundle".to_owned(), nearest: None })?)
}

fn keep(session: &mut Session, built: &Publication) -> Result<(), Refusal> {
    let store = session.store();
    let folder = format!("publications/{}", super::publications::folder_in_store(built.seq));
    store.directory().stage_files(&folder, &built.files)?;
    let policy = told::policy(store, session.now())?;
    let kids = distributed(store, &policy, session.now()).map(|key| key.kid.clone()).collect();
    session.record(&[PublicationMade {
        seq: built.seq,
        manifest: built.manifest_sha256.clone(),
        kids,
        bundle: built.bundle.map(|(sha256, exp)| BundleMade { sha256: sha256.to_string(), exp }),
    }
    .line()])
}

/// The keys that a publication made at that time carries to some service: every published key of a
/// keyset that an overlap service reads; of the others only the one that signs, and during a cutover
/// the one that is installed where the swap is confirmed.
pub fn distributed<'a>(store: &'a Store, policy: &'a Policy, now: u64) -> impl Iterator<Item = &'a KeyRecord> {
    let keys = &store.ledger().keys;
    keys.all().iter().filter(move |key| key.purpose == Purpose::Token && key.published_at(now)).filter(move |key| {
        let signs = keys.signing(&key.keyset).is_some_and(|signing| signing.kid == key.kid);
        let installed = |service: &Service| installed(store, service).is_some_and(|one| one.kid == key.kid);
        let confirmed = open_cutover(store, &key.keyset).is_some_and(|open| open.issued.kid == key.kid);
        let carries = |service: &Service| match (service.consumer, service.left) {
            (Consumer::Overlap, _) => true,
            (Consumer::SingleKey, Some(_)) => installed(service),
            (Consumer::SingleKey, None) => signs || (confirmed && installed(service)),
        };
        policy.services_of(&key.keyset).any(carries)
    })
}

/// What each service gets: the keys of its own keyset, and nothing else.
fn materials(store: &Store, policy: &Policy, now: u64) -> Result<Vec<ServiceMaterial>, Refusal> {
    let withdrawn = revocations::current(store, now);
    let mut materials = Vec::new();
    for service in policy.services() {
        let signing = store.ledger().keys.signing(&service.keyset);
        // Where the swap is confirmed the next key is installed already; where the service left, the last one stays.
        let signing = match service.consumer {
            Consumer::SingleKey if service.left.is_some() || open_cutover(store, &service.keyset).is_some() => {
                installed(store, service)
            }
            _ => signing,
        };
        let signing = signing.map(|key| key.kid.as_str());
        materials.push(material(store, policy, service, signing, &withdrawn, now)?);
    }
    Ok(materials)
}

/// What one service gets, if that key is the one that signs.
fn material(
    store: &Store,
    policy: &Policy,
    service: &Service,
    signing: Option<&str>,
    withdrawn: &Revocations,
    now: u64,
) -> Result<ServiceMaterial, Refusal> {
    let keys = &store.ledger().keys;
    let published: Vec<PublishedKey> = keys
        .of_keyset(&service.keyset)
        .filter(|key| key.published_at(now))
        .map(|key| published_key(service, key, signing))
        .collect();
    if published.is_empty() {
        return Err(Denied::NothingToPublish { service: service.name.clone(), keyset: service.keyset.clone() }.into());
    }
    Ok(ServiceMaterial {
        service: service.name.clone(),
        issuer: store.sheet().issuer.clone(),
        audience: service.audience.clone(),
        profile: service.profile,
        consumer: match service.consumer {
            Consumer::Overlap => publishing::Consumer::Overlap,
            Consumer::SingleKey => publishing::Consumer::SingleKey,
        },
        leeway_seconds: service.leeway,
        longest_validity_seconds: told::reach(store, policy, service, now)?,
        custom_claim: service.custom_claim.as_ref().map(|claim| (claim.name.clone(), claim.value.clone())),
        roles: service.roles.keys().cloned().collect(),
        keys: published,
        exports: service.export.iter().map(|export| export_of(*export)).collect(),
        revoked: service.sees_revocations.then(|| revocations::of_service(store, withdrawn, service)),
    })
}

/// The files that a single-key service installs at a cutover: as a publication's, with the next key
/// in the place of the one that signs now.
pub(super) fn for_swap(
    session: &mut Session,
    service: &Service,
    next: &KeyRecord,
) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    keystore::second_opinion(&session.opened().load(next)?)?;
    let certificates = certificates(session)?;
    let (store, now) = (session.store(), session.now());
    let policy = told::policy(store, now)?;
    let mut material = material(store, &policy, service, Some(&next.kid), &revocations::current(store, now), now)?;
    material.keys.retain(|key| key.signs_now);
    Ok(publishing::for_swap(&store.sheet().store_id, now, &material, &certificates)?)
}

fn published_key(service: &Service, key: &KeyRecord, signing: Option<&str>) -> PublishedKey {
    PublishedKey {
        name: key.name(),
        kid: kid_for(service, key),
        kept_kid: key.foreign.kid.clone(),
        key: key.public.clone(),
        signs_now: signing == Some(key.kid.as_str()),
        verify_until: match key.state {
            KeyState::Deactivated { verify_until } => Some(verify_until),
            _ => None,
        },
    }
}

fn export_of(export: Export) -> publishing::Export {
    match export {
        Export::Jwks => publishing::Export::Jwks,
        Export::SpkiPem => publishing::Export::SpkiPem,
        Export::SpkiPemBase64 => publishing::Export::SpkiPemBase64,
        Export::SingleJwks => publishing::Export::SingleJwks,
        Export::X509 => publishing::Export::X509,
        Export::FednEnv => publishing::Export::FednEnv,
        Export::FlowapiEnv => publishing::Export::FlowapiEnv,
    }
}

/// A second library checks each key that goes out, as long as it can still sign.
fn check_signing_keys(session: &Session) -> Result<(), Refusal> {
    for key in session.store().ledger().keys.all() {
        if key.purpose == Purpose::Token && key.has_private_half() {
            keystore::second_opinion(&session.opened().load(key)?)?;
        }
    }
    Ok(())
}

/// The keys over which some service of the policy wants a certificate.
fn certified<'a>(store: &'a Store, policy: &'a Policy, now: u64) -> impl Iterator<Item = &'a KeyRecord> {
    let wanted =
        |key: &&KeyRecord| policy.services_of(&key.keyset).any(|service| service.export.contains(&Export::X509));
    store.ledger().keys.all().iter().filter(move |key| key.published_at(now)).filter(wanted)
}

/// The certificates that services of the policy want, by kid. Those not there yet are made and
/// kept: a certificate of the same key must never change under a service.
fn certificates(session: &mut Session) -> Result<BTreeMap<String, String>, Refusal> {
    let store = session.store();
    let policy = told::policy(store, session.now())?;
    let mut certificates = BTreeMap::new();
    let mut lines: Vec<Line> = Vec::new();
    for key in certified(store, &policy, session.now()) {
        let pem = match store.ledger().publications.certificate(&key.kid) {
            Some(sha256_known) => kept_certificate(store, &key.kid, sha256_known)?,
            None => {
                let pem = make_certificate(session, key)?;
                store.directory().below("certificates")?;
                store.directory().stage_file(&files::certificate_file(&key.kid), pem.as_bytes())?;
                lines.push(CertificateMade { kid: key.kid.clone(), sha256: hex(&sha256(pem.as_bytes())) }.line());
                pem
            }
        };
        certificates.insert(key.kid.clone(), pem);
    }
    if !lines.is_empty() {
        session.record(&lines)?;
    }
    Ok(certificates)
}

fn kept_certificate(store: &Store, kid: &str, sha256_known: &str) -> Result<String, Refusal> {
    let file = files::certificate_file(kid);
    let pem = String::from_utf8(files::read_named(store.directory(), &file, sha256_known)?);
    Ok(pem.map_err(|_| Denied::Damaged { file, what: "it is not UTF-8 text".to_owned() })?)
}

fn make_certificate(session: &Session, key: &KeyRecord) -> Result<String, Refusal> {
    if !key.has_private_half() {
        return Err(Denied::NoCertificate { key: key.name() }.into());
    }
    let secret = session.opened().load(key)?;
    let serial = keystore::random::<16>()?;
    let name = format!("coldsign {}", key.name());
    let not_before = key.made_at;
    let not_after = session.now().saturating_add(CERTIFICATE_YEARS * YEAR);
    Ok(publishing::certificate::make(&secret, &key.public, &name, *serial, not_before, not_after)?)
}
