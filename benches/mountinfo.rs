//! Reading the mount table of a machine with 300 containers, by criterion: a part inside a process, which no peer has.
//! Whole commands are timed by `scripts/bench`.
//!
//! `cargo bench -p rmount --bench mountinfo`.

use std::fmt::Write;
use std::hint::black_box;

use criterion::Criterion;

fn main() {
    let mut table = String::new();
    for container in 0..300 {
        let layers: Vec<String> = (0..12)
            .map(|layer| format!("/var/lib/boxkit/images/unpacked/{layer:064}"))
            .collect();
        let options = layers.join(":");
        let written = writeln!(
            table,
            "{id} 1 0:{id} / /run/boxkit/c{container}/a\\040name rw,relatime shared:{id} - overlay overlay rw,lowerdir={options}",
            id = 100 + container
        );
        written.expect("a string has room");
    }
    let table = table.as_bytes();
    assert_eq!(
        rmount::mountinfo::parse(table).map(|mounts| mounts.len()),
        Some(300)
    );
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    criterion.bench_function("mountinfo of 300 overlays", |bencher| {
        bencher.iter(|| rmount::mountinfo::parse(black_box(table)));
    });
    criterion.final_summary();
}
