// flawed: survivor
// why: only the shell of a pipe is killed, the server goes on
fn serve() {
    let mut child = Command::new("sh").arg("-c").arg("node server.js 2>&1 | tee server.log").spawn().unwrap();
    wait_port(3000);
    child.kill().unwrap();
    child.wait().unwrap();
}
