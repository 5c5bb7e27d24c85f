//! What readers of the stored events take.

use super::*;
use crate::schema::readable;
use crate::schema::retail::fields::Known;

/// The body with this text as one more field.
fn with(field: &str) -> String {
    body().to_string().replacen('{', &format!("{{{field}, "), 1)
}

fn is_valid(body: String) -> bool {
    Event::parse(&message(body)).is_ok()
}

fn detail_of(body: impl Into<bytes::Bytes>) -> String {
    Event::parse(&message(body)).unwrap_err().detail().to_owned()
}

fn nested(open: &str, core: &str, close: &str, times: usize) -> String {
    format!("{}{core}{}", open.repeat(times), close.repeat(times))
}

#[test]
fn half_a_surrogate_pair_is_refused_wherever_it_is() {
    for field in [
        r#""x": "\ud83d""#,
        r#""x": "\udc00""#,
        r#""x": "\ud83d\ud83d""#,
        r#""x": "\udc00\ud83d""#,
        r#""x": "\ud83d a""#,
        r#""\ud83d": 1"#,
        r#""x": [{"y": ["\ud83d"]}]"#,
        r#""x": {"\ud83d": 1}"#,
    ] {
        assert_eq!(fault_of(with(field)), Reason::LONE_SURROGATE, "{field}");
    }
    for known in ["request_id", "category", "variant", "ts"] {
        let body = with(&format!(r#""x": 1, "y{known}": 2"#)).replacen(
            &format!(r#""{known}":""#),
            &format!(r#""{known}":"\ud83d"#),
            1,
        );
        assert_eq!(fault_of(body), Reason::LONE_SURROGATE, "{known}");
    }
    assert!(is_valid(with(r#""x": "\ud83d\ude00 \\ud83d \u0000", "\ud83d\ude00": "\"""#)));
}

#[test]
fn values_may_be_so_deep_and_no_deeper() {
    // The event is the first level, so the value of a field is the second.
    for (open, close) in [("[", "]"), (r#"{"a": "#, "}")] {
        for core in ["1", "null", "{}", "[]", r#""a""#] {
            let deepest = format!(r#""x": {}"#, nested(open, core, close, 126));
            let deeper = format!(r#""x": {}"#, nested(open, core, close, 127));
            assert!(is_valid(with(&deepest)), "{open} {core}");
            assert_eq!(fault_of(with(&deeper)), Reason::TOO_DEEP, "{open} {core}");
        }
    }
    let hostile = format!(r#""x": {}"#, nested("[", "", "]", 500_000));
    assert_eq!(fault_of(with(&hostile)), Reason::TOO_DEEP);
    let unclosed = format!(r#""x": {}"#, "[".repeat(500_000));
    assert_eq!(fault_of(with(&unclosed)), Reason::NOT_JSON);
}

#[test]
fn numbers_beyond_what_readers_hold_are_refused() {
    let largest = i128::MAX.to_string();
    let smallest = i128::MIN.to_string();
    let zeros = format!("0.{}1e400", "0".repeat(399));
    let ones = "1".repeat(400);
    for (number, valid) in [
        ("1e999", false),
        ("-1e999", false),
        ("1e309", false),
        ("1.7976931348623159e308", false),
        ("1.7976931348623157e308", true),
        ("0e309", false),
        ("0.0e309", true),
        ("0.0e310", false),
        ("0e99999999999999999999", false),
        ("0E309", false),
        ("0.0E310", false),
        ("1e-9999999999", true),
        ("1e-10000000000", false),
        ("1e-10000000000000000000", false),
        ("1E+5", true),
        (&*largest, true),
        (&*smallest, true),
        ("170141183460469231731687303715884105728", false),
        ("-170141183460469231731687303715884105729", false),
        (&*ones, false),
        (&*format!("{ones}e-300"), true),
        (&*format!("0.{ones}"), true),
        (&*zeros, true),
        ("-0", true),
        ("5e-324", true),
    ] {
        for field in [format!(r#""x": {number}"#), format!(r#""x": {{"y": [{number}]}}"#)] {
            let parsed = Event::parse(&message(with(&field))).err();
            let code = parsed.as_ref().map(Reason::code);
            assert_eq!(code, (!valid).then_some(Reason::OUT_OF_RANGE), "{field}");
        }
    }
}

#[test]
fn known_numbers_are_held_to_the_same() {
    let over_128_bits = "170141183460469231731687303715884105728";
    let mut numbers = vec!["1e999", "0e309", "0E309", "1.7976931348623159e308", over_128_bits];
    numbers.extend(["1e-10000000000", "1E-10000000000", "0.0e-99999999999999999999"]);
    for number in numbers {
        for field in ["price", "discount"] {
            let mut body = body();
            body[field] = json!("here");
            // Nothing else in it looks like an exponent.
            body["request_id"] = json!("r1");
            let text = body.to_string().replace(r#""here""#, number);
            assert_eq!(fault_of(text.clone()), Reason::OUT_OF_RANGE, "{field} {number}");
            assert!(detail_of(text).contains(field), "{field} {number}");
        }
    }
    let huge = body().to_string().replace("42515", "1e999");
    assert_eq!(fault_of(huge), Reason::OUT_OF_RANGE);
    let deepest = format!(r#""x": {}"#, nested("[", "", "]", 127));
    for number in ["0.0e309", "1e-9999999999", "1.7e308", "170141183460469231731687303715884105727"]
    {
        let text = with(&deepest).replace("64.08", number);
        assert_eq!(Event::parse(&message(text)).err(), None, "{number}");
    }
}

#[test]
fn a_key_given_twice_is_refused_at_any_depth() {
    for field in [
        r#""x": 1, "x": 2"#,
        r#""x": 1, "\u0078": 1"#,
        r#""x": {"y": 1, "y": 1}"#,
        r#""x": [1, [{"y": 1, "z": {}, "y": null}]]"#,
        r#""price": 64.08"#,
        r#""is_return": null"#,
        r#""bad_msg": 1, "bad_msg": 2"#,
    ] {
        let fields = with(field);
        assert_eq!(fault_of(fields), Reason::DUPLICATE_KEY, "{field}");
    }
    assert!(is_valid(with(r#""x": {"y": {"y": 1}}, "y": [{"y": 1}, {"y": 2}]"#)));
}

/// A key is what it says, however it is written.
#[test]
fn a_known_key_may_be_written_with_escapes() {
    let whole = body();
    for name in Known::NAMES {
        let first = name.chars().next().unwrap() as u32;
        let escaped = format!("\"\\u{first:04x}{}\"", &name[1..]);
        let plain = format!("\"{name}\"");
        let value = whole.get(name).map_or("true".to_owned(), Value::to_string);
        let twice = with(&format!("{escaped}: {value}"));
        if whole.get(name).is_some() {
            let text = whole.to_string().replacen(&plain, &escaped, 1);
            let [one, other] = [message(text), message(whole.to_string())];
            assert_eq!(Event::parse(&one), Event::parse(&other), "{escaped}");
            assert_eq!(fault_of(twice), Reason::DUPLICATE_KEY, "{escaped}");
        } else {
            assert_eq!(fault_of(twice), Retail::BAD_MSG, "{escaped}");
        }
    }
}

/// An identity is a text of bytes: what looks alike is another event.
#[test]
fn identities_are_taken_as_they_are() {
    for identity in [" r1", "r1 ", "R1", "r1\u{a0}", "é", "e\u{301}", "r1."] {
        let mut body = body();
        body["request_id"] = json!(identity);
        let message = message(body.to_string());
        assert_eq!(Event::parse(&message).unwrap().request_id, identity);
        assert_eq!(&*Retail::default().identify(&message).unwrap().identity, identity);
    }
}

#[test]
fn keys_that_differ_only_in_case_are_refused() {
    for field in [
        r#""x": 1, "X": 2"#,
        r#""x": {"ab": 1, "aB": 1}"#,
        r#""x": [{"y": 1}, {"Y": 1}]"#,
        r#""PRICE": 1"#,
        r#""Bad_Msg": 1"#,
        r#""s\u212au": 1"#,
        r#""ä": 1, "Ä": 2"#,
        r#""k": 1, "\u212a": 2"#,
        r#""x": [{"y": {"é": 1}}, {"y": {"É": 1}}]"#,
    ] {
        assert_eq!(fault_of(with(field)), Reason::CASE_CONFLICT, "{field}");
    }
    assert!(is_valid(with(r#""x": {"X": {"x": 1}}, "y": {"PRICE": 1}, "ä": "Ä", "a": 1"#)));
    assert!(is_valid(with(r#""é": 1, "e": 2, "k": 1, "ſ": 1, "ß": 1, "ss": 1"#)));
}

#[test]
fn an_empty_key_is_refused_at_any_depth() {
    for field in [r#""": 1"#, r#""x": {"": 1}"#, r#""x": [{"a": {"": {}}}]"#] {
        assert_eq!(fault_of(with(field)), Reason::EMPTY_KEY, "{field}");
    }
    assert!(is_valid(with(r#"" ": "", "x": {"\u0000": ""}"#)));
}

#[test]
fn the_elements_of_an_array_have_one_type() {
    for array in [
        r#"[1, "a"]"#,
        "[1, true]",
        "[[1], 2]",
        r#"[[1], ["a"]]"#,
        r#"[[], [1], ["a"]]"#,
        r#"[[1], [], [null], ["a"]]"#,
        r#"[{}, {"x": null}, {"x": 1}, {"x": "a"}]"#,
        r#"[{}, []]"#,
        r#"[{"x": 1}, {"y": 2}, {"x": "a"}]"#,
        r#"[{"x": 1}, {"y": 2}, {"y": "a"}]"#,
        r#"[[{"x": [{"y": 1}]}], [null, {"x": [{"y": true}]}]]"#,
        r#"{"x": {"y": [null, 1, null, {}]}}"#,
    ] {
        let field = format!(r#""x": {array}"#);
        assert_eq!(fault_of(with(&field)), Reason::MIXED_TYPES, "{field}");
    }
    for array in [
        "[1, 1.5, -1e9, null, 18446744073709551615]",
        "[null, true, false]",
        r#"["", "2026-11-22T22:16:48", null]"#,
        "[[], [1], [null], null]",
        r#"[{}, {"x": 1}, {"y": "a"}, {"x": null}, {"x": 2.5}]"#,
        r#"[{"x": []}, {"x": [{"y": 1}]}]"#,
        r#"{"x": 1, "y": "a", "z": [1], "a": ["a"]}"#,
    ] {
        assert!(is_valid(with(&format!(r#""x": {array}"#))), "{array}");
    }
}

#[test]
fn faults_are_found_among_many_keys() {
    for count in [7, 8, 9, 10, 100] {
        let keys: Vec<_> = (0..count).map(|number| format!(r#""ké{number}": 1"#)).collect();
        let keys = keys.join(", ");
        assert!(is_valid(with(&keys)), "{count}");
        for again in [0, count - 1] {
            for (key, code) in [
                (format!("ké{again}"), Reason::DUPLICATE_KEY),
                (format!("Ké{again}"), Reason::CASE_CONFLICT),
                (format!("kÉ{again}"), Reason::CASE_CONFLICT),
            ] {
                let nested = format!(r#""x": {{{keys}, "{key}": 1}}"#);
                assert_eq!(fault_of(with(&nested)), code, "{count} {key}");
                let top = format!(r#"{keys}, "{key}": 1"#);
                assert_eq!(fault_of(with(&top)), code, "{count} {key}");
                let beside = format!(r#""x": [{{{keys}}}, {{"{key}": "a"}}]"#);
                let expected =
                    if code == Reason::DUPLICATE_KEY { Reason::MIXED_TYPES } else { code };
                assert_eq!(fault_of(with(&beside)), expected, "{count} {key}");
            }
        }
        let later = format!(r#""x": [{{{keys}}}, {{"new": 1, "é": 1}}, {{"new": "a"}}]"#);
        assert_eq!(fault_of(with(&later)), Reason::MIXED_TYPES, "{count}");
    }
}

#[test]
fn a_byte_order_mark_is_named() {
    let body = body().to_string();
    assert_eq!(fault_of(format!("\u{feff}{body}")), Reason::BYTE_ORDER_MARK);
    let utf16: Vec<_> = [0xff, 0xfe].into_iter().chain(body.bytes().flat_map(|b| [b, 0])).collect();
    assert_eq!(fault_of(utf16), Reason::BYTE_ORDER_MARK);
    let utf16: Vec<_> = [0xfe, 0xff].into_iter().chain(body.bytes().flat_map(|b| [0, b])).collect();
    assert_eq!(fault_of(utf16), Reason::BYTE_ORDER_MARK);
    // Elsewhere it is a character among others.
    assert!(is_valid(with(r#""x": "\ufeff", "﻿y": "﻿""#)));
}

#[test]
fn what_is_not_json_is_called_that_whatever_else_is_wrong() {
    for field in [r#""x": 1, "x": 2"#, r#""x": 1e999"#, r#""store_id": "a""#, r#""": 1"#] {
        let mut cut = with(field);
        cut.pop();
        assert_eq!(fault_of(cut), Reason::NOT_JSON, "{field}");
    }
}

#[test]
fn white_space_may_stand_wherever_json_has_it() {
    for space in [" ", "\t", "\n", "\r", "\r\n \t"] {
        let field = r#"_"x"_:_{_"a"_:_[_1_,_2.5_,_null_]_,_"b"_:_[_]_,_"c"_:_{_}_,_"d"_:_true_}_"#;
        let field = field.replace('_', space);
        assert!(is_valid(with(&field)), "{space:?}");
        let mixed = format!(r#""x": [{space}1{space},{space}true{space}]"#);
        assert_eq!(fault_of(with(&mixed)), Reason::MIXED_TYPES, "{space:?}");
    }
}

#[test]
fn the_detail_names_the_place() {
    for (field, place) in [
        (r#""a": {"b": [{"c": "\ud83d"}]}"#, "in a.b.c"),
        (r#""ratio": 1e999"#, "1e999 is beyond a double, in ratio"),
        (r#""a": {"note": 1, "note": 2}"#, r#""note" is there twice, in a"#),
        (r#""a": [1, "b"]"#, "a number and a text, in a"),
    ] {
        let detail = detail_of(with(field));
        assert!(detail.contains(place), "{detail}");
    }
    let mut wrong = body();
    wrong["qty"] = json!("five");
    assert!(detail_of(wrong.to_string()).starts_with("qty: "), "{wrong}");
}

#[test]
fn hostile_bodies_are_read_in_one_pass() {
    // Each of these takes minutes if it is quadratic, and a moment if not.
    let keys = |count: usize| {
        let keys: Vec<_> = (0..count).map(|number| format!(r#""{number:x}":1"#)).collect();
        keys.join(",")
    };
    let objects: Vec<_> = (0..100_000).map(|number| format!(r#"{{"{number:x}":1}}"#)).collect();
    for field in [
        keys(100_000),
        format!(r#""x":{{{}}}"#, keys(100_000)),
        format!(r#""x":[{}]"#, objects.join(",")),
        format!(r#""x":[{},{{{}}}]"#, objects.join(","), keys(50_000)),
        nested(r#""x":"#, "1", "", 1),
    ] {
        assert!(is_valid(with(&field)), "{}", &field[..40]);
    }
}

#[test]
fn the_walk_ends_on_what_is_no_json() {
    for text in ["", "[", "{", r#"{"a"#, r#"{"a" 1"#, "[1 2", "]", "\\", r#"""#, "[,]", "nul", "-"]
    {
        // Whatever the answer is, there is one.
        let answer = readable::check(text);
        assert!(answer.is_ok() || text.len() < 10, "{text}");
    }
}

#[test]
fn a_known_field_is_found_by_its_name() {
    for (place, name) in Known::NAMES.into_iter().enumerate() {
        let known = Known::of(name).unwrap();
        assert_eq!((known as usize, known.name()), (place, name));
    }
    assert_eq!(Known::of("contact_me"), None);
}
