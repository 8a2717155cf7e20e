//! `--explain`, as a learner reads it: `rrun run` in one list although two processes do it, in English and 中文.

use kit_test::Host;

/// Columns that a line takes: the letters of these tests are ASCII, or two columns wide.
fn columns(line: &str) -> usize {
    line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

/// Number, text and time of each step.
fn steps(said: &str) -> Vec<(usize, &str)> {
    said.lines()
        .filter_map(|line| {
            let (number, text) = line.trim_start().split_once("  ")?;
            Some((number.parse().ok()?, text.trim()))
        })
        .collect()
}

#[test]
fn a_run_is_one_list_that_fits_fifty_lines_of_a_hundred_columns() {
    let host = Host::new();
    let (code, out, said) = host.outcome("rrun run --explain --rm tools id");
    assert_eq!(
        (code, out.as_str()),
        (0, "uid=0(root) gid=0(root) groups=0(root)\n"),
        "{said}"
    );
    assert!(said.lines().count() <= 50, "{said}");
    for line in said.lines() {
        assert!(columns(line) <= 100, "{line}");
    }
    let steps = steps(&said);
    let numbers: Vec<usize> = steps.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=steps.len()).collect::<Vec<_>>(), "{said}");
    let headings = said.lines().filter(|line| !line.starts_with(' '));
    let headings: Vec<&str> = headings.collect();
    let [headings @ .., total, others] = headings.as_slice() else {
        panic!("{said}");
    };
    for form in ["--dry-run", "--explain=sh", "--explain=calls"] {
        assert!(others.contains(form), "{others}");
    }
    assert_eq!(
        headings,
        [
            "the container's files",
            "the cgroup",
            "the namespaces",
            "the network",
            "inside the container: the namespaces",
            "inside the container: the image's layers",
            "inside the container: the root",
            "inside the container: who it is",
            "inside the container: the network",
            "inside the container: the root",
            "inside the container: the program",
        ]
    );
    let begin = format!("{} steps, ", steps.len());
    assert!(
        total.starts_with(&begin) && total.contains(" ms. The longest: "),
        "{total}"
    );
    let proc = "Mount /proc: ps then shows this PID namespace's processes and no others";
    let is_proc = |(_, text): &&(usize, &str)| text.starts_with(proc);
    assert_eq!(steps.iter().filter(is_proc).count(), 1, "{said}");
}

