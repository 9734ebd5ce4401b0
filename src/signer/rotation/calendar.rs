//! A schedule as a calendar file (RFC 5545), for the calendar that the operator looks at anyway.

use super::Step;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// An RFC 5545 calendar with one all-day event a step: from the first day it may be done to the
/// last; `title` and `text` say what it is. `store_id` makes the ids of events unique, so that a
/// newer file replaces an older one's events instead of doubling them.
pub fn calendar(
    store_id: &str,
    now: u64,
    steps: &[Step],
    title: impl Fn(&Step) -> String,
    text: impl Fn(&Step) -> String,
) -> String {
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//coldsign//rotate plan//EN".to_owned(),
        "METHOD:PUBLISH".to_owned(),
    ];
    for step in steps {
        let last = step.latest.unwrap_or(step.earliest).max(step.earliest);
        // Publications have no key: their day tells them apart.
        let about = if step.to.is_empty() { day(step.earliest) } else { step.to.replace('/', "-") };
        lines.extend([
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}-{about}@{store_id}.coldsign", step.act.name()),
            format!("DTSTAMP:{}", stamp(now)),
            format!("DTSTART;VALUE=DATE:{}", day(step.earliest)),
            // RFC 5545 §3.6.1: the end of an all-day event is the day after.
            format!("DTEND;VALUE=DATE:{}", day(last.saturating_add(86_400))),
            format!("SUMMARY:{}", escaped(&title(step))),
            format!("DESCRIPTION:{}", escaped(&text(step))),
            "TRANSP:TRANSPARENT".to_owned(),
            "END:VEVENT".to_owned(),
        ]);
    }
    lines.push("END:VCALENDAR".to_owned());
    lines.iter().map(|line| folded(line)).collect()
}

fn time(seconds: u64) -> Timestamp {
    let since = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    Timestamp::UNIX_EPOCH.checked_add(since).unwrap_or(Timestamp::MAX)
}

fn day(seconds: u64) -> String {
    time(seconds).to_zoned(TimeZone::UTC).strftime("%Y%m%d").to_string()
}

fn stamp(seconds: u64) -> String {
    time(seconds).to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// RFC 5545 §3.3.11.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | ';' | ',' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            character if character.is_control() => {}
            character => out.push(character),
        }
    }
    out
}

/// RFC 5545 §3.1: no line is longer than 75 octets; a continuation begins with a blank.
fn folded(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut octets = 0;
    for character in line.chars() {
        if octets + character.len_utf8() > 75 {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(character);
        octets += character.len_utf8();
    }
    out.push_str("\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotation::Act;

    #[test]
    fn a_calendar_is_folded_and_escaped() {
        let step = Step {
            act: Act::Activate,
            keyset: "default".to_owned(),
            to: "default/2".to_owned(),
            earliest: 1_800_000_000,
            earliest_why: "",
            latest: Some(1_800_086_400),
            latest_why: "",
        };
        let text = "a; b, c\\ ".to_owned() + &"ü".repeat(80) + "\nsecond";
        let calendar = calendar("abc", 1_799_999_999, &[step], |step| step.to.clone(), |_| text.clone());
        assert!(calendar.split("\r\n").all(|line| line.len() <= 75), "{calendar}");
        let unfolded = calendar.replace("\r\n ", "");
        assert!(unfolded.contains("DESCRIPTION:a\\; b\\, c\\\\ ü"), "{unfolded}");
        assert!(unfolded.contains("ü\\nsecond\r\n"), "{unfolded}");
        assert!(unfolded.contains("UID:activate-default-2@abc.coldsign\r\nDTSTAMP:20270115T075959Z\r\n"));
        assert!(unfolded.contains("DTSTART;VALUE=DATE:20270115\r\nDTEND;VALUE=DATE:20270117\r\n"), "{unfolded}");
        assert!(unfolded.starts_with("BEGIN:VCALENDAR\r\n") && unfolded.ends_with("END:VCALENDAR\r\n"));
    }
}
