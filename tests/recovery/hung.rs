//! A start that does not come to its end: its monitor is stopped in the middle of its steps, as one is that waits for a
//! filesystem that does not answer.

use super::{create, host, is_as, kernel_state};

/// F17b
#[test]
fn a_start_that_hangs_is_ended_by_whoever_ends_a_container() {
    for end in ["rrun rm -f box", "rrun kill box"] {
        let host = host();
        let before = kernel_state(&host);
        let id = create(&host, "sleep 1000");
        let mut client = host.command(
            "exec \"$TEST\" --exact watched --ignored --test-threads=1 --nocapture >client 2>&1",
        );
        client
            .env("TEST", std::env::current_exe().unwrap())
            // The child has been let go, and holds the root.
            .env("KILL_AT", "before 16 halts")
            .env("ID", &id)
            .env("TOTAL", host.path().join("total"));
        let mut client = client.spawn().unwrap();
        host.until("grep -q 16 total");
        host.ok(&format!("timeout 60 sh -c '{end}'"));
        client.wait().unwrap();
        host.ok("rrun rm -f -v box; rrun gc");
        is_as(&host, &before, end);
    }
}
