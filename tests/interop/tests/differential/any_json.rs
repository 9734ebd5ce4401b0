//! What can be changed about any JSON, whatever it means.

use crate::chance::{Chance, Change};
use crate::node::Node;

/// Changes of the tree.
pub const TREE: [(&str, Change<Node>); 17] = [
    ("member gone", member_gone),
    ("member twice", member_twice),
    ("member twice, once with escapes", member_twice_escaped),
    ("name with escapes", name_escaped),
    ("member more", member_more),
    ("critical", critical),
    ("members in another order", other_order),
    ("value of another type", other_type),
    ("number spelled otherwise", number_spelled),
    ("number at an edge", number_edge),
    ("string spelled otherwise", string_spelled),
    ("string changed", string_changed),
    ("string no string", string_broken),
    ("nested", nested),
    ("element twice", element_twice),
    ("element gone", element_gone),
    ("value in another's place", values_exchanged),
];

const NUMBERS: [&str; 34] = [
    "0",
    "-0",
    "1",
    "-1",
    "1.0",
    "1.5",
    "1e3",
    "1E+3",
    "1e-3",
    "0.0",
    "-0.0",
    "0e0",
    "01",
    "00",
    "+1",
    "1.",
    ".5",
    "0x10",
    "1_0",
    "NaN",
    "Infinity",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "1e308",
    "1e309",
    "-1e400",
    "1e-400",
    "0.1e1",
    "1e",
];

const STRINGS: [&str; 12] = [
    r#""""#,
    r#"" ""#,
    r#""\u0000""#,
    r#""\ufffe""#,
    r#""\ud83d\ude00""#,
    "\"\u{1F600}\"",
    r#""\b\f\n\r\t\/\\\"""#,
    "\"\u{7f}\"",
    r#""null""#,
    r#""A""#,
    r#""2""#,
    "\"\u{e9}\u{301}\"",
];

const BROKEN: [&str; 14] = [
    r#""\ud800""#,
    r#""\udc00""#,
    r#""\udc00\ud800""#,
    r#""\ud800A""#,
    r#""\ud800\u0041""#,
    r#""\ud83d\ude0""#,
    "\"\t\"",
    "\"\n\"",
    "\"\u{1f}\"",
    r#""\x41""#,
    r#""\u12g4""#,
    r#""\U0041""#,
    r#"'a'"#,
    r#""a"#,
];

fn objects(node: &Node) -> bool {
    matches!(node, Node::Object(members) if !members.is_empty())
}

fn arrays(node: &Node) -> bool {
    matches!(node, Node::Array(elements) if !elements.is_empty())
}

fn numbers(node: &Node) -> bool {
    matches!(node, Node::Text(text) if text.starts_with(|first: char| first.is_ascii_digit()))
}

fn strings(node: &Node) -> bool {
    matches!(node, Node::Text(text) if text.starts_with('"'))
}

/// Does something to one of the nodes wanted.
fn to_one(
    chance: &mut Chance,
    node: &mut Node,
    wanted: fn(&Node) -> bool,
    change: impl FnOnce(&mut Chance, &mut Node) -> Option<()>,
) -> Option<()> {
    let mut count = 0;
    node.all(wanted, &mut |_| count += 1);
    // The outermost object often: its members have the most rules.
    let chosen = if count == 0 {
        return None;
    } else if chance.one_in(3) {
        0
    } else {
        chance.below(count)
    };
    let (mut place, mut change, mut done) = (0, Some(change), None);
    node.all(wanted, &mut |found| {
        if place == chosen
            && let Some(change) = change.take()
        {
            done = change(chance, found);
        }
        place += 1;
    });
    done
}

fn in_an_object(
    chance: &mut Chance,
    node: &mut Node,
    change: impl FnOnce(&mut Chance, &mut Vec<(String, Node)>, usize),
) -> Option<()> {
    to_one(chance, node, objects, |chance, found| {
        let members = found.members()?;
        let place = chance.below(members.len());
        change(chance, members, place);
        Some(())
    })
}

