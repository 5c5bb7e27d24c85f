//! Bodies of events that are odd in fields that nobody knows, and in how known ones are written.

use fastrand::Rng;

const TIMES: [&str; 24] = [
    "2026-11-22T22:16:48.469759",
    "2026-11-22T22:16:48",
    "2026-11-22 22:16:48.5",
    "2026-11-22T22:16",
    "2026-11-22T22:16:48Z",
    "2026-11-22T22:16:48.123456789",
    "2026-11-22T22:16:48+01:00",
    "2026-11-22T22:16:48.5-0530",
    "2026-11-22T22:16:48+01",
    "2026-11-22T22:16:48-00:00",
    "2026-11-22T22:16:48+23:59",
    "1970-01-01T00:00:00",
    "1998-06-05T12:00:00.000001",
    "2099-12-31T23:59:59.999999",
    "2024-02-29T00:00:00Z",
    "2026-11-22T22:16:60",
    "2026-11-22T22",
    "2026-11-22T22:16:48[Europe/Berlin]",
    "+002026-11-22T22:16:48",
    "2026-11-22t22:16:48",
    "2026-11-22T22:16:48z",
    "2026-11-22T22:16:48,5",
    "2026-11-22T22:16:48+01:00:30",
    "2026-11-22T22:16:48 +01:00",
];

const NUMBERS: [&str; 30] = [
    "0",
    "-0",
    "1",
    "-7",
    "64.08",
    "1e5",
    "1E+2",
    "5e-324",
    "1e-999",
    "1e308",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "1000000000000000000000000000000",
    "170141183460469231731687303715884105727",
    "-170141183460469231731687303715884105728",
    "0.1000000000000000055511151231257827021181583404541015625",
    "1.7976931348623157e308",
    "0.0e309",
    "100000000000000000000000000000000000000000000.0",
    "1e-9999999999",
    // What follows is refused.
    "1e999",
    "-1e309",
    "0e999",
    "1.8e308",
    "170141183460469231731687303715884105728",
    "1234567890123456789012345678901234567890",
    "1e-99999999999",
];

const TEXTS: [&str; 22] = [
    "",
    "a",
    "Games",
    " ",
    "null",
    "1",
    "1e999",
    "2026-11-22",
    "2026-11-22T22",
    "25:00:00",
    "+292279-01-01T00:00:00",
    r"\ud83d\ude00",
    r"\u0000",
    r"a\u0001\u001f\u007f",
    r#"\"\\\/\b\f\n\r\t"#,
    r"\ufeff\ufffe\uffff",
    "\u{2028}\u{85}\u{feff}",
    "é\u{301}\u{10ffff}",
    // What follows is refused.
    r"\ud83d",
    r"\ude00",
    r"\ud83d\ud83d",
    r"\ud83dx",
];

/// The first letter says of what type the value is, nearly always: so arrays of objects have one.
const KEYS: [&str; 21] = [
    "n",
    "n2",
    "n.x",
    "s",
    "s ",
    "s\u{e9}",
    r"s\u0000",
    r"s\n",
    r#"s\"x"#,
    "b",
    "l",
    "o",
    "o2",
    "x",
    "dt",
    "event_type",
    "s_Price", // What follows may be refused.
    "N",
    "S\u{c9}",
    "PRICE",
    "",
];

