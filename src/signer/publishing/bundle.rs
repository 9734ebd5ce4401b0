//! The bundle of a publication, and the roots that lie beside it.

use std::collections::{BTreeMap, BTreeSet};

use coldsign_verify::bundle::{self, Bundle, Contents, Key, Service};
use coldsign_verify::jws::Sign;
use coldsign_verify::revocation::Revocations;
use coldsign_verify::root::{self, Root};
use coldsign_verify::{Digest, UnixTime, json};
use serde_json::{Map, Value};

use super::distribution::{self, Times};
use super::fault::PublishFault;
use super::material::ServiceMaterial;
use super::page::{self, Edition, Of};
use super::publication::{Publication, folder_files, sealed};
use super::{Substance, manifest};

/// The members of a bundle that say something to services; the others differ with every publication.
const SUBSTANCE: [&str; 5] = ["keys", "revoked", "root_version", "services", "skew_seconds"];

/// What a bundle says beside its services.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// The publication's number, from 1.
    pub seq: u64,
    /// The store.
    pub store_id: &'a str,
    /// Its issuer.
    pub issuer: &'a str,
    /// When it is made, in seconds since the epoch.
    pub made_at: u64,
    /// Until when it must be on every machine, for people.
    pub arrive_by: u64,
    /// From when on everything is refused.
    pub expires_at: u64,
    /// SHA-256 of the bundle before; none for the first publication.
    pub previous: Option<Digest>,
    /// How far clocks may differ, in seconds.
    pub skew_seconds: u64,
    /// Every root, from the first to the newest.
    pub roots: &'a [Root],
    /// What is withdrawn.
    pub revoked: Revocations,
    /// A signed checkpoint of the journal.
    pub checkpoint: &'a str,
}

/// A publication before its bundle is signed.
#[derive(Debug, Clone)]
pub struct Draft {
    seq: u64,
    files: BTreeMap<String, Vec<u8>>,
    contents: Contents,
    root: Root,
}

/// Everything of a publication but the signature over its bundle; the same input gives the same bytes.
///
/// `certificates` is as in [`super::build`].
///
/// # Errors
/// When a service can't be published as its policy says, or there is no root.
pub fn draft(
    head: &Head<'_>,
    services: &[ServiceMaterial],
    certificates: &BTreeMap<String, String>,
) -> Result<Draft, PublishFault> {
    let root = head.roots.last().cloned().ok_or(PublishFault::NoRoot)?;
    let made = page::date(head.made_at)?;
    let root_version = Some(root.root_version());
    let edition = Edition { of: Of::Publication(head.seq), store_id: head.store_id, made: &made, root_version };
    let mut files = folder_files(&edition, services, certificates)?;
    let times = Times { arrive_by: head.arrive_by, expires_at: head.expires_at };
    let carrying = distribution::page(&edition, &times, &root, services, &files)?;
    files.insert(distribution::NAME.to_owned(), carrying.into_bytes());
    for root in head.roots {
        files.insert(root::file_name(root.root_version()), root.text().as_bytes().to_vec());
    }
    let contents = Contents {
        issuer: head.issuer.to_owned(),
        store: head.store_id.to_owned(),
        seq: head.seq,
        previous: head.previous,
        root_version: root.root_version(),
        issued_at: UnixTime(head.made_at),
        expires_at: UnixTime(head.expires_at),
        skew_seconds: head.skew_seconds,
        services: services.iter().map(expected).collect::<Result<_, _>>()?,
        keys: keys(services)?,
        revoked: head.revoked.clone(),
        files: files.iter().map(|(path, bytes)| (path.clone(), Digest::of(bytes))).collect(),
        checkpoint: head.checkpoint.to_owned(),
    };
    Ok(Draft { seq: head.seq, files, contents, root })
}

impl Draft {
    /// What it says, number, time and signature left out.
    ///
    /// # Errors
    /// Where no verifier would accept its bundle.
    pub fn substance(&self) -> Result<Substance, PublishFault> {
        let payload = self.contents.to_payload()?;
        Ok(Substance::with_bundle(&self.files, substance_of(&payload)))
    }

    /// Signs the bundle and holds it against the root as a verifier will.
    ///
    /// # Errors
    /// [`PublishFault::Bundle`].
    pub fn seal(mut self, signer: &dyn Sign) -> Result<Publication, PublishFault> {
        let text = bundle::sign(&self.contents, signer)?;
        let made = Bundle::verify(&text, &self.root)?;
        made.check_time(made.contents().issued_at)?;
        let digest = made.digest();
        self.files.insert(bundle::FILE_NAME.to_owned(), text.into_bytes());
        let mut publication = sealed(self.seq, self.files);
        publication.bundle = Some((digest, made.contents().expires_at.0));
        Ok(publication)
    }
}

/// What the bundle among a publication's files says to services; nothing where there is none.
pub(super) fn substance_in(files: &BTreeMap<String, Vec<u8>>) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(files.get(bundle::FILE_NAME)?).ok()?;
    Some(substance_of(&bundle::unverified(text).ok()?.to_payload().ok()?))
}