#[test]
fn the_commands_of_sh_have_short_names_for_long_paths_and_no_documents() {
    let host = Host::new();
    let (code, _, said) = host.outcome("rrun run --explain=sh --rm tools id");
    assert_eq!(code, 0, "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let id = lines[0].strip_prefix("$C = ").unwrap();
    let root = lines[1].strip_prefix("$ROOT = ").unwrap();
    let run = lines[2].strip_prefix("$RUN = ").unwrap();
    assert_eq!(root, host.root().to_str().unwrap());
    for line in &lines[3..] {
        for long in [id, root, run, "ociVersion", "localhost"] {
            assert!(!line.contains(long), "{line}");
        }
    }
    let proc = "           mount -t proc -o nosuid,noexec,nodev proc $RUN/containers/$C/root/proc";
    assert!(lines.contains(&proc), "{said}");
    assert!(
        lines
            .iter()
            .any(|line| line.ends_with(">$RUN/transient/containers/.$C.new/config.json"))
    );
}

#[test]
fn the_calls_are_those_that_were_made_in_both_processes() {
    let host = Host::new();
    let (code, _, said) = host.outcome("rrun run --explain=calls --rm tools id");
    assert_eq!(code, 0, "{said}");
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let has = |begin: &str, end: &str| {
        let found = lines
            .iter()
            .find(|line| line.starts_with(begin) && line.ends_with(end));
        found.unwrap_or_else(|| panic!("{begin}…{end}: {said}"))
    };
    // The client, the monitor, the child, and the child just before it is the program.
    has(
        "rename(\"$RUN/transient/containers/.$C.new\", ",
        "\"$RUN/transient/containers/$C\")",
    );
    let clone = has("clone3(CLONE_NEWPID|CLONE_NEWNS|", "");
    let pid = clone.rsplit(" = ").next().unwrap();
    assert!(pid.parse::<u32>().is_ok(), "{clone}");
    has(
        "netlink RTM_NEWLINK|NLM_F_EXCL|NLM_F_CREATE: creating link \"",
        "\"",
    );
    has(
        "fsmount(FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID|MOUNT_ATTR_NODEV|MOUNT_ATTR_NOEXEC",
        ")",
    );
    has("pivot_root(\".\", \".\")", "");
    has("seccomp(SECCOMP_SET_MODE_FILTER, ", " instructions})");
    has("execve(\"/usr/bin/id\", [\"id\"], ", " variables)");
}

#[test]
fn a_script_names_long_paths_once_and_does_the_same() {
    let host = Host::new();
    let script = host.ok("rrun run --dry-run --name web --rm tools id | tee script");
    let root = host.root();
    let count = script.matches(root.to_str().unwrap()).count();
    // Where it is defined, and in container.json, which is data.
    assert!(count < 4, "{count}: {script}");
    assert!(script.contains("\nexport C ROOT RUN\n"), "{script}");
    assert_eq!(
        host.ok("sh script"),
        "uid=0(root) gid=0(root) groups=0(root)\n"
    );
}

#[test]
fn a_learner_reads_chinese_where_the_locale_or_the_flag_says_so() {
    let host = Host::new();
    let run = "rrun run --explain --rm tools id";
    for command in [
        format!("LC_ALL= LANG=zh_CN.UTF-8 {run}"),
        format!("LC_ALL=C {run} --lang zh").replace("tools id --lang zh", "--lang zh tools id"),
    ] {
        let (code, _, said) = host.outcome(&command);
        assert_eq!(code, 0, "{said}");
        let steps = steps(&said);
        assert!(steps.len() > 25, "{said}");
        let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c));
        for (_, text) in steps {
            assert!(is_chinese(text), "{command}: {text}");
        }
        for line in said.lines() {
            assert!(columns(line) <= 101, "{line}");
        }
        assert!(said.contains("\n容器内：根文件系统\n"), "{said}");
    }
    // LC_ALL has the last word; a script's comments are in the language too.
    let said = host.outcome(&format!("LC_ALL=C LANG=zh_CN.UTF-8 {run}")).2;
    assert!(said.starts_with("the container's files\n"), "{said}");
    let script = host.ok("LC_ALL=zh_CN.UTF-8 rrun create --dry-run tools");
    assert!(script.contains("# 1/5 用临时名新建容器的目录"), "{script}");
}

#[test]
fn a_failure_ends_the_list_with_its_cause_and_with_what_was_undone() {
    let host = Host::new();
    let (code, _, said) = host.outcome("rrun run --explain --name web tools no-such-program");
    assert_eq!(code, 127, "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let failed = lines
        .iter()
        .position(|line| line.contains("become the program: no-such-program"))
        .unwrap();
    assert!(
        lines[failed + 1].starts_with("       executing \"no-such-program\": "),
        "{said}"
    );
    assert!(
        lines.contains(&"and this was undone, the last first"),
        "{said}"
    );
    let at = |begin: &str| {
        let found = lines
            .iter()
            .position(|line| line.trim_start().starts_with(begin));
        found.unwrap_or_else(|| panic!("{begin}: {said}"))
    };
    // The lease was taken after the clone, and the cgroup made before it.
    let order = [
        at("Remove file $RUN/networks/"),
        at("Kill the process: "),
        at("Remove cgroup "),
    ];
    assert!(order.is_sorted() && order[0] > failed, "{said}");
    let last: Vec<&str> = lines
        .iter()
        .filter(|line| line.starts_with("rrun: "))
        .copied()
        .collect();
    assert_eq!(last.len(), 1, "{said}");
    host.ok("rrun rm web");
}

/// The child went on meanwhile, and is not told of.
#[test]
fn a_failure_outside_is_the_last_step_of_the_list() {
    let host = Host::new();
    host.ok("rrun run -d --name web -p 127.0.0.1:18472:80 tools sleep 1000");
    let (code, _, said) = host.outcome("rrun run --explain --rm -p 127.0.0.1:18472:80 tools id");
    assert_eq!(code, 125, "{said}");
    let undone = "and this was undone, the last first";
    let (list, undone) = said.split_once(undone).unwrap();
    let (before, last) = list.trim_end().rsplit_once("\n     ").unwrap();
    assert!(last.trim_start().starts_with("hint: "), "{last}");
    let numbers = steps(before).len();
    assert!(
        before.contains(&format!("\n{numbers:>3}  Take port ")),
        "{said}"
    );
    assert!(
        !undone.contains(" = ") && list.contains("\n$C = "),
        "{said}"
    );
    host.ok("rrun rm -f web");
}

/// Notes, limits and what rmi and gc say: no English words are left in a line.
#[test]
fn notes_and_limits_are_chinese_too() {
    let host = Host::new();
    let run = "rrun create --explain --lang zh --name web -m 64m tools id; rrun rm web";
    host.ok(run);
    let (_, _, said) = host.outcome("rrun run --explain --lang zh --rm --net none -m 64m tools id");
    assert!(said.contains("64 MiB，内存"), "{said}");
    let (_, _, said) = host.outcome("rrun run --explain --lang en --rm --net none -m 64m tools id");
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("(64 MiB): beyond it"), "{said}");
    let (_, _, said) = host.outcome("runpack gc --explain --lang zh");
    assert!(said.contains("（以摘要命名的文件） (一个也没有)"), "{said}");
    host.ok("runpack tag tools t1");
    let (_, _, said) = host.outcome("rrun rmi --explain --lang zh t1");
    assert!(said.contains("从索引中取出：名字 t1:latest"), "{said}");
}