fn member_gone(chance: &mut Chance, node: &mut Node) -> Option<()> {
    in_an_object(chance, node, |_, members, place| drop(members.remove(place)))
}

fn member_twice(chance: &mut Chance, node: &mut Node) -> Option<()> {
    in_an_object(chance, node, |chance, members, place| {
        let mut again = members[place].clone();
        if chance.one_in(2) {
            again.1 = any_value(chance);
        }
        let to = chance.below(members.len() + 1);
        members.insert(to, again);
    })
}

fn member_twice_escaped(chance: &mut Chance, node: &mut Node) -> Option<()> {
    in_an_object(chance, node, |chance, members, place| {
        let (name, value) = members[place].clone();
        members.push((escaped(chance, &name), value));
    })
}

fn name_escaped(chance: &mut Chance, node: &mut Node) -> Option<()> {
    in_an_object(chance, node, |chance, members, place| members[place].0 = escaped(chance, &members[place].0))
}

fn member_more(chance: &mut Chance, node: &mut Node) -> Option<()> {
    const NAMES: [&str; 18] = [
        r#""x""#,
        r#""""#,
        r#""__proto__""#,
        r#""d""#,
        r#""k""#,
        r#""nbf""#,
        r#""scope""#,
        r#""cnf""#,
        r#""type""#,
        r#""role""#,
        r#""aud""#,
        r#""prev""#,
        r#""all""#,
        r#""loaded_at""#,
        r#""header""#,
        r#""key_ops""#,
        r#""use""#,
        "\"\u{e9}\"",
    ];
    to_one(
        chance,
        node,
        |node| matches!(node, Node::Object(_)),
        |chance, found| {
            let value = any_value(chance);
            found.members()?.push(((*chance.pick(&NAMES)).to_owned(), value));
            Some(())
        },
    )
}

