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
        "/a:/b:",
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
    // A volume has a name: a path of the host is for type=bind.
    for path in ["/etc", "./etc", ".."] {
        assert!(parse_mount(&format!("source={path},target=/b")).is_err());
    }
    assert_eq!(
        parse_mount("type=tmpfs,target=/b,tmpfs-size=1m")
            .unwrap()
            .from,
        From::Memory(vec!["size=1048576".into()])
    );
}

#[test]
fn a_mount_has_dockers_values_and_no_others() {
    let bind = |more: &str| parse_mount(&format!("type=bind,source=/a,target=/b,{more}"));
    assert!(bind("ro=TRUE").unwrap().readonly);
    assert!(!bind("readonly,ro=f").unwrap().readonly);
    assert!(!bind("bind-nonrecursive").unwrap().recursive);
    assert!(bind("consistency=cached").is_ok());
    assert!(parse_mount("target=/b,volume-nocopy=1").unwrap().nocopy);
    for (text, says) in [
        (
            "target=/b,readonly=nope",
            "invalid value for readonly: nope",
        ),
        ("target=/b,ro=", "invalid value for ro: "),
        (
            "target=/b,volume-nocopy=maybe",
            "invalid value for volume-nocopy: maybe",
        ),
        (
            "type=bind,src=/a,target=/b,tmpfs-size=3",
            "cannot mix 'tmpfs-*' options with mount type 'bind'",
        ),
        (
            "type=tmpfs,target=/b,volume-nocopy",
            "cannot mix 'volume-*' options with mount type 'tmpfs'",
        ),
        (
            "target=/b,bind-propagation=rslave",
            "cannot mix 'bind-*' options with mount type 'volume'",
        ),
        (
            "type=tmpfs,target=/b,tmpfs-mode=9z",
            "invalid value for tmpfs-mode: 9z",
        ),
        (
            "type=tmpfs,target=/b,tmpfs-size=zz",
            "invalid value for tmpfs-size: zz",
        ),
        (
            "target=/b,tpye=bind",
            "unexpected key 'tpye' in 'tpye=bind'",
        ),
        (
            "target=/b,source",
            "invalid field 'source' must be a key=value pair",
        ),
    ] {
        let said = parse_mount(text).unwrap_err().to_string();
        assert_eq!(said, says, "{text}");
    }
}
