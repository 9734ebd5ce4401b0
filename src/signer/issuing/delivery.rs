//! The files holders get: names that are safe everywhere, contents that their tools read as they are.

use sha2::{Digest, Sha256};

use super::denied::{Asked, Denied};
use super::draft::find;
use super::policy::{Policy, Service, TokenForm};
use coldsign_verify::Profile;
use zeroize::Zeroizing;

/// The longest file name, in bytes: FAT and most file systems allow 255.
const LONGEST_NAME: usize = 200;
/// How much of a SHA-256 ends a cut name, in bytes.
const DIGEST: usize = 16;

/// A file for a holder.
pub struct Delivered {
    /// Its name, without a folder.
    pub name: String,
    /// What stands in it, the token among it; wiped on drop.
    pub contents: Zeroizing<String>,
    /// How it is written.
    pub form: TokenForm,
}

/// Renders the token for its holder; `form` as asked for, else as service and roles have it.
pub fn render(
    policy: &Policy,
    service: &str,
    roles: &[String],
    subject: &str,
    token: &str,
    form: Option<TokenForm>,
) -> Result<Delivered, Denied> {
    let (service, form) = place(policy, service, roles, subject, form)?;
    if !compact(token) {
        return Err(Denied::NoToken { asked: asked(&service.name, roles, subject).into() });
    }
    let contents = match form {
        TokenForm::Raw => token.to_owned(),
        TokenForm::Header => format!("Authorization: Bearer {token}\n"),
        TokenForm::Dotenv => dotenv(service, token),
        TokenForm::ClientYaml => client_yaml(service, subject, token),
    };
    Ok(Delivered { name: file_name(&service.name, subject, form), contents: Zeroizing::new(contents), form })
}

/// The name of the file that [`render`] would make, before there is a token.
pub fn name(
    policy: &Policy,
    service: &str,
    roles: &[String],
    subject: &str,
    form: Option<TokenForm>,
) -> Result<String, Denied> {
    let (service, form) = place(policy, service, roles, subject, form)?;
    Ok(file_name(&service.name, subject, form))
}

/// The form that a holder of the roles gets: the one all of them agree on, else the service's own.
pub fn usual_form(policy: &Policy, service: &str, roles: &[String]) -> Result<TokenForm, Denied> {
    let (service, roles) = find(policy, &asked(service, roles, ""))?;
    let mut forms = roles.iter().map(|role| service.form_of(role));
    let first = forms.next().unwrap_or(TokenForm::Raw);
    Ok(if forms.all(|form| form == first) { first } else { service.token_form.unwrap_or(TokenForm::Raw) })
}

fn place<'p>(
    policy: &'p Policy,
    service: &str,
    roles: &[String],
    subject: &str,
    form: Option<TokenForm>,
) -> Result<(&'p Service, TokenForm), Denied> {
    let usual = usual_form(policy, service, roles)?;
    let asked = asked(service, roles, subject);
    let (service, _) = find(policy, &asked)?;
    match form.unwrap_or(usual) {
        form @ TokenForm::ClientYaml if service.profile != Profile::Fedn => {
            Err(Denied::Form { asked: asked.into(), form })
        }
        form => Ok((service, form)),
    }
}

/// What is known here of what was asked for: too little to make a command of.
fn asked(service: &str, roles: &[String], subject: &str) -> Asked {
    let (service, roles, subject) = (service.to_owned(), roles.to_vec(), subject.to_owned());
    Asked { service, roles, subject, lifetime: None, not_before: None, scopes: Vec::new(), more: true }
}

/// `SERVICE-SUBJECT.EXT`.
fn file_name(service: &str, subject: &str, form: TokenForm) -> String {
    let extension = match form {
        TokenForm::Raw => ".jwt",
        TokenForm::Header => ".header",
        TokenForm::Dotenv => ".env",
        TokenForm::ClientYaml => ".client.yaml",
    };
    let name = format!("{service}-{}", safe_name(subject));
    if name.len() + extension.len() <= LONGEST_NAME {
        return name + extension;
    }
    marked(&name, subject, extension)
}

/// `holder-SUBJECT`: the folder of a holder. FAT knows no capitals: a subject that has some is told
/// from the others by its digest.
pub fn holders_folder(subject: &str) -> String {
    let name = format!("holder-{}", safe_name(subject));
    let capitals = subject.chars().any(|letter| letter.is_ascii_uppercase());
    if name.len() <= LONGEST_NAME && !capitals { name } else { marked(&name, subject, "") }
}

