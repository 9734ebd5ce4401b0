//! OpenSSL verifies the signing input of our tokens with the published PEM file, for every algorithm.

#![allow(clippy::unwrap_used, reason = "a test: a panic is a failure")]

use std::path::Path;
use std::process::Command;

use coldsign_interop::{ALGORITHMS, Specimens, Token, Twin, on_path, skip};

#[test]
fn openssl_verifies_ours_and_refuses_twins() {
    let Some(openssl) = on_path(&["openssl"]) else { return };
    let version = Command::new(&openssl).arg("version").output().unwrap().stdout;
    if !version.starts_with(b"OpenSSL 3") {
        return skip("OpenSSL over the signing input: this machine's openssl is not version 3");
    }
    let specimens = Specimens::new();
    let folder = tempfile::tempdir().unwrap();
    for algorithm in ALGORITHMS {
        let verifies = |token: &Token| {
            let [input, signature] = ["input", "signature"].map(|name| folder.path().join(name));
            std::fs::write(&input, token.signing_input()).unwrap();
            let bytes = if algorithm == "ES256" { der(&token.signature()) } else { token.signature() };
            std::fs::write(&signature, bytes).unwrap();
            verify(Command::new(&openssl), algorithm, &specimens.pem(algorithm), &input, &signature)
        };
        assert!(verifies(specimens.good(algorithm)), "{algorithm}");
        // Without a signature there is nothing to hand to OpenSSL.
        for (twin, token) in specimens.twins(algorithm).into_iter().filter(|(twin, _)| *twin != Twin::Unsigned) {
            let well_signed = matches!(twin, Twin::OtherAudience | Twin::Expired);
            assert_eq!(verifies(&token), well_signed, "{algorithm} {twin:?}");
        }
    }
}

fn verify(mut openssl: Command, algorithm: &str, pem: &Path, input: &Path, signature: &Path) -> bool {
    if algorithm.starts_with("Ed") {
        openssl.args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"]).arg(pem);
        openssl.arg("-in").arg(input).arg("-sigfile").arg(signature);
    } else {
        openssl.args(["dgst", "-sha256", "-verify"]).arg(pem).arg("-signature").arg(signature).arg(input);
    }
    let output = openssl.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    // Anything else is a fault of this test, not a verdict.
    assert!(said.contains("Verified") || said.contains("Verification"), "{algorithm}: {said}");
    output.status.success()
}

/// ES256's r and s of 32 bytes each (RFC 7518 §3.4) as the DER SEQUENCE that OpenSSL takes.
fn der(signature: &[u8]) -> Vec<u8> {
    let integers: Vec<u8> = signature.chunks(32).flat_map(integer).collect();
    [&[0x30, u8::try_from(integers.len()).unwrap()], integers.as_slice()].concat()
}

fn integer(big_endian: &[u8]) -> Vec<u8> {
    let start = big_endian.iter().take_while(|byte| **byte == 0).count();
    let mut value = big_endian[start..].to_vec();
    if value.first().is_none_or(|first| first & 0x80 != 0) {
        value.insert(0, 0);
    }
    [&[2, u8::try_from(value.len()).unwrap()], value.as_slice()].concat()
}
