//! Journals that are damaged, or written for something that is another's by now.

use crate::{host, same, state, watch};

#[test]
fn a_journal_cut_short_inside_a_character_is_replayed() {
    let host = host();
    let before = state(&host);
    assert_eq!(watch(&host, "pair", "kill after 2"), None);
    host.ok(
        r#"printf '{"intended":{"step":9,"undo":[{"unlink":{"path":"/\303' | tee -a run/journals/*.jsonl >/dev/null"#,
    );
    assert_eq!(host.ok("rrun gc"), "undone: rveth add left right@blue\n");
    same(&host, &before, "cut short");
}

#[test]
fn a_journal_that_cannot_be_read_is_left_alone_and_said() {
    let host = host();
    assert_eq!(watch(&host, "pair", "kill after 2"), None);
    let whole = state(&host);
    for (damage, why) in [
        (
            "s/\"version\":1/\"version\":2/",
            "it has version 2, newer than this command's 1",
        ),
        ("1s/^{/{{/", "its first line is not a header"),
    ] {
        host.ok(&format!(
            "cp run/journals/*.jsonl kept; sed -i '{damage}' run/journals/*.jsonl"
        ));
        let (code, out, said) = host.outcome("rrun gc");
        assert_eq!((code, out.as_str()), (1, ""), "{said}");
        assert!(
            said.starts_with("rrun: reading journal ") && said.ends_with(&format!(": {why}\n")),
            "{said}"
        );
        host.ok("mv kept run/journals/*.jsonl");
        same(&host, &whole, damage);
    }
    host.ok("rrun gc");
}