/// What was typed, on one line, and no other command.
#[test]
fn a_script_shows_the_command_as_it_was_typed() {
    let host = Host::new();
    let script = host.ok("rrun run --dry-run --rm --net none -m 64m tools sh -c 'echo a; echo \"$0\"' 'b\nc' | tee script");
    let line =
        "# rrun run --dry-run --rm --net none -m 64m tools sh -c 'echo a; echo \"$0\"' $'b\\nc'";
    assert_eq!(script.lines().nth(1), Some(line));
    assert_eq!(host.ok("sh script"), "a\nb\nc\n");
    let script = host.ok("rbridge add --dry-run --addr 10.98.7.1/24 'brzz'");
    assert_eq!(
        script.lines().nth(1),
        Some("# rbridge add --dry-run --addr 10.98.7.1/24 brzz")
    );
}

/// `-d`: it prints the ID, and the container goes on.
#[test]
fn the_script_of_a_run_in_the_background_ends_and_its_container_does_not() {
    let host = Host::new();
    // A number that no other test's program has: it is looked for on the whole machine.
    let sleep = format!("sleep 9{:07}", std::process::id());
    let id = host.ok(&format!("rrun run -d --rm --dry-run --net none -h behind tools sh -c 'hostname 2>/dev/null; {sleep}' | sh"));
    assert_eq!(id.trim().len(), 64, "{id}");
    let pid = host.until(&format!("pgrep -f '^{sleep}$'"));
    let pid = pid.trim();
    assert_eq!(
        host.ok(&format!("nsenter -u -t {pid} uname -n")),
        "behind\n"
    );
    // With its program all goes.
    host.ok(&format!("kill -KILL {pid}"));
    host.until(&format!("[ ! -e root/containers/{} ]", id.trim()));
    // So is `start`, which prints the name.
    host.ok(&format!(
        "rrun create --name later --net none tools sh -c '{sleep}'"
    ));
    assert_eq!(host.ok("rrun start --dry-run later | sh"), "later\n");
    let pid = host.until(&format!("pgrep -f '^{sleep}$'"));
    host.ok(&format!("kill -KILL {pid}"));
}

#[test]
fn colours_are_a_terminals_alone_and_no_color_is_honoured() {
    let host = Host::new();
    let told = |variables: &str| {
        let run = "rrun create --explain --name one tools true; rrun rm one";
        host.ok(&format!(
            "TERM=xterm {variables} script -qec '{run}' /dev/null"
        ))
    };
    assert!(told("").contains("\u{1b}[1mthe container's files\u{1b}[0m"));
    assert!(!told("NO_COLOR=1").contains('\u{1b}'));
    assert!(!told("TERM=dumb").contains('\u{1b}'));
}

#[test]
fn a_word_that_explain_does_not_know_is_told() {
    let host = Host::bare();
    let (code, _, said) = host.outcome("rnetns add --explain=all blue");
    assert_eq!(code, 2);
    assert!(said.contains("one of sh and calls, or nothing"), "{said}");
}