fn substance_of(payload: &[u8]) -> Vec<u8> {
    let members = json::parse_object(payload).unwrap_or_default();
    let said: Map<String, Value> = members.into_iter().filter(|(name, _)| SUBSTANCE.contains(&name.as_str())).collect();
    Value::from(said).to_string().into_bytes()
}

fn expected(service: &ServiceMaterial) -> Result<(String, Service), PublishFault> {
    let expected = Service {
        profile: service.profile,
        audience: service.audience_in_tokens()?.map(str::to_owned),
        leeway_seconds: service.leeway_seconds,
        longest_validity_seconds: service.longest_validity_seconds,
        claims: service.custom_claim.iter().cloned().collect(),
    };
    Ok((service.service.clone(), expected))
}

/// Every key that some service installs, once for each `kid`, in the order of services' names.
fn keys(services: &[ServiceMaterial]) -> Result<Vec<Key>, PublishFault> {
    let mut sorted: Vec<&ServiceMaterial> = services.iter().collect();
    sorted.sort_by(|one, other| one.service.cmp(&other.service));
    let mut keys: Vec<Key> = Vec::new();
    for service in sorted {
        let installed = service.installed()?;
        let entries = installed.iter().flat_map(|published| published.kids().map(move |kid| (kid, *published)));
        for (kid, published) in entries {
            match keys.iter_mut().find(|key| key.kid == kid) {
                Some(known) if known.key == published.key => {
                    known.services.insert(service.service.clone());
                }
                Some(_) => {
                    let (service, kid) = (service.service.clone(), kid.to_owned());
                    return Err(PublishFault::DuplicateKey { service, kid });
                }
                None => keys.push(Key {
                    kid: kid.to_owned(),
                    key: published.key.clone(),
                    services: BTreeSet::from([service.service.clone()]),
                }),
            }
        }
    }
    Ok(keys)
}

/// Whether a file of a publication is left out of what its pages and keys say.
pub(super) fn is_apart(path: &str) -> bool {
    path == manifest::NAME || path == bundle::FILE_NAME
}

#[cfg(test)]
mod tests {
    use super::super::test_keys::{self, TestKey, api, fedn, flowapi, registry};
    use super::super::{Change, certificate, difference, verify_folder};
    use super::*;
    use crate::refusal::Refuse;
    use coldsign_verify::root::Terms;
    use std::sync::LazyLock;

    const MADE: u64 = 1_795_369_200;
    const DAY: u64 = 86_400;

    fn root(bundle_key: &TestKey) -> Root {
        let custodian = test_keys::ed25519(50);
        let terms = Terms {
            store: "store".into(),
            issuer: api().issuer,
            root_version: 1,
            issued_at: UnixTime(MADE),
            expires_at: UnixTime(MADE + 365 * DAY),
            root_keys: vec![custodian.public.clone()],
            threshold: 1,
            bundle_keys: vec![bundle_key.public.clone()],
        };
        let text = root::sign(&terms, &[&custodian]).unwrap();
        Root::pinned(text.as_bytes(), &Digest::of(text.as_bytes())).unwrap()
    }

