//! What `-v`, `--mount` and `--tmpfs` say.

use super::*;

#[test]
fn the_forms_of_v() {
    let volume = parse_volume("/a:/b:ro").unwrap();
    assert_eq!(
        (volume.from, volume.readonly),
        (From::Host("/a".into()), true)
    );
    assert_eq!(
        parse_volume("data:/b").unwrap().from,
        From::Named("data".into())
    );
    assert_eq!(parse_volume("/b").unwrap().from, From::Anonymous);
    assert_eq!(
        parse_volume("/a:/b:create=dir").unwrap().create,
        Create::Dir
    );
    assert_eq!(
        parse_volume("./a:/b").unwrap().from,
        From::Host("./a".into())
    );
    assert!(parse_volume("data:/b:nocopy").unwrap().nocopy);
    for bad in [
        "a",
        "/a:b",
        "/a:/b:nocopy",
        "/a:/b:rx",
        "/a:/b:ro,rw",
        "/a:/b:ro,ro",
        "/a:/b:slave,rprivate",
        "data:/b:rslave",
        ":/x",
        "/a:/",
        "/a:/b:ro:x",
        "",
    ] {
        assert!(parse_volume(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn the_forms_of_mount() {
    let bind = parse_mount("type=bind,source=/a,target=/b,readonly").unwrap();
    assert_eq!((bind.from, bind.readonly), (From::Host("/a".into()), true));
    assert_eq!(parse_mount("target=/b").unwrap().from, From::Anonymous);
    let quoted = parse_mount(r#"type=bind,"source=/a,""b""",target=/c"#).unwrap();
    assert_eq!(quoted.from, From::Host(r#"/a,"b""#.into()));
    for bad in [
        r#"type=bind,"source=/a,target=/b"#,
        r#"type=bind,source="/a",target=/b"#,
        r#""target=/b"x"#,
    ] {
        assert!(parse_mount(bad).is_err(), "{bad}");
    }
    assert!(parse_mount("type=bind,target=/b").is_err());
    assert_eq!(
        parse_mount("type=tmpfs,target=/b,tmpfs-size=1m")
            .unwrap()
            .from,
        From::Memory(vec!["size=1048576".into()])
    );
}
