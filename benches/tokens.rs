//! Tokens in memory, against the bare cryptography over the same bytes.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use coldsign::issuing::{Policy, Request, draft};
use coldsign::keystore::{RsaBits, SecretKey};
use coldsign_verify::jws;
use coldsign_verify::{Algorithm, Expectations, Jwks, UnixTime, Verifier};
use ed25519_dalek::{Signature, Signer as _, SigningKey};

use crate::measure::against;
use crate::store::{ISSUER, POLICY, START};

const NOW: UnixTime = UnixTime(START);
const JTI: &str = "q0PmWv4S0H7nUXYcZrEzvg";

pub fn run() {
    let policy = Policy::parse(POLICY).unwrap();
    let eddsa = Fixture::new(&policy, "api", Algorithm::EdDsa);
    let seed = [7; 32];
    let dalek = SigningKey::from_bytes(&seed);
    let public = dalek.verifying_key();
    let compact = jws::parse(&eddsa.token).unwrap();
    let bytes = compact.signing_input().to_vec();
    let signed = dalek.sign(&bytes);

    against(
        "build + sign + check, EdDSA / sign + verify",
        Some(1.15),
        || eddsa.make(&policy),
        || {
            let signature = dalek.sign(&bytes);
            public.verify_strict(&bytes, &signature).unwrap();
            signature
        },
    );
    against(
        "Verifier::verify, EdDSA / verify_strict",
        Some(1.10),
        || eddsa.verify(),
        || public.verify_strict(&bytes, &Signature::from_bytes(&signed.to_bytes())).unwrap(),
    );
    for (name, service, algorithm, bare) in [
        ("ES256", "elliptic", Algorithm::Es256, &ECDSA_P256_SHA256_FIXED as &'static dyn VerificationAlgorithm),
        ("RS256", "rsa", Algorithm::Rs256, &RSA_PKCS1_2048_8192_SHA256),
    ] {
        let fixture = Fixture::new(&policy, service, algorithm);
        let compact = jws::parse(&fixture.token).unwrap();
        let key = ParsedPublicKey::new(bare, fixture.secret.public().to_spki_der()).unwrap();
        against(
            &format!("Verifier::verify, {name} / aws-lc-rs verify"),
            Some(1.10),
            || fixture.verify(),
            || key.verify_sig(compact.signing_input(), compact.signature()).unwrap(),
        );
    }
    against(
        "all but the signatures, EdDSA / verify_strict",
        None,
        || eddsa.build(&policy),
        || {
            public.verify_strict(&bytes, &signed).unwrap();
        },
    );
    against(
        "jws::parse / verify_strict",
        None,
        || jws::parse(&eddsa.token).unwrap(),
        || {
            public.verify_strict(&bytes, &signed).unwrap();
        },
    );
}

/// A key, what its service expects, and one token.
struct Fixture {
    secret: SecretKey,
    verifier: Verifier,
    request: Request,
    token: String,
}

impl Fixture {
    fn new(policy: &Policy, service: &str, algorithm: Algorithm) -> Self {
        let secret = SecretKey::generate(algorithm, RsaBits::Two).unwrap();
        let jwks = Jwks::new([(secret.kid().to_owned(), secret.public().clone())]).unwrap();
        let audience = policy.service(service).unwrap().audience.as_deref().unwrap();
        let verifier = Verifier::new(jwks, Expectations::rfc9068(ISSUER, audience));
        let request = Request {
            service: service.to_owned(),
            roles: vec!["reader".to_owned()],
            subject: "hospital-a".to_owned(),
            ..Request::default()
        };
        let mut fixture = Self { secret, verifier, request, token: String::new() };
        fixture.token = fixture.make(policy);
        fixture
    }

    /// What `token issue` does for each token between reading the store and recording.
    fn make(&self, policy: &Policy) -> String {
        let draft = draft(policy, ISSUER, &self.request, NOW, JTI).unwrap();
        let token = jws::assemble(&self.secret, draft.typ, &draft.claims_json).unwrap();
        let verified = self.verifier.verify(&token, draft.not_before).unwrap();
        assert!(draft.is_of(verified.claims()));
        token
    }

    /// The same without a signature or its check.
    fn build(&self, policy: &Policy) -> (usize, bool) {
        let draft = draft(policy, ISSUER, &self.request, NOW, JTI).unwrap();
        let compact = jws::parse(&self.token).unwrap();
        let claims = coldsign_verify::json::parse_object(compact.payload()).unwrap();
        (draft.claims_json.len(), draft.is_of(&claims))
    }

    fn verify(&self) -> coldsign_verify::VerifiedToken {
        self.verifier.verify(&self.token, NOW).unwrap()
    }
}