/// A body, most of which are events. A `request_id` of its own tells it from others.
pub(crate) fn odd(number: usize, rng: &mut Rng) -> String {
    let mut fields = vec![
        ("request_id".to_owned(), format!("\"odd-{number}\"")),
        ("store_id".to_owned(), pick(rng, &["1", "8", "9223372036854775807"]).to_owned()),
        ("cust_id".to_owned(), "538".to_owned()),
        ("category".to_owned(), text(rng, 0)),
        ("sku".to_owned(), "42515".to_owned()),
        ("price".to_owned(), known_number(rng, "64.08")),
        ("qty".to_owned(), "5".to_owned()),
        ("discount".to_owned(), pick(rng, &["0", "4.9", "1e2", "100", "0.0"]).to_owned()),
        ("gift_wrap".to_owned(), rng.bool().to_string()),
        ("variant".to_owned(), text(rng, 0)),
        ("priority_shipping".to_owned(), "true".to_owned()),
        ("ts".to_owned(), format!("\"{}\"", time(rng))),
    ];
    if rng.bool() {
        fields.push(("is_return".to_owned(), pick(rng, &["true", "false", "null"]).into()));
    }
    for _ in 0..rng.usize(0..4) {
        let key = pick(rng, &KEYS);
        let place = rng.usize(0..=fields.len());
        fields.insert(place, (key.to_owned(), of_key(key, 2, rng)));
    }
    if rng.u8(..) < 12 {
        let deep = pick(rng, &[100, 125, 126, 127, 128, 200]);
        let (open, close) = pick(rng, &[("[", "]"), (r#"{"a":"#, "}")]);
        let core = pick(rng, &["1", "[]", "{}", "null"]);
        let deep = format!("{}{core}{}", open.repeat(deep), close.repeat(deep));
        fields.push(("deep".to_owned(), deep));
    }
    if rng.u8(..) < 6 {
        let again = fields[rng.usize(..fields.len())].clone();
        fields.push(again);
    }
    object(&fields, rng)
}

fn object(fields: &[(String, String)], rng: &mut Rng) -> String {
    // White space between tokens; with line ends, seldom.
    let space = pick(rng, &["", " ", "", " ", "\t", "  "]);
    let line = if rng.u8(..) < 8 { pick(rng, &["\n", "\r\n", "\r"]) } else { "" };
    let fields: Vec<_> =
        fields.iter().map(|(key, value)| format!("\"{key}\":{space}{value}{space}")).collect();
    format!("{{{line}{}{line}}}", fields.join(&format!(",{line}{space}")))
}

fn pick<T: Copy>(rng: &mut Rng, these: &[T]) -> T {
    these[rng.usize(..these.len())]
}

fn time(rng: &mut Rng) -> &'static str {
    // Most are valid, or little else would be seen.
    let end = if rng.u8(..) < 32 { TIMES.len() } else { 15 };
    TIMES[rng.usize(..end)]
}

fn known_number(rng: &mut Rng, usual: &str) -> String {
    if rng.u8(..) < 192 { usual.to_owned() } else { number(rng) }
}

fn number(rng: &mut Rng) -> String {
    let end = if rng.u8(..) < 16 { NUMBERS.len() } else { 23 };
    NUMBERS[rng.usize(..end)].to_owned()
}

fn text(rng: &mut Rng, odd: u8) -> String {
    let end = if rng.u8(..) < odd { TEXTS.len() } else { 18 };
    format!("\"{}{}\"", TEXTS[rng.usize(..end)], TEXTS[rng.usize(..18)])
}

fn of_key(key: &str, depth: usize, rng: &mut Rng) -> String {
    let kind = key.to_lowercase().chars().next().filter(|_| rng.u8(..) >= 8).unwrap_or('x');
    match kind {
        _ if rng.u8(..) < 16 => "null".to_owned(),
        'n' => number(rng),
        's' | 'd' | 'e' => text(rng, 16),
        'b' => rng.bool().to_string(),
        'l' | 'o' if depth > 6 => "null".to_owned(),
        'l' => array(rng, number),
        'o' => objects(depth, rng),
        _ => match rng.u8(..8) {
            0 => number(rng),
            1 => text(rng, 16),
            2 => objects(depth, rng),
            3 => array(rng, |rng| text(rng, 8)),
            4 => array(rng, |rng| array(rng, |rng| rng.bool().to_string())),
            5 => array(rng, |rng| objects(depth + 1, rng)),
            6 => array(rng, |rng| if rng.u8(..) < 96 { text(rng, 0) } else { number(rng) }),
            _ => "{}".to_owned(),
        },
    }
}

fn array(rng: &mut Rng, mut element: impl FnMut(&mut Rng) -> String) -> String {
    let elements: Vec<_> = (0..rng.usize(0..5))
        .map(|_| if rng.u8(..) < 16 { "null".to_owned() } else { element(rng) })
        .collect();
    format!("[{}]", elements.join(", "))
}

fn objects(depth: usize, rng: &mut Rng) -> String {
    let mut fields: Vec<(String, String)> = Vec::new();
    for _ in 0..rng.usize(0..4) {
        let end = if rng.u8(..) < 16 { KEYS.len() } else { 17 };
        let key = KEYS[rng.usize(..end)];
        // Twice only sometimes.
        if rng.u8(..) < 16 || fields.iter().all(|(there, _)| there != key) {
            fields.push((key.to_owned(), of_key(key, depth + 1, rng)));
        }
    }
    object(&fields, rng)
}
