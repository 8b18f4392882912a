//! The grammar of filters, by example and by property.

use proptest::prelude::*;

use super::*;
use crate::model::{FileRow, Processes, sample};

/// The descriptors of the sample's files that match.
fn matching(filter: &str) -> Vec<u32> {
    let filter: Filter = Filter::parse(filter).unwrap();
    let reading = sample::reading();
    reading
        .files
        .iter()
        .filter(|file| filter.matches(&FileRow::new(&reading.process, file)))
        .filter_map(|file| file.fd)
        .collect()
}

fn error(filter: &str) -> String {
    Filter::<Files>::parse(filter).unwrap_err().to_string()
}

const NONE: [u32; 0] = [];
const ALL: [u32; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 9];

#[test]
fn the_expression_of_the_manual() {
    assert_eq!(matching(r#"KIND == "socket" and SOCK.STATE == "ESTABLISHED" and RECVQ > 4K"#), [3]);
    assert_eq!(
        matching(r#"KIND == "socket" and SOCK.STATE == "ESTABLISHED" and RECVQ > 8K"#),
        NONE
    );
}

#[test]
fn comparisons_by_symbol_and_by_letters() {
    for (symbol, letters) in
        [("==", "eq"), ("!=", "ne"), ("<", "lt"), ("<=", "le"), (">", "gt"), (">=", "GE")]
    {
        let fds = matching(&format!("FD {symbol} 3"));
        assert_eq!(fds, matching(&format!("FD {letters} 3")), "{symbol}");
        let holds = |fd: u32| match symbol {
            "==" => fd == 3,
            "!=" => fd != 3,
            "<" => fd < 3,
            "<=" => fd <= 3,
            ">" => fd > 3,
            _ => fd >= 3,
        };
        assert_eq!(fds, ALL.into_iter().filter(|&fd| holds(fd)).collect::<Vec<_>>());
    }
}

#[test]
fn regular_expressions_match_and_do_not_match() {
    assert_eq!(matching(r#"NAME =~ "^/(tmp|dev)/""#), [0, 2]);
    assert_eq!(matching(r#"SOCK.LOCAL =~ ':80$'"#), [3]);
    assert_eq!(matching(r#"SOCK.LOCAL !~ ':80$'"#), [4, 5]);
    assert_eq!(matching("FD =~ '^[12]$'"), [1, 2]);
}

#[test]
fn and_binds_closer_than_or_and_not_farther_than_comparisons() {
    assert_eq!(matching("FD == 0 or FD == 1 and FD == 2"), [0]);
    assert_eq!(matching("(FD == 0 or FD == 1) and FD == 1"), [1]);
    assert_eq!(matching("not FD == 0 and FD < 3"), [1, 2]);
    assert_eq!(matching("!(FD == 0 || FD == 1) && FD < 3"), [2]);
    assert_eq!(matching("NOT NOT FD EQ 0"), [0]);
}

/// What waits in a pipe waits for a reader as much as what waits in a socket.
#[test]
fn queues_are_those_of_sockets_and_pipes() {
    assert_eq!(matching("KIND == 'pipe' and RECVQ == 5"), [1]);
    assert_eq!(matching("KIND == 'pipe' and SENDQ"), NONE);
}

#[test]
fn a_column_alone_is_whether_it_has_a_value() {
    assert_eq!(matching("DELETED"), [2]);
    assert_eq!(matching("RECVQ"), [1, 3]);
    assert_eq!(matching("SOCK.LOCAL"), [3, 5]);
    assert_eq!(matching("not SOCK.LOCAL and EPOLL.WATCHES"), [7]);
}

#[test]
fn the_unknown_fails_every_comparison() {
    assert_eq!(matching("REFS == 1 or REFS != 1"), [0, 1, 2, 3, 4, 5, 7]);
    assert_eq!(matching("not (REFS == 1)"), [6, 9]);
}

#[test]
fn a_bare_word_is_searched_in_every_text_column() {
    assert_eq!(matching("netlink"), [5]);
    assert_eq!(matching("'NETLINK-route ROUTE'"), [5]);
    assert_eq!(matching("/dev/PTS"), [0]);
    assert_eq!(matching("CAFÉ"), [2]);
    assert_eq!(matching("4711 or pts"), [0, 3]);
    assert_eq!(matching("127.0.0.1:80"), [3]);
    assert_eq!(matching("x1b"), [2], "what is searched is what is shown");
    assert_eq!(matching("server"), ALL, "the process's columns are among them");
}

#[test]
fn numbers_take_suffixes_and_literals_take_the_type_of_the_column() {
    assert_eq!(matching("SIZE == 1T"), [2]);
    assert_eq!(matching("SIZE == 1024GiB"), [2]);
    assert_eq!(matching("4k == POS"), [2]);
    assert_eq!(matching("POS == '4K'"), [2]);
    assert_eq!(matching("DELETED == true"), [2]);
    assert_eq!(matching("DELETED == 'yes' and CLOEXEC == 1"), [2]);
    assert_eq!(matching("USER == 'alice' and UID == 1000 and PID == 4242"), ALL);
    assert_eq!(matching("COMM == 4242"), NONE);
    assert_eq!(matching("SOCK.LOCAL == SOCK.REMOTE"), [4]);
    assert_eq!(matching("POS > -1 and FD == 0"), [0]);
}

#[test]
fn fractions_lie_between_whole_numbers() {
    for symbol in ["<", "<=", ">", ">=", "==", "!="] {
        let holds = |fd: f64| match symbol {
            "<" | "<=" => fd < 3.5,
            ">" | ">=" => fd > 3.5,
            "==" => false,
            _ => true,
        };
        let expected: Vec<u32> = ALL.into_iter().filter(|&fd| holds(fd.into())).collect();
        assert_eq!(matching(&format!("FD {symbol} 3.5")), expected, "{symbol}");
    }
    assert_eq!(matching("3.5 < FD"), matching("FD > 3.5"));
    assert_eq!(matching("0.5 >= FD"), [0]);
    assert_eq!(matching("FD > -0.5"), ALL);
    assert_eq!(matching("SIZE == 1.0T"), [2]);
    assert_eq!(matching("0.5K < POS"), matching("512 < POS"));
    // The unknown is neither above nor below.
    assert_eq!(matching("RECVQ != 0.5"), matching("RECVQ >= 0"));
    assert_eq!(error("DELETED == 0.5"), "at column 12: DELETED is true or false, and 0.5 is not");
    assert_eq!(matching("NAME == 0.5"), NONE);
    for (text, sides) in
        [("2 < 1.5", "2 and 1.5"), ("1.5 > 1", "1.5 and 1"), ("0.5==0.5", "0.5 and 0.5")]
    {
        let error = error(text);
        assert!(
            error.ends_with(&format!("{sides} can't be compared: neither is a column")),
            "{error}"
        );
    }
}

#[test]
fn what_only_a_sweep_finds_is_refused_where_there_is_none() {
    let parse = |text| Filter::parse_without_sweep(text).map(drop);
    let error = parse("FD == 3 and sock.peer.pid == 1").unwrap_err();
    assert_eq!(error.column, 13);
    assert!(error.message.starts_with("SOCK.PEER.PID is found among all processes"), "{error}");
    // The place is the column's, and not that of a text with its name in it.
    assert_eq!(parse("NAME == 'PEER' or PEER").unwrap_err().column, 19);
    assert_eq!(parse("NAME == '\u{e9}' or 0 < holders").unwrap_err().column, 20);
    assert_eq!(parse("FD == 3 and peer-less or NAME == 'PEER'"), Ok(()));
}

#[test]
fn an_empty_expression_matches_every_row() {
    assert_eq!(matching(" "), ALL);
    assert_eq!(matching("true"), ALL);
    assert_eq!(matching("false"), NONE);
}

#[test]
fn a_filter_on_processes_knows_their_columns() {
    let filter: Filter<Processes> = Filter::parse("USE% >= 0 or SOCKETS").unwrap();
    assert_eq!(filter.to_string(), "USE% >= 0 or SOCKETS");
    assert!(Filter::<Processes>::parse("SIZE > 1").is_err());
}

#[test]
fn errors_name_the_place_and_what_was_expected() {
    let cases = [
        ("FD ==", "at column 6: expected a column or a value after ==, found the end"),
        ("FD = 3", "at column 4: '=' is no operator; write =="),
        ("FD & 3", "at column 4: '&' is no operator; write &&"),
        ("FD | 3", "at column 4: '|' is no operator; write ||"),
        ("FD == 3 FD", "at column 9: expected 'and', 'or' or the end, found 'FD'"),
        ("(FD == 3", "at column 9: expected ')', found the end"),
        ("FD == 3)", "at column 8: expected 'and', 'or' or the end, found ')'"),
        ("and FD", "at column 1: expected a condition, found 'and'"),
        ("FD == 3 and", "at column 12: expected a condition, found the end"),
        ("NAME == \"x", "at column 9: the string has no closing \""),
        ("SIZ > 4K", "at column 1: no column is called 'SIZ'; did you mean SIZE?"),
        ("FLY == 'x'", "at column 1: no column is called 'FLY'"),
        (
            "KIND == socket",
            "at column 9: no column is called 'socket'; text is written in quotes: \"socket\"",
        ),
        ("RECVQ > 'many'", "at column 9: RECVQ is a number, and \"many\" is not"),
        ("DELETED == 'often'", "at column 12: DELETED is true or false, and \"often\" is not"),
        ("FD == NAME", "at column 7: FD and NAME can't be compared: number and text"),
        (
            "FD == 99999999999999999999999999999999999999999K",
            "at column 7: \
          99999999999999999999999999999999999999999K is too large a number",
        ),
        ("NAME =~ x", "at column 9: expected a regular expression in quotes, found 'x'"),
        ("NAME =~ '('", "at column 9: not a regular expression: unclosed group"),
        ("é é", "at column 3: expected 'and', 'or' or the end, found 'é'"),
        ("FD == 1 \x1b", "at column 9: expected 'and', 'or' or the end, found '\\x1b'"),
    ];
    for (filter, message) in cases {
        assert_eq!(error(filter), message, "{filter}");
    }
}

#[test]
fn depth_is_bounded_and_length_is_not() {
    let deep = |n| format!("{}FD{}", "(".repeat(n), ")".repeat(n));
    assert!(Filter::<Files>::parse(&deep(64)).is_ok());
    assert_eq!(error(&deep(65)), "at column 65: more than 64 conditions inside one another");
    assert_eq!(
        error(&"!".repeat(100_000)),
        "at column 65: more than 64 conditions inside one another"
    );
    assert!(Filter::<Files>::parse(&vec!["FD"; 10_000].join(" and ")).is_ok());
}

fn condition() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("FD"),
        Just("recvq"),
        Just("NAME"),
        Just("DELETED"),
        Just("SOCK.STATE"),
        Just("word"),
        Just("/var/x"),
        Just("17"),
        Just("'it\"s'"),
        Just("\"it's\""),
        Just("true"),
    ];
    let comparison = (
        prop_oneof![Just("FD"), Just("SIZE"), Just("POS")],
        prop_oneof![
            Just("=="),
            Just("!="),
            Just("<"),
            Just("<="),
            Just(">"),
            Just("ge"),
            Just("lt"),
        ],
        prop_oneof![
            Just("3"),
            Just("POS"),
            Just("4M"),
            Just("'5'"),
            Just("-1"),
            Just("-0.5"),
            Just("1.5K")
        ],
    )
        .prop_map(|(left, operator, right)| format!("{left} {operator} {right}"));
    let pattern = prop_oneof![Just("NAME =~ 'a+\"'"), Just("KIND !~ \"x'y\"")];
    prop_oneof![name.prop_map(str::to_owned), comparison, pattern.prop_map(str::to_owned)]
}

fn expression() -> impl Strategy<Value = String> {
    condition().prop_recursive(5, 40, 4, |inner| {
        let list = |operator: &'static str| {
            prop::collection::vec(inner.clone(), 1..4).prop_map(move |parts| parts.join(operator))
        };
        prop_oneof![
            list(" and "),
            list("||"),
            inner.clone().prop_map(|expr| format!("not {expr}")),
            inner.clone().prop_map(|expr| format!("({expr})")),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text: String) {
        let _ = Filter::<Files>::parse(&text);
    }

    #[test]
    fn no_sequence_of_tokens_makes_the_parser_panic(
        tokens in prop::collection::vec(
            prop::sample::select(vec![
                "(", ")", "!", "not", "and", "||", "==", "=~", "!~", "<", ">=", "FD", "NAME",
                "DELETED", "4K", "-", "'x'", "\"", "word", "true", "é", "=", "&", "1.5",
            ]),
            0..20,
        ),
    ) {
        let _ = Filter::<Files>::parse(&tokens.join(" "));
        let _ = Filter::<Files>::parse(&tokens.concat());
    }

    #[test]
    fn a_filter_reads_what_it_prints(text in expression()) {
        let filter = Filter::<Files>::parse(&text).unwrap();
        let printed = filter.to_string();
        let again = Filter::<Files>::parse(&printed).unwrap();
        prop_assert_eq!(again.to_string(), printed.clone());

        let reading = sample::reading();
        for file in &reading.files {
            let row = FileRow::new(&reading.process, file);
            prop_assert_eq!(filter.matches(&row), again.matches(&row), "{}", printed);
        }
    }
}
