//! What can be changed about any JSON's bytes.

use crate::chance::{Chance, Change};

/// Changes of the text.
pub const TEXT: [(&str, Change<Vec<u8>>); 8] = [
    ("byte order mark", byte_order_mark),
    ("bytes that are no UTF-8", no_utf8),
    ("something behind", behind),
    ("blanks around", around),
    ("byte gone", byte_gone),
    ("byte changed", byte_changed),
    ("cut off", cut_off),
    ("another value altogether", other_value),
];

fn byte_order_mark(_: &mut Chance, text: &mut Vec<u8>) -> Option<()> {
    text.splice(0..0, *b"\xef\xbb\xbf");
    Some(())
}

fn no_utf8(chance: &mut Chance, text: &mut Vec<u8>) -> Option<()> {
    const BYTES: [&[u8]; 8] = [
        b"\xff",
        b"\x80",
        b"\xc3",
        b"\xc0\xa2",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xe2\x82",
    ];
    let at = chance.below(text.len() + 1);
    text.splice(at..at, chance.pick(&BYTES).iter().copied());
    Some(())
}

fn behind(chance: &mut Chance, text: &mut Vec<u8>) -> Option<()> {
    const MORE: [&[u8]; 9] = [b" \r\n\t", b"\n", b"{}", b"null", b",", b"\0", b"}", b"\x0c", b"//"];
    let more = *chance.pick(&MORE);
    text.extend_from_slice(more);
    Some(())
}

fn around(chance: &mut Chance, text: &mut Vec<u8>) -> Option<()> {
    const BLANKS: [&[u8]; 9] = [b" ", b"\n", b"\t\r", b"   ", b"\x0b", b"\x0c", b"\xc2\xa0", b"\xe2\x80\xa8", b"/**/"];
    let places: Vec<usize> =
        text.iter().enumerate().filter(|(_, byte)| b"{}[]:,".contains(byte)).map(|(at, _)| at).collect();
    let blank = *chance.pick(&BLANKS);
    let at = if places.is_empty() { 0 } else { *chance.pick(&places) };
    text.splice(at..at, blank.iter().copied());
    Some(())
}

fn byte_gone(chance: &mut Chance, text: &mut Vec<u8>) -> Option<()> {
    let at = chance.below(text.len());
    (at < text.len()).then(|| text.remove(at)).map(|_| ())
}

#[allow(clippy::ptr_arg, reason = "one type for all")]
fn byte_changed(chance: &mut Chance, text: &mut Vec<u8>) -> Option<()> {
    let at = chance.below(text.len());
    *text.get_mut(at)? =
        if chance.one_in(2) { *chance.pick(b"\"{}[]:,0-\\ ") } else { u8::try_from(chance.below(256)).ok()? };
    Some(())
}

fn cut_off(chance: &mut Chance, text: &mut Vec<u8>) -> Option<()> {
    let length = if chance.one_in(2) { text.len().saturating_sub(1) } else { chance.below(text.len()) };
    text.truncate(length);
    Some(())
}

fn other_value(chance: &mut Chance, text: &mut Vec<u8>) -> Option<()> {
    const VALUES: [&[u8]; 9] = [b"", b" ", b"null", b"[]", b"{}", b"\"\"", b"0", b"true", b"[{}]"];
    *text = chance.pick(&VALUES).to_vec();
    Some(())
}
