//! What is printed: a line as soon as a row is measured, or JSON or Markdown at the end.

use std::io::Write;

use crate::args::Args;
use crate::record::{Pair, Record};

/// As println!, but a reader that has seen enough is no failure.
macro_rules! say {
    ($($words:tt)*) => {
        if writeln!(std::io::stdout(), $($words)*).is_err() {
            std::process::exit(0);
        }
    };
}

/// The plain table's heading.
pub fn head(args: &Args) {
    if args.json || args.markdown.is_some() {
        return;
    }
    say!(
        "{:42} {:6} {:5} {:>9}  {:26} {:>9}  {:>5}  {:13} rounds",
        "what",
        "on",
        "",
        "ours",
        "beside",
        "theirs",
        "ratio",
        "quartiles"
    );
}

/// One measured pair; when all is printed at the end, on stderr, since it takes minutes.
pub fn line(args: &Args, pair: &Pair) {
    let noisy = if pair.busy.is_noisy() { " *" } else { "" };
    let ours = format!("{:.2} {}", pair.ours.median, pair.unit);
    let beside = pair.beside.as_ref().map(|beside| {
        let ratio = beside.ratio;
        let quartiles = format!("{:.2} to {:.2}", ratio.q1, ratio.q3);
        format!(
            "  {:26} {:>9.2}  {:>5.2}  {quartiles:13}",
            beside.name, beside.theirs.median, ratio.median
        )
    });
    let text = format!(
        "{:42} {:6} {:5} {ours:>12}{} {}{noisy}",
        pair.what,
        pair.on,
        pair.pace,
        beside.unwrap_or_default(),
        pair.rounds
    );
    if args.json || args.markdown.is_some() {
        eprintln!("{text}");
    } else {
        say!("{text}");
    }
}

pub fn whole(args: &Args, record: &Record) {
    if args.json {
        let text = serde_json::to_string_pretty(record).expect("plain data");
        say!("{text}");
    } else if let Some(language) = &args.markdown {
        markdown(record, language == "zh");
    } else if args.from.is_some() {
        head(args);
        record.pairs.iter().for_each(|pair| line(args, pair));
    }
    if args.from.is_none() && record.pairs.iter().any(|pair| pair.busy.is_noisy()) {
        eprintln!("bench: the machine was busy: measure again when it is quiet");
    }
}

fn markdown(record: &Record, chinese: bool) {
    let machine: Vec<&str> = record
        .machine
        .iter()
        .map(|(_, value)| value.as_str())
        .collect();
    let day = record.date.get(..10).unwrap_or_default();
    if chinese {
        say!("{day}：{}\n", machine.join("，"));
        say!("| 做什么 | 在 | | 我们，毫秒 | 对照 | 对照，毫秒 | 比值 | 四分位 |");
    } else {
        say!("{day}: {}\n", machine.join(", "));
        say!("| what | on | | ours, ms | beside | theirs, ms | ratio | quartiles |");
    }
    say!("|---|---|---|---|---|---|---|---|");
    for pair in &record.pairs {
        let pace = match (chinese, pair.pace.as_str()) {
            (true, "warm") => "热",
            (true, _) => "冷",
            (false, pace) => pace,
        };
        let unit = if pair.unit == "ms" {
            ""
        } else {
            &format!(" {}", pair.unit)
        };
        let ours = format!("{:.2}{unit}", pair.ours.median);
        let (name, theirs, ratio, quartiles) = match &pair.beside {
            Some(beside) => (
                beside.name.as_str(),
                format!("{:.2}{unit}", beside.theirs.median),
                format!("{:.2}", beside.ratio.median),
                format!("{:.2} – {:.2}", beside.ratio.q1, beside.ratio.q3),
            ),
            None => ("", String::new(), String::new(), String::new()),
        };
        say!(
            "| {} | {} | {pace} | {ours} | {name} | {theirs} | {ratio} | {quartiles} |",
            pair.what,
            pair.on
        );
    }
}