fn critical(chance: &mut Chance, node: &mut Node) -> Option<()> {
    const LISTS: [&str; 9] = [
        "[]",
        r#"["x"]"#,
        r#"["version"]"#,
        r#"["iat","exp"]"#,
        r#"["critical"]"#,
        r#"["exp","exp"]"#,
        r#"[1]"#,
        "null",
        r#""exp""#,
    ];
    to_one(
        chance,
        node,
        |node| matches!(node, Node::Object(_)),
        |chance, found| {
            found.members()?.push((r#""critical""#.to_owned(), Node::text(*chance.pick(&LISTS))));
            Some(())
        },
    )
}

fn other_order(chance: &mut Chance, node: &mut Node) -> Option<()> {
    in_an_object(chance, node, |chance, members, place| {
        let other = chance.below(members.len());
        members.swap(place, other);
        members.rotate_left(other);
    })
}

fn other_type(chance: &mut Chance, node: &mut Node) -> Option<()> {
    to_one(
        chance,
        node,
        |_| true,
        |chance, found| {
            *found = any_value(chance);
            Some(())
        },
    )
}

fn number_spelled(chance: &mut Chance, node: &mut Node) -> Option<()> {
    to_one(chance, node, numbers, |chance, found| {
        let Node::Text(text) = found else { return None };
        *text = match chance.below(6) {
            0 => format!("{text}.0"),
            1 => format!("{text}e0"),
            2 => format!("0{text}"),
            3 => format!("-{text}"),
            4 => format!("{text}{}", "0".repeat(chance.below(400))),
            _ => (*chance.pick(&NUMBERS)).to_owned(),
        };
        Some(())
    })
}

fn number_edge(chance: &mut Chance, node: &mut Node) -> Option<()> {
    to_one(chance, node, numbers, |chance, found| {
        let Node::Text(text) = found else { return None };
        let number: u64 = text.parse().ok()?;
        let edge = *chance.pick(&[number, number, 0, 1, (1 << 53) - 1, 1 << 32]);
        *text = chance.around(edge).to_string();
        Some(())
    })
}

/// Means the same.
fn string_spelled(chance: &mut Chance, node: &mut Node) -> Option<()> {
    to_one(chance, node, strings, |chance, found| {
        let Node::Text(text) = found else { return None };
        *text = escaped(chance, text);
        Some(())
    })
}

fn string_changed(chance: &mut Chance, node: &mut Node) -> Option<()> {
    to_one(chance, node, strings, |chance, found| {
        let Node::Text(text) = found else { return None };
        let inner = text.trim_matches('"').to_owned();
        let changed = match chance.below(9) {
            0 => format!("{inner}x"),
            1 => format!(" {inner}"),
            2 => inner.to_uppercase(),
            3 => inner.to_lowercase(),
            4 => inner.chars().skip(1).collect(),
            5 => "\u{e9}".repeat(63 + chance.below(3)),
            6 => "k".repeat(63 + chance.below(3)),
            7 => format!("{inner}\u{e9}"),
            _ => {
                *text = chance.word(&STRINGS).to_owned();
                return Some(());
            }
        };
        *text = format!("\"{changed}\"");
        Some(())
    })
}

fn string_broken(chance: &mut Chance, node: &mut Node) -> Option<()> {
    let broken = (*chance.pick(&BROKEN)).to_owned();
    if chance.one_in(3) {
        return in_an_object(chance, node, |_, members, place| members[place].0 = broken);
    }
    to_one(chance, node, strings, |_, found| {
        *found = Node::Text(broken);
        Some(())
    })
}

/// Nine deep in all is one too many.
fn nested(chance: &mut Chance, node: &mut Node) -> Option<()> {
    let depth = 5 + chance.below(5);
    let deep = (0..depth).fold(Node::text("1"), |inner, _| {
        if chance.one_in(2) { Node::Array(vec![inner]) } else { Node::Object(vec![(r#""x""#.to_owned(), inner)]) }
    });
    to_one(
        chance,
        node,
        |node| matches!(node, Node::Object(_)),
        |_, found| {
            found.members()?.push((r#""deep""#.to_owned(), deep));
            Some(())
        },
    )
}

fn element_twice(chance: &mut Chance, node: &mut Node) -> Option<()> {
    to_one(chance, node, arrays, |chance, found| {
        let elements = found.elements()?;
        let again = elements[chance.below(elements.len())].clone();
        elements.push(again);
        Some(())
    })
}

fn element_gone(chance: &mut Chance, node: &mut Node) -> Option<()> {
    to_one(chance, node, arrays, |chance, found| {
        let elements = found.elements()?;
        elements.remove(chance.below(elements.len()));
        Some(())
    })
}

fn values_exchanged(chance: &mut Chance, node: &mut Node) -> Option<()> {
    in_an_object(chance, node, |chance, members, place| {
        let value = members[chance.below(members.len())].1.clone();
        members[place].1 = value;
    })
}

fn any_value(chance: &mut Chance) -> Node {
    const VALUES: [&str; 16] = [
        "null",
        "true",
        "false",
        "0",
        "1",
        "-1",
        "1.5",
        r#""""#,
        r#""x""#,
        "[]",
        "{}",
        "[1]",
        r#"["x"]"#,
        r#"{"x":1}"#,
        r#"[null]"#,
        r#""1800000000""#,
    ];
    let value = if chance.one_in(6) { chance.pick(&NUMBERS) } else { chance.pick(&VALUES) };
    Node::text(*value)
}

/// The same string with some of its characters as escapes.
fn escaped(chance: &mut Chance, raw: &str) -> String {
    let inner = raw.trim_matches('"');
    if inner.contains('\\') {
        return raw.to_owned();
    }
    let always = chance.below(inner.chars().count().max(1));
    let mut out = String::from('"');
    for (place, character) in inner.chars().enumerate() {
        if place == always || chance.one_in(4) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                out.push_str(&if chance.one_in(2) { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") });
            }
        } else {
            out.push(character);
        }
    }
    out.push('"');
    out
}
