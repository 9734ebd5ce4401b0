//! The format page's vectors, and what no vector can say.

use proptest::prelude::*;

use super::*;

const PAGE: &str = include_str!("../../../../docs/formats/policy-v1.md");

/// The fenced TOML blocks of the page: the words after `toml`, and the text.
fn vectors() -> Vec<(Vec<&'static str>, String)> {
    let mut vectors = Vec::new();
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix("```toml ") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            vectors.push((words.split(' ').collect(), text.join("\n") + "\n"));
        }
    }
    vectors
}

#[test]
fn every_vector_of_the_page_does_what_it_says() {
    let mut seen = std::collections::BTreeSet::new();
    for (words, text) in vectors() {
        match (words.as_slice(), Policy::parse(&text)) {
            (["example"], result) => {
                result.unwrap();
            }
            (["fault", rule, "line", line], Err(faults)) => {
                let faults: Vec<&Fault> = faults.iter().collect();
                assert_eq!(faults.len(), 1, "{rule}: {faults:?}");
                assert_eq!((faults[0].rule.id(), faults[0].line.to_string().as_str()), (*rule, *line), "{faults:?}");
                seen.insert(*rule);
            }
            (words, result) => panic!("{words:?}: {result:?}"),
        }
    }
    assert_eq!(seen.len(), 25, "a rule without a vector: {seen:?}");
}

#[test]
fn all_faults_are_told_at_once_by_line_with_the_nearest_name() {
    let text = "format = \"coldsign-policy\"\nversion = 1\n[keyset.default]\n[keysets.default]\nalgorithm = \"eddsa\"\n\
                [services.api]\nkeyset = \"default\"\naudeince = \"x\"\n[services.api.roles.reader]\nscope = [\"a\"]\n";
    let faults = Policy::parse(text).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "line 3: there is no section or field \"keyset\"; did you mean keysets? [POLICY-UNKNOWN-FIELD]",
            "line 5: keysets.default.algorithm can't be \"eddsa\", only EdDSA, Ed25519, ES256, RS256; did you mean EdDSA? [POLICY-UNKNOWN-VALUE]",
            "line 6: services.api has no audience, which it needs [POLICY-MISSING]",
            "line 8: services.api has no field \"audeince\"; did you mean audience? [POLICY-UNKNOWN-FIELD]",
            "line 10: services.api.roles.reader has no field \"scope\"; did you mean scopes? [POLICY-UNKNOWN-FIELD]",
        ]
    );
}

#[test]
fn defaults_follow_the_profile() {
    let examples: Vec<String> =
        vectors().into_iter().filter(|(words, _)| *words == ["example"]).map(|(_, text)| text).collect();
    let policy = Policy::parse(examples.last().unwrap()).unwrap();
    assert_eq!(policy.timing(), Timing { skew: 30, backdate: 90 });
    let fed = policy.service("fed").unwrap();
    assert_eq!((fed.consumer, fed.max_token_bytes), (Consumer::SingleKey, 8_192));
    assert_eq!(fed.export, [Export::FednEnv, Export::SpkiPem]);
    assert_eq!(fed.form_of(fed.role("client").unwrap()), TokenForm::ClientYaml);
    assert_eq!(fed.form_of(fed.role("admin").unwrap()), TokenForm::Dotenv);
    let flowapi = policy.service("flowapi").unwrap();
    assert_eq!((flowapi.consumer, flowapi.max_token_bytes), (Consumer::SingleKey, 14_336));
    assert_eq!(flowapi.form_of(flowapi.role("analyst").unwrap()), TokenForm::Raw);
    let results = policy.service("results").unwrap();
    assert_eq!((results.consumer, results.max_token_bytes, results.leeway), (Consumer::Overlap, 4_096, 30));
    assert_eq!((results.longest_lifetime(), results.longest_horizon()), (7 * 86_400, 30 * 86_400));
    let reader = results.role("reader").unwrap();
    assert_eq!(reader.default_lifetime, 43_200);
    assert_eq!(reader.scopes, ["results:list", "results:read"]);
    assert_eq!(results.form_of(reader), TokenForm::Header);
    assert_eq!(policy.service("registry").unwrap().export, [Export::X509]);
    assert_eq!(reader.lines.of("longest_lifetime"), reader.lines.section() + 2);
}

#[test]
fn short_longest_lifetime_shortens_the_default() {
    let text = "format = \"coldsign-policy\"\nversion = 1\n[keysets.k]\nalgorithm = \"EdDSA\"\n[services.s]\nkeyset = \"k\"\naudience = \"a\"\n[services.s.roles.r]\nlongest_lifetime = \"1h\"\n";
    let policy = Policy::parse(text).unwrap();
    assert_eq!(policy.service("s").unwrap().role("r").unwrap().default_lifetime, 3_600);
}