/// A name, cut where it is too long, and the subject's digest.
fn marked(name: &str, subject: &str, extension: &str) -> String {
    // '~' is never part of a safe name: a marked name can't be that of another subject.
    let digest = Sha256::digest(subject.as_bytes());
    let digest: String = digest.iter().take(DIGEST).map(|byte| format!("{byte:02x}")).collect();
    let room = LONGEST_NAME.saturating_sub(extension.len() + 1 + digest.len());
    let kept: String = name.chars().take(room).collect();
    format!("{kept}~{digest}{extension}")
}

/// A name that every file system takes and that only this text has: everything outside
/// `A-Z a-z 0-9 . _ @ -` as `%XX`, no leading dot or dash, no dot at the end, nothing that Windows
/// reserves.
pub fn safe_name(text: &str) -> String {
    let reserved = reserved_on_windows(text);
    let mut name = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'-');
        let leading = at == 0 && (reserved || matches!(byte, b'.' | b'-'));
        // FAT and Windows drop a dot at the end.
        let trailing = at + 1 == text.len() && byte == b'.';
        if plain && !leading && !trailing {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

/// Names of devices, whatever their extension.
fn reserved_on_windows(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

/// Whether a text is three parts of base64url: such a token needs no quotes in any form.
fn compact(token: &str) -> bool {
    token.split('.').count() == 3
        && token
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
}

fn dotenv(service: &Service, token: &str) -> String {
    if service.profile == Profile::Fedn {
        return format!("FEDN_AUTH_TOKEN={token}\nFEDN_AUTH_SCHEME=Bearer\n");
    }
    let name: String =
        service.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    // POSIX 2017, base definitions §8.1: a name doesn't begin with a digit.
    let front = if name.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
    format!("{front}{name}_TOKEN={token}\n")
}

/// What FEDn 0.33's `fedn client start --init` reads by PyYAML's `safe_load`.
fn client_yaml(service: &Service, subject: &str, token: &str) -> String {
    let mut yaml = format!("client_id: {}\n", yaml_string(subject));
    if let Some(host) = &service.discover_host {
        yaml.push_str(&format!("discover_host: {}\n", yaml_string(host)));
    }
    if let Some(port) = service.discover_port {
        yaml.push_str(&format!("discover_port: {port}\n"));
    }
    yaml.push_str(&format!("name: {}\ntoken: {}\n", yaml_string(subject), yaml_string(token)));
    yaml
}

/// A YAML double-quoted scalar in ASCII: never a number, a date, `no` or `null`.
fn yaml_string(text: &str) -> String {
    let mut yaml = String::from("\"");
    for character in text.chars() {
        match u32::from(character) {
            0x22 | 0x5c => yaml.extend(['\\', character]),
            0x20..=0x7e => yaml.push(character),
            code @ 0..=0xff => yaml.push_str(&format!("\\x{code:02X}")),
            code @ 0..=0xffff => yaml.push_str(&format!("\\u{code:04X}")),
            code => yaml.push_str(&format!("\\U{code:08X}")),
        }
    }
    yaml.push('"');
    yaml
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Refuse;
    use proptest::prelude::*;

    const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln-_";

    fn policy() -> Policy {
        Policy::parse(
            "format = \"coldsign-policy\"\nversion = 1\n[keysets.k]\nalgorithm = \"EdDSA\"\n[keysets.f]\nalgorithm = \"EdDSA\"\n\
             [services.api-2]\nkeyset = \"k\"\naudience = \"api\"\n[services.api-2.roles.r]\n[services.api-2.roles.e]\ntoken_form = \"dotenv\"\n\
             [services.fed]\nprofile = \"fedn\"\nkeyset = \"f\"\ndiscover_host = \"fedn.example.org\"\ndiscover_port = 8092\n\
             [services.fed.roles.client]\n[services.fed.roles.admin]\n",
        )
        .unwrap()
    }

    fn file(service: &str, role: &str, subject: &str, form: Option<TokenForm>) -> (String, String) {
        let file = render(&policy(), service, &[role.to_owned()], subject, TOKEN, form).unwrap();
        (file.name, file.contents.to_string())
    }

    #[test]
    fn the_form_follows_from_service_and_role() {
        assert_eq!(
            file("api-2", "r", "ward7", None),
            ("api-2-ward7.header".into(), format!("Authorization: Bearer {TOKEN}\n"))
        );
        assert_eq!(file("api-2", "e", "ward7", None), ("api-2-ward7.env".into(), format!("API_2_TOKEN={TOKEN}\n")));
        assert_eq!(file("api-2", "r", "ward7", Some(TokenForm::Raw)), ("api-2-ward7.jwt".into(), TOKEN.into()));
        assert_eq!(
            file("fed", "admin", "ops", None),
            ("fed-ops.env".into(), format!("FEDN_AUTH_TOKEN={TOKEN}\nFEDN_AUTH_SCHEME=Bearer\n"))
        );
        assert_eq!(
            file("fed", "client", "Zoë \"3\"", None),
            (
                "fed-Zo%C3%AB%20%223%22.client.yaml".into(),
                format!(
                    "client_id: \"Zo\\xEB \\\"3\\\"\"\ndiscover_host: \"fedn.example.org\"\ndiscover_port: 8092\n\
                     name: \"Zo\\xEB \\\"3\\\"\"\ntoken: \"{TOKEN}\"\n"
                )
            )
        );
    }

    #[test]
    fn roles_that_disagree_get_the_services_form() {
        let form = |roles: &[&str]| {
            let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
            usual_form(&policy(), "api-2", &roles).unwrap()
        };
        assert_eq!(
            (form(&["r"]), form(&["e"]), form(&["r", "e"])),
            (TokenForm::Header, TokenForm::Dotenv, TokenForm::Raw)
        );
        assert_eq!(name(&policy(), "api-2", &["e".into()], "a", None).unwrap(), "api-2-a.env");
    }

    #[test]
    fn client_yaml_is_fedns_alone() {
        let denied = render(&policy(), "api-2", &["r".into()], "a", TOKEN, Some(TokenForm::ClientYaml)).err().unwrap();
        assert_eq!(denied.rule(), Some("POLICY-FORM"));
    }

    #[test]
    fn only_compact_tokens_are_written() {
        for token in ["", "a.b", "a.b.c.d", "a.b.c\n", "a..c", "$(id).b.c", "a b.c.d"] {
            let denied = render(&policy(), "api-2", &["r".into()], "a", token, None).err().unwrap();
            assert!(matches!(denied, Denied::NoToken { .. }), "{token:?}");
        }
    }

    #[test]
    fn names_no_file_system_trips_over() {
        for (subject, name) in [
            ("../../etc/passwd", "%2E./../etc/passwd".replace('/', "%2F")),
            (".hidden", "%2Ehidden".into()),
            ("-rf", "%2Drf".into()),
            ("con", "%63on".into()),
            ("NUL.txt", "%4EUL.txt".into()),
            ("com1", "%63om1".into()),
            ("com10", "com10".into()),
            ("a:b*c?", "a%3Ab%2Ac%3F".into()),
            ("50%", "50%25".into()),
        ] {
            assert_eq!(safe_name(subject), name);
        }
        let long = file_name("api", &"é".repeat(255), TokenForm::ClientYaml);
        assert_eq!(long.len(), LONGEST_NAME);
        assert!(long.contains('~') && long.ends_with(".client.yaml"));
    }

    proptest! {
        #[test]
        fn names_are_injective(a in "\\PC{1,90}", b in "\\PC{1,90}") {
            prop_assert_eq!(a == b, file_name("s", &a, TokenForm::Raw) == file_name("s", &b, TokenForm::Raw));
        }

        #[test]
        fn near_misses_keep_apart(a in "[aA%2E.~-]{1,12}", b in "[aA%2E.~-]{1,12}") {
            prop_assert_eq!(a == b, safe_name(&a) == safe_name(&b));
        }

        #[test]
        fn names_are_short_and_plain(subject in ".{0,255}") {
            let name = file_name("service", &subject, TokenForm::ClientYaml);
            prop_assert!(name.len() <= LONGEST_NAME);
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@-%~".contains(&b)));
        }

        #[test]
        fn yaml_stays_on_its_line(text in ".*") {
            let yaml = yaml_string(&text);
            prop_assert!(yaml.bytes().all(|b| (0x20..0x7f).contains(&b)));
        }
    }
}
