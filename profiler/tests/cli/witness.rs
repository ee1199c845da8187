//! A live session against its own recording.

use std::fs;

use crate::program::{can_watch, folder, names, profiler, run};

/// All that a live report says is in the recording: nothing is left for the session
/// alone to know.
#[test]
fn a_replay_is_the_live_report() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    let mut command = profiler([
        "bench",
        "--size",
        "4M",
        "--reads",
        "150",
        "--json",
        "live.json",
    ]);
    command.args(["--record", "session.rec", "--slowest", "20"]);
    let shown = run(command.current_dir(&folder)).succeeds().out();
    assert_eq!(names(folder.path()), ["live.json", "session.rec"]);
    let replay = |format: &str| {
        let mut command = profiler(["report", "session.rec", "--format", format]);
        run(command.current_dir(&folder)).succeeds().out()
    };
    let live = fs::read_to_string(folder.path().join("live.json")).unwrap();
    assert_eq!(replay("json"), live);
    assert_eq!(replay("text"), shown);
    let report: serde_json::Value = serde_json::from_str(&live).unwrap();
    assert_eq!(report["scenarios"].as_array().unwrap().len(), 7);
}
