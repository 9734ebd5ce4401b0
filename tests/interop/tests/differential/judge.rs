//! `coldsign-verify`'s verdict on a case, in the words of the oracle.

use std::collections::BTreeMap;
use std::rc::Rc;

use coldsign_verify::bundle::Bundle;
use coldsign_verify::receipt::Receipt;
use coldsign_verify::root::Root;
use coldsign_verify::{Digest, Expectations, Jwks, PublicKey, UnixTime, VerifiedToken, Verifier};
use serde_json::{Value, json};

/// The rule that refused.
type Refused = &'static str;

/// What cases refer to by name, parsed once.
#[derive(Default)]
pub struct Judge {
    contexts: BTreeMap<String, Vec<u8>>,
    keys: BTreeMap<String, Jwks>,
    roots: BTreeMap<String, Rc<Root>>,
    bundles: BTreeMap<(String, String), Rc<Bundle>>,
    verifiers: BTreeMap<(String, String), Rc<Verifier>>,
}

impl Judge {
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        self.contexts.insert(name.to_owned(), bytes.to_owned());
    }

    /// `{"accepted": …}` or `{"refused": rule}`.
    pub fn verdict(&mut self, kind: &str, input: &[u8], more: &Value) -> Value {
        let verdict = match kind {
            "keys" => key_set(input),
            "token" => self.token(input, more),
            "trusted-token" => self.trusted_token(input, more),
            "pinned-root" => pinned_root(input, more),
            "next-root" => self.next_root(input, more),
            "bundle" => self.bundle(input, more),
            "receipt" => self.receipt(input, more),
            other => panic!("no kind of case: {other}"),
        };
        match verdict {
            Ok(accepted) => json!({ "accepted": accepted }),
            Err(rule) => json!({ "refused": rule }),
        }
    }

    fn root(&mut self, name: &str) -> Rc<Root> {
        let bytes = &self.contexts[name];
        self.roots.entry(name.to_owned()).or_insert_with(|| Rc::new(Root::first(bytes).unwrap())).clone()
    }

    fn known_bundle(&mut self, name: &str, root: &str) -> Rc<Bundle> {
        let root_named = self.root(root);
        let text = text(&self.contexts[name]);
        let key = (name.to_owned(), root.to_owned());
        self.bundles.entry(key).or_insert_with(|| Rc::new(Bundle::verify(text, &root_named).unwrap())).clone()
    }

    fn token(&mut self, input: &[u8], more: &Value) -> Result<Value, Refused> {
        let name = named(more, "keys");
        let bytes = &self.contexts[name];
        let keys = self.keys.entry(name.to_owned()).or_insert_with(|| Jwks::parse(bytes).unwrap());
        let verifier = Verifier::new(keys.clone(), expectations(&more["expected"]));
        verifier.verify(text(input), time(more)).map(accepted_token).map_err(|refusal| refusal.code())
    }

    fn trusted_token(&mut self, input: &[u8], more: &Value) -> Result<Value, Refused> {
        let (bundle, service) = (named(more, "bundle"), named(more, "service"));
        let known = self.known_bundle(bundle, named(more, "root"));
        let key = (bundle.to_owned(), service.to_owned());
        let verifier = self
            .verifiers
            .entry(key)
            .or_insert_with(|| Rc::new(Verifier::of_bundle(&known, service).unwrap().unwrap()))
            .clone();
        verifier.verify(text(input), time(more)).map(accepted_token).map_err(|refusal| refusal.code())
    }

    fn next_root(&mut self, input: &[u8], more: &Value) -> Result<Value, Refused> {
        let trusted = self.root(named(more, "trusted"));
        let root = trusted.successor(input).map_err(|fault| fault.code())?;
        root.check_time(time(more), more["skew"].as_u64().unwrap()).map_err(|fault| fault.code())?;
        Ok(accepted_root(&root))
    }

    /// What `TrustStore::examine` asks of a bundle, without its files.
    fn bundle(&mut self, input: &[u8], more: &Value) -> Result<Value, Refused> {
        let root = self.root(named(more, "trusted"));
        let bundle = Bundle::verify(text(input), &root).map_err(|fault| fault.code())?;
        bundle.check_time(time(more)).map_err(|fault| fault.code())?;
        if let Some(installed) = more["installed"].as_str() {
            let installed = self.known_bundle(installed, named(more, "installed_under"));
            if root.bundle_key(installed.signed_by()).is_some() {
                bundle.check_after(&installed).map_err(|fault| fault.code())?;
            }
        }
        let contents = bundle.contents();
        let services: BTreeMap<&String, Vec<String>> =
            contents.services.keys().map(|service| (service, kids(&contents.jwks(service).unwrap()))).collect();
        Ok(json!({
            "seq": contents.seq, "iat": contents.issued_at.0, "exp": contents.expires_at.0, "services": services,
        }))
    }

    fn receipt(&mut self, input: &[u8], more: &Value) -> Result<Value, Refused> {
        let token = text(input);
        let receipt = match more["enrolled"].as_str() {
            Some(enrolled) => {
                let (key, _) = PublicKey::from_jwk(&self.contexts[enrolled]).unwrap();
                Receipt::verify(token, &key)
            }
            None => Receipt::introduce(token).map(|(receipt, _)| receipt),
        };
        let receipt = receipt.map_err(|fault| fault.code())?;
        if let Some(last) = more["last"].as_str() {
            let (last, _) = Receipt::introduce(text(&self.contexts[last])).unwrap();
            receipt.check_after(last.contents().counter, &last.digest()).map_err(|fault| fault.code())?;
        }
        let contents = receipt.contents();
        let kids: BTreeMap<&String, Option<u64>> =
            contents.kids.iter().map(|(kid, used)| (kid, used.map(|time| time.0))).collect();
        Ok(json!({
            "verifier": contents.verifier, "counter": contents.counter, "seq": contents.seq,
            "installed_at": contents.installed_at.0, "loaded_at": contents.loaded_at.map(|time| time.0),
            "kids": kids, "iat": contents.issued_at.0,
        }))
    }
}

