// flawed: check-before-exit
// why: the pid in the file is a grandchild's, which the helper does not wait for
#[tokio::test]
async fn a_late_build_is_ended_with_its_group() {
    let mut build = Command::new("/bin/sh")
        .arg("-c")
        .arg("sleep 60 & echo $! > pid; wait")
        .process_group(0)
        .spawn()
        .unwrap();
    let pid = wait_for_pid("pid").await;
    terminate_build(&mut build).await;
    let answer = unsafe { libc::kill(pid, 0) };
    assert_ne!(answer, 0, "it outlived its group");
}
