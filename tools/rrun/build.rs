//! The functions that a start executes are put side by side in an optimised program: see `scripts/order`.

fn main() {
    println!("cargo::rerun-if-changed=order.ld");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // A linker of another system does not know the script's language.
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-Wl,--script={here}/order.ld");
    }
}