    /// Made once, as in a store: an ES256 signature is never the same twice.
    fn certificates() -> &'static BTreeMap<String, String> {
        static MADE_ONCE: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
            let key = test_keys::p256();
            let pem = certificate::make(&key, &key.public, "registry/1", [7; 16], MADE, MADE + DAY).unwrap();
            BTreeMap::from([(key.public.thumbprint(), pem)])
        });
        &MADE_ONCE
    }

    fn drafted(seq: u64, roots: &[Root], revoked: Revocations, services: &[ServiceMaterial]) -> Draft {
        let issuer = api().issuer;
        let head = Head {
            seq,
            store_id: "store",
            issuer: &issuer,
            made_at: MADE + seq,
            arrive_by: MADE + seq + 14 * DAY,
            expires_at: MADE + seq + 120 * DAY,
            previous: (seq > 1).then(|| Digest::of(b"the one before")),
            skew_seconds: 60,
            roots,
            revoked,
            checkpoint: "a note",
        };
        draft(&head, services, certificates()).unwrap()
    }

    #[test]
    fn a_bundle_vouches_for_every_file_and_speaks_for_every_service() {
        let key = test_keys::ed25519(60);
        let root = root(&key);
        let services = [registry(), api(), fedn(), flowapi()];
        let made = drafted(1, std::slice::from_ref(&root), Revocations::default(), &services).seal(&key).unwrap();
        assert_eq!(verify_folder(&made.files), Ok(()));
        let text = std::str::from_utf8(&made.files["bundle.jwt"]).unwrap();
        let bundle = Bundle::verify(text, &root).unwrap();
        assert_eq!(made.bundle, Some((bundle.digest(), MADE + 1 + 120 * DAY)));
        let listed: Vec<_> = bundle.contents().files.keys().map(String::as_str).collect();
        let there: Vec<_> = made.files.keys().map(String::as_str).filter(|path| !is_apart(path)).collect();
        assert_eq!(listed, there);
        assert!(listed.contains(&"root.1.json"));
        for (path, digest) in &bundle.contents().files {
            assert_eq!(Digest::of(&made.files[path]), *digest);
        }
        assert_eq!(bundle.contents().services.len(), 4);
        for service in &services {
            let installed: Vec<_> = service.installed().unwrap().iter().map(|key| key.kid.clone()).collect();
            let set = bundle.contents().jwks(&service.service).unwrap();
            assert_eq!(set.keys().map(|key| key.kid.clone()).collect::<Vec<_>>(), installed);
            assert!(bundle.contents().expectations(&service.service).is_some());
        }
        let again = drafted(1, &[root], Revocations::default(), &services).seal(&key).unwrap();
        assert_eq!(made, again, "the same state and time give the same bytes");
    }

    #[test]
    fn a_bundle_has_a_key_under_each_of_its_kids() {
        let key = test_keys::ed25519(60);
        let root = root(&key);
        let mut service = api();
        service.keys[0].kept_kid = Some("prod-2024".to_owned());
        let made =
            drafted(1, std::slice::from_ref(&root), Revocations::default(), &[service.clone()]).seal(&key).unwrap();
        let text = std::str::from_utf8(&made.files["bundle.jwt"]).unwrap();
        let set = Bundle::verify(text, &root).unwrap().contents().jwks("api").unwrap();
        assert_eq!(set.get("prod-2024"), Some(&service.keys[0].key));
        assert_eq!(set.keys().len(), service.keys.len() + 1);
    }

    #[test]
    fn number_and_time_are_no_substance_and_what_is_withdrawn_is() {
        let key = test_keys::ed25519(60);
        let roots = [root(&key)];
        let old = drafted(1, &roots, Revocations::default(), &[api()]);
        let kept = Substance::of(&old.clone().seal(&key).unwrap().files);
        assert_eq!(kept, old.substance().unwrap());
        let next = drafted(2, &roots, Revocations::default(), &[api()]).substance().unwrap();
        assert_eq!(difference(&kept, &next), vec![]);
        let all = Revocations { all: Some(UnixTime(MADE)), ..Revocations::default() };
        let next = drafted(2, &roots, all, &[api()]).substance().unwrap();
        assert_eq!(difference(&kept, &next), vec![Change::Changed("bundle.jwt".to_owned())]);
    }

    #[test]
    fn the_couriers_page_names_each_folder_and_nothing_from_outside_is_markup() {
        let roots = [root(&test_keys::ed25519(60))];
        let hostile = "a\u{1b}[2J\u{202e}\u{200b}\r</p><script>&\"'";
        let mut service = api();
        service.keys[0].name = hostile.to_owned();
        service.keys[0].kid = hostile.to_owned();
        let made = drafted(1, &roots, Revocations::default(), &[service, fedn()]);
        let page = std::str::from_utf8(&made.files["distribution.html"]).unwrap();
        for needed in ["<code>for-api/</code>", "<code>fedn.env</code>", "--service api", "by 2026-12-06 "] {
            assert!(page.contains(needed), "{needed}");
        }
        let fingerprint = roots[0].fingerprint().to_string();
        assert!(page.replace(' ', "").contains(&fingerprint) && page.contains("default-src 'none'"));
        let deceptive = |c: &char| (c.is_control() && *c != '\n') || "\u{202e}\u{200b}".contains(*c);
        assert_eq!((page.chars().find(deceptive), page.contains("<script")), (None, false));
        let here = std::str::from_utf8(&made.files["for-fed/START-HERE.html"]).unwrap();
        assert!(here.contains("coldsign-gate pin ./root.1.json") && here.contains("coldsign-gate install ."));
    }

    #[test]
    fn a_key_that_the_root_does_not_name_signs_no_bundle() {
        let roots = [root(&test_keys::ed25519(60))];
        let other = drafted(1, &roots, Revocations::default(), &[api()]).seal(&test_keys::ed25519(61)).unwrap_err();
        assert_eq!((other.rule(), other.to_string().contains("doesn't name")), (Some("PUBLISH-BUNDLE"), true));
    }

    #[test]
    fn without_a_root_there_is_no_bundle() {
        let issuer = api().issuer;
        let head = Head {
            seq: 1,
            store_id: "store",
            issuer: &issuer,
            made_at: MADE,
            arrive_by: MADE,
            expires_at: MADE + DAY,
            previous: None,
            skew_seconds: 60,
            roots: &[],
            revoked: Revocations::default(),
            checkpoint: "a note",
        };
        assert_eq!(draft(&head, &[api()], certificates()).unwrap_err().rule(), Some("PUBLISH-NO-ROOT"));
    }
}
