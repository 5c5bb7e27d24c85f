//! Identities that differ in little.

/// Valid identities of events which whoever changes them before comparing takes for one another:
/// by folding case, trimming, normalising Unicode, reading numbers, undoing the encoding of keys,
/// or cutting what is long at either end.
///
/// They differ as texts, so they are as many events. In JSON strings they stand as they are.
pub fn twins() -> Vec<String> {
    let mut twins: Vec<String> = [
        "r1",
        "R1",
        "r1 ",
        " r1",
        "r 1",
        "r01",
        "r1.0",
        "r10",
        "r",
        "1",
        "01",
        "1.0",
        "+1",
        "r1/",
        "r1.",
        "r1.json",
        "_r1",
        "%5fr1",
        "%5Fr1",
        "r%31",
        "r1~",
        "\u{e9}",
        "e\u{301}",
        "\u{c9}",
        "\u{fb01}",
        "fi",
        "K",
        "k",
        "\u{212a}",
        "\u{df}",
        "ss",
        "SS",
        "r\u{200b}1",
        "r\u{a0}1",
    ]
    .map(str::to_owned)
    .to_vec();
    // Longer than a name in a key may be, with the same start and the same end; the last has an
    // accent where a cut by bytes may fall.
    let long = |middle: &str| format!("{}{middle}{}", "s".repeat(110), "e".repeat(110));
    twins.extend(["a", "A", "b", "", "\u{e9}", "%"].map(long));
    twins.extend(["", "x"].map(|end| format!("{}{end}", "s".repeat(120))));
    twins.extend(["", "x"].map(|start| format!("_{start}{}", "s".repeat(200))));
    twins
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_of_them_are_one_text() {
        let twins = twins();
        assert_eq!(twins.iter().collect::<BTreeSet<_>>().len(), twins.len());
        assert!(twins.iter().all(|id| (1..=256).contains(&id.len())));
        assert!(
            !twins.iter().any(|id| id.contains(['"', '\\']) || id.chars().any(char::is_control))
        );
    }
}