#[test]
fn wrong_profile_fields_and_algorithms_are_refused() {
    let base = "format = \"coldsign-policy\"\nversion = 1\n[keysets.e]\nalgorithm = \"EdDSA\"\n[keysets.r]\nalgorithm = \"RS256\"\n[services.s]\n";
    for (service, rule) in [
        ("profile = \"flowkit\"\nkeyset = \"e\"\naudience = \"a\"\n", "POLICY-ALGORITHM"),
        ("profile = \"plain\"\nkeyset = \"e\"\nkid = \"libtrust\"\n", "POLICY-ALGORITHM"),
        ("keyset = \"e\"\naudience = \"a\"\nkid = \"libtrust\"\n", "POLICY-WRONG-PROFILE"),
        ("keyset = \"e\"\naudience = \"a\"\ntoken_form = \"client.yaml\"\n", "POLICY-WRONG-PROFILE"),
        ("keyset = \"e\"\naudience = \"a\"\nexport = [\"fedn-env\"]\n", "POLICY-WRONG-PROFILE"),
        ("keyset = \"e\"\naudience = \"a\"\nexport = [\"single-jwks\"]\n", "POLICY-CONSUMER"),
        ("keyset = \"e\"\naudience = \"a\"\nexport = []\n", "POLICY-MISSING"),
        ("keyset = \"e\"\naudience = \"a\"\nmax_token_bytes = 16385\n", "POLICY-RANGE"),
        ("keyset = \"e\"\naudience = \"a\"\nleeway = \"11m\"\n", "POLICY-DURATION"),
        ("keyset = \"e\"\naudience = \"a\"\ndiscover_port = 1\n", "POLICY-WRONG-PROFILE"),
        (
            "profile = \"fedn\"\nkeyset = \"r\"\ncustom_claim = { name = \"role\", value = \"x\" }\n",
            "POLICY-RESERVED-CLAIM",
        ),
        (
            "profile = \"fedn\"\nkeyset = \"r\"\ncustom_claim = { name = \"p\", value = \"x\" }\nroles.c.claims.p = 1\n",
            "POLICY-RESERVED-CLAIM",
        ),
        ("profile = \"fedn\"\nkeyset = \"r\"\ndiscover_host = \"a b\"\n", "POLICY-TEXT"),
        ("profile = \"fedn\"\nkeyset = \"r\"\nroles.c.scopes = [\"x\"]\n", "POLICY-WRONG-PROFILE"),
        ("profile = \"flowkit\"\nkeyset = \"r\"\naudience = \"a\"\nroles.c.claims.x = 1\n", "POLICY-WRONG-PROFILE"),
        ("keyset = \"e\"\naudience = \"a\"\nroles.\"a b\".scopes = []\n", "POLICY-NAME"),
        ("keyset = \"e\"\naudience = \"a\"\nroles.c.claims.groups = 1\n", "POLICY-RESERVED-CLAIM"),
        ("keyset = \"e\"\naudience = \"a\"\nroles.c.claims.x = inf\n", "POLICY-CLAIM"),
        ("keyset = \"e\"\naudience = \"a\"\nroles.c.claims.x = { from = \"env\" }\n", "POLICY-CLAIM"),
        ("keyset = \"e\"\naudience = \"a\"\nroles.c.claims.x = [[[[[[1]]]]]]\n", "POLICY-CLAIM"),
        ("keyset = \"e\"\naudience = \"a\"\nroles.c.claims.x = 9007199254740992\n", "POLICY-CLAIM"),
        ("keyset = \"e\"\naudience = \"a\"\nroles.c.details = [{ type = \"t\", a = [] }]\n", "POLICY-DETAIL-SYNTAX"),
        ("keyset = \"e\"\naudience = \"a\"\nroles.c.longest_horizon = \"1h\"\n", "POLICY-LIFETIME-ORDER"),
    ] {
        let faults = Policy::parse(&format!("{base}{service}")).expect_err(service);
        let rules: Vec<&str> = faults.iter().map(|fault| fault.rule.id()).collect();
        assert_eq!(rules, [rule], "{service}: {faults:?}");
    }
}

#[test]
fn numbers_may_be_written_as_toml_writes_them() {
    for number in ["4_096", "0x1000", "0b1_0000_0000_0000", "+4096"] {
        let text = format!(
            "format = \"coldsign-policy\"\nversion = 1\n[keysets.k]\nalgorithm = \"EdDSA\"\n[services.s]\nkeyset = \"k\"\naudience = \"a\"\nmax_token_bytes = {number}\n"
        );
        assert_eq!(Policy::parse(&text).unwrap().service("s").unwrap().max_token_bytes, 4_096, "{number}");
    }
}

#[test]
fn an_oversized_file_is_refused_unread() {
    assert_eq!(Policy::parse(&"#".repeat(LARGEST + 1)).unwrap_err().iter().count(), 1);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = Policy::parse(&text);
    }

    #[test]
    fn no_mutation_of_a_policy_panics(at in any::<prop::sample::Index>(), cut in 0usize..40, put in "[\\[\\]{}=\"'a-z0-9.\\n#,\\\\-]{0,12}") {
        for (_, text) in vectors() {
            let (start, end) = (at.index(text.len()), (at.index(text.len()) + cut).min(text.len()));
            if text.is_char_boundary(start) && text.is_char_boundary(end) {
                let _ = Policy::parse(&format!("{}{put}{}", &text[..start], &text[end..]));
            }
        }
    }
}

#[test]
fn bundles_and_keys_must_outlast_the_way_to_a_verifier() {
    // (1 + 1) × 30 d + 14 d + 1 d + 60 s.
    let policy = |seconds: &str, keyset: &str| {
        Policy::parse(&format!(
            "format = \"coldsign-policy\"\nversion = 1\n[distribution]\nbundle_lifetime = \"75d{seconds}\"\n\
             [keysets.default]\nalgorithm = \"EdDSA\"\nrotate_every = \"105d{keyset}\"\n"
        ))
    };
    let ids = |faults: PolicyFaults| faults.iter().map(|fault| fault.rule.id()).collect::<Vec<_>>();
    assert!(policy("1m", "1m").is_ok());
    assert_eq!(ids(policy("59s", "1m").unwrap_err()), ["POLICY-BUNDLE-LIFETIME"]);
    assert_eq!(ids(policy("1m", "59s").unwrap_err()), ["POLICY-ROTATE-EVERY"]);
    let timing = policy("1m", "1m").unwrap().rotation("default");
    assert_eq!((timing.bundle_lifetime, timing.rotate_every), (75 * 86_400 + 60, 105 * 86_400 + 60));
}
