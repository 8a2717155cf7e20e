//! The engine by itself, through `examples/bundle`: config.json's fields as the program inside sees them, the same bundle
//! under runc and crun, and what is refused.

mod cases;
mod fields;
mod hooks;
mod mounts;
mod peers;
mod refused;

use kit_test::Host;

/// A host with a bundle in `b`: a root of busybox and the config.json that `rrun` writes.
fn bundled(flags: &str) -> Host {
    let host = Host::bare();
    host.ok(
        "mkdir -p r/bin r/tmp r/mnt r/usr && cp /bin/busybox r/bin/ && chmod 1777 r/tmp &&
         for applet in $(/bin/busybox --list); do ln -s busybox r/bin/$applet 2>/dev/null || :; done
         tar -C r -c . | rrun import - busybox >/dev/null",
    );
    host.ok(&format!(
        "rrun create --name box --net none {flags} busybox true && rrun bundle box m >/dev/null &&
         mkdir b && cp -a m/rootfs b/rootfs && jq '.hostname=\"inside\"' m/config.json >b/config.json && cp b/config.json base.json &&
         rrun bundle --umount box m"
    ));
    host
}

/// Runs the bundle with `jq` applied to its config.json and `script` as its program: exit code, output, errors.
fn run(host: &Host, jq: &str, script: &str) -> (i32, String, String) {
    let example = kit_test::binaries().join("examples/bundle");
    host.outcome(&format!(
        "jq --arg script '{script}' '.process.args=[\"sh\",\"-c\",$script] | {jq}' base.json >b/config.json &&
         timeout 60 {} b case </dev/null",
        example.display()
    ))
}

/// What the program prints.
fn prints(host: &Host, jq: &str, script: &str) -> String {
    let (code, out, said) = run(host, jq, script);
    assert_eq!((code, said.as_str()), (0, ""), "{jq}");
    out
}

/// The error line.
fn refuses(host: &Host, jq: &str) -> String {
    let (code, out, said) = run(host, jq, "echo ran");
    assert_eq!((code, out.as_str()), (125, ""), "{jq}: {said}");
    let line = said.lines().find(|line| line.starts_with("bundle: "));
    line.unwrap_or_default().to_owned()
}