fn key_set(input: &[u8]) -> Result<Value, Refused> {
    // Key sets have no rule ids: their faults are told to whoever installs them.
    let set = Jwks::parse(input).map_err(|_| "KEYS")?;
    let mut keys: Vec<[String; 3]> =
        set.keys().map(|one| [one.kid.clone(), one.key.algorithm().to_string(), one.key.thumbprint()]).collect();
    keys.sort();
    Ok(json!({ "keys": keys }))
}

fn pinned_root(input: &[u8], more: &Value) -> Result<Value, Refused> {
    let fingerprint = Digest::from_paper(named(more, "fingerprint")).unwrap();
    Root::pinned(input, &fingerprint).map(|root| accepted_root(&root)).map_err(|fault| fault.code())
}

fn accepted_root(root: &Root) -> Value {
    let sorted = |keys: &[PublicKey]| {
        let mut kids: Vec<String> = keys.iter().map(PublicKey::thumbprint).collect();
        kids.sort();
        kids
    };
    let terms = root.terms();
    json!({
        "root_version": terms.root_version, "iat": terms.issued_at.0, "exp": terms.expires_at.0,
        "custodians": sorted(&terms.root_keys), "threshold": terms.threshold, "bundlers": sorted(&terms.bundle_keys),
    })
}

fn accepted_token(token: VerifiedToken) -> Value {
    json!({ "kid": token.kid(), "sub": token.subject(), "exp": token.expires_at().0 })
}

fn expectations(expected: &Value) -> Expectations {
    let (issuer, audience) = (expected["issuer"].as_str(), expected["audience"].as_str());
    let mut expectations = match expected["profile"].as_str().unwrap() {
        "rfc9068" => Expectations::rfc9068(issuer.unwrap(), audience.unwrap()),
        "flowkit" => Expectations::flowkit(audience.unwrap()),
        "fedn" => Expectations::fedn(expected["role"].as_str()),
        _ => Expectations::plain(issuer, audience),
    };
    expectations = expectations.leeway(expected["leeway"].as_u64().unwrap());
    if let Some(longest) = expected["longest"].as_u64() {
        expectations = expectations.longest_validity(longest);
    }
    if expected["possession"] == true {
        expectations = expectations.proof_of_possession_enforced_by_caller();
    }
    for (name, value) in expected["claims"].as_object().into_iter().flatten() {
        expectations = expectations.claim(name, value.clone());
    }
    expectations
}

fn kids(set: &Jwks) -> Vec<String> {
    let mut kids: Vec<String> = set.keys().map(|one| one.kid.clone()).collect();
    kids.sort();
    kids
}

fn named<'v>(more: &'v Value, member: &str) -> &'v str {
    more[member].as_str().unwrap()
}

fn time(more: &Value) -> UnixTime {
    UnixTime(more["now"].as_u64().unwrap())
}

/// Compact forms are given as text: no mutation makes one that is no UTF-8.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
