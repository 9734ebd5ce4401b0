//! Names that people take for one another: they differ only by case, or by letters that look alike
//! (UTS 39 §4).

use coldsign_verify::escape;
use std::collections::HashMap;
use unicode_security::confusable_detection::skeleton;

/// Of the names known, those that look like one of the names asked about and are none of them, by the
/// name asked about; each list without repeats, in the order known.
pub fn lookalikes<'a>(asked: &'a [String], known: impl IntoIterator<Item = &'a str>) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, name) in asked.iter().enumerate() {
        for look in looks(name) {
            let places = places.entry(look).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
    }
    let mut found: Vec<(&str, Vec<&str>)> = asked.iter().map(|name| (name.as_str(), Vec::new())).collect();
    for name in known {
        for place in looks(name).iter().filter_map(|look| places.get(look)).flatten() {
            if let Some((asked, others)) = found.get_mut(*place)
                && *asked != name
                && !others.contains(&name)
            {
                others.push(name);
            }
        }
    }
    found.retain(|(_, others)| !others.is_empty());
    found
}

/// What a name looks like, in two ways: a capital may be taken for its own small letter, or for another
/// letter (I for l).
fn looks(name: &str) -> [String; 2] {
    // What is drawn as nothing makes no difference to the eye.
    let seen: String = name.chars().filter(|character| !escape::is_deceptive(*character)).collect();
    let small: String = seen.to_lowercase();
    let skeleton_of_small: String = skeleton(&small).collect();
    let skeleton_of_seen: String = skeleton(&seen).collect();
    [skeleton_of_small, skeleton_of_seen.to_lowercase()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alike(asked: &str, known: &str) -> bool {
        !lookalikes(&[asked.to_owned()], [known]).is_empty()
    }

    #[test]
    fn case_and_letters_that_look_alike_are_told() {
        for (one, other) in [
            ("ann", "Ann"),
            ("ANN", "ann"),
            ("ann", "\u{430}nn"),
            ("Ann", "\u{410}nn"),
            ("Ida", "lda"),
            ("Ida", "ida"),
            ("paypal", "paypa1"),
            ("modern", "modem"),
            ("ward7", "w\u{430}rd7"),
            ("ward7", "ward\u{200b}7"),
            ("Zo\u{eb}", "Zoe\u{308}"),
            ("\u{ff41}nn", "ann"),
        ] {
            assert!(alike(one, other), "{one} {other}");
            assert!(alike(other, one), "{other} {one}");
        }
        for (one, other) in [("ann", "anna"), ("ward7", "ward8"), ("ann", "ann"), ("zoe", "Zo\u{eb}")] {
            assert!(!alike(one, other), "{one} {other}");
        }
    }

    #[test]
    fn each_name_has_its_own_likes_once() {
        let asked = ["ann".to_owned(), "bob".to_owned(), "eve".to_owned()];
        let found = lookalikes(&asked, ["Ann", "eve", "Bob", "ANN", "Ann", "carl"]);
        assert_eq!(found, vec![("ann", vec!["Ann", "ANN"]), ("bob", vec!["Bob"])]);
    }

    proptest! {
        #[test]
        fn a_name_is_never_its_own_double(name: String, other: String) {
            prop_assert!(!alike(&name, &name));
            prop_assert_eq!(alike(&name, &other), alike(&other, &name));
        }
    }
}
