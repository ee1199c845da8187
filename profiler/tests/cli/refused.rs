//! Bench with what it cannot work on: a clear error, and nothing left behind.

use std::{fs, path::Path};

use crate::program::{Nobody, can_watch, folder, is_root, names, profiler, run, skipped};

/// A file of so many bytes.
fn file(folder: &Path, name: &str, bytes: usize) {
    fs::write(folder.join(name), vec![1; bytes]).unwrap();
}

/// Judged by what is given, before any right is needed.
#[test]
fn a_path_that_cannot_be_read_cold_is_refused() {
    let folder = folder();
    file(folder.path(), "empty", 0);
    std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
    let pipe = folder.path().join("pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    for (path, words) in [
        ("missing", &["missing", "does not exist"][..]),
        ("empty", &["empty", "something to read"]),
        (".", &["directory", "give a file"]),
        ("loop", &["loop"]),
        ("pipe", &["give a regular file"]),
        ("/dev/null", &["give a regular file"]),
        ("/proc/self/status", &["proc"]),
    ] {
        let before = names(folder.path());
        let mut command = profiler(["bench", path]);
        run(command.current_dir(&folder)).refuses(words);
        assert_eq!(names(folder.path()), before, "{path}");
    }
}

#[test]
fn a_file_in_memory_is_refused() {
    let Ok(folder) = tempfile::tempdir_in("/dev/shm") else {
        return skipped("there is no /dev/shm");
    };
    file(folder.path(), "data", 1 << 20);
    run(profiler(["bench"]).arg(folder.path().join("data"))).refuses(&["tmpfs"]);
    assert_eq!(names(folder.path()), ["data"]);
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    if !is_root() {
        return skipped("it takes root to make a file that this user may not read");
    }
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    file(folder.path(), "secret", 1 << 20);
    let secret = folder.path().join("secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let nobody = Nobody::new();
    run(nobody.profiler(["bench"]).arg(&secret)).refuses(&["secret", "user 0"]);
}

#[test]
fn a_plan_that_makes_no_sense_is_refused() {
    let folder = folder();
    file(folder.path(), "data", 64 << 10);
    for (args, words) in [
        (
            &["--block-size", "0"][..],
            &["0 bytes", "--block-size 4K"][..],
        ),
        (&["--block-size", "1M"], &["larger than the file", "65536"]),
        (&["--block-size", "8G"], &["too large"]),
        (&["--threads", "0"], &["--threads 1"]),
        (&["--threads", "100000"], &["too many", "--threads 256"]),
        (&["--reads", "0"], &["--reads 1"]),
        (&["--reads", "5000000000"], &["too many", "--reads"]),
    ] {
        let mut command = profiler(["bench", "data"]);
        run(command.args(args).current_dir(&folder)).refuses(words);
        // With a file of its own, which is then not made.
        if args[1] != "1M" {
            let mut command = profiler(["bench", "--size", "64K"]);
            run(command.args(args).current_dir(&folder)).refuses(words);
        }
    }
    let mut command = profiler(["bench", "--size", "4K", "--block-size", "1M"]);
    run(command.current_dir(&folder)).refuses(&["larger than the file"]);
    let mut command = profiler(["bench", "--size", "0"]);
    run(command.current_dir(&folder)).refuses(&["larger --size"]);
    assert_eq!(names(folder.path()), ["data"]);
}

/// Buffered scenarios take any block; direct ones what the disk takes.
#[test]
fn a_block_that_does_not_fit_the_disk_is_refused_for_direct_reads() {
    let folder = folder();
    file(folder.path(), "data", 64 << 10);
    let mut command = profiler(["bench", "data", "--block-size", "1000"]);
    command.args(["--scenario", "direct-random"]);
    let ended = run(command.current_dir(&folder));
    // Some file systems have no direct reads at all: another clear word.
    let word = if ended.err().contains("takes no O_DIRECT") {
        "another file system"
    } else {
        "--block-size 1024"
    };
    ended.refuses(&["direct-random", word]);
}

#[test]
fn a_size_that_there_is_no_room_for_is_refused() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    let dir = folder.path().to_str().unwrap();
    let ended = run(&mut profiler([
        "bench", "--size", "8000T", "--dir", dir, "--reads", "10",
    ]));
    ended.refuses(&["no space", "available", "--size"]);
    let ended = run(&mut profiler(["bench", "--dir", "/dev/shm"]));
    ended.refuses(&["/dev/shm"]);
    let ended = run(&mut profiler(["bench", "--dir", "/nowhere"]));
    ended.refuses(&["/nowhere"]);
    assert_eq!(names(folder.path()), [""; 0]);
}

/// Without rights, each command that takes them says what to type.
#[test]
fn without_root_it_says_what_to_type() {
    let nobody = Nobody::new();
    let own = std::process::id().to_string();
    for args in [
        &["bench", "--dir", "/tmp"][..],
        &["run", "--", "true"],
        &["attach", "--pid", own.as_str(), "--duration", "1ms"],
    ] {
        let ended = run(&mut nobody.profiler(args));
        ended.refuses(&["root", "sudo"]);
    }
    // And those that take none need none.
    run(&mut nobody.profiler(["schema"])).succeeds();
    let doctor = run(&mut nobody.profiler(["doctor"]));
    assert!(doctor.out().contains("sudo"), "{}", doctor.out());
}

#[test]
fn a_process_that_is_not_there_is_refused() {
    for (pid, words) in [
        ("4194305", &["no process 4194305"][..]),
        ("2147483647", &["no process"]),
    ] {
        run(&mut profiler(["attach", "--pid", pid])).refuses(words);
    }
}

#[test]
fn a_thread_is_refused_with_the_id_of_its_process() {
    let (tell, told) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        tell.send(rustix::thread::gettid()).expect("somebody asks");
        // Until the other end is gone.
        let _ = ended.recv();
    });
    let tid = told.recv().expect("it runs").as_raw_nonzero().to_string();
    let us = std::process::id().to_string();
    let refused = run(&mut profiler(["attach", "--pid", &tid]));
    drop(end);
    thread.join().expect("it ends");
    refused.refuses(&[&tid, "is a thread", &us]);
}

/// Its registers are those of no system call, and look like a read of descriptor 0.
#[test]
fn a_thread_of_the_kernel_is_refused() {
    let is_kthreadd = std::fs::read_to_string("/proc/2/comm").is_ok_and(|it| it == "kthreadd\n");
    if !is_kthreadd {
        println!("skipped: the kernel's threads are not in this process id namespace");
        return;
    }
    run(&mut profiler(["attach", "--pid", "2"])).refuses(&["kthreadd", "no system calls"]);
}
