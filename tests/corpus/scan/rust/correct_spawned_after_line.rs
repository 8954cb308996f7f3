// correct
// why: the child is handed on when it has printed its first line
pub fn spawned() -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mill")).stdout(Stdio::piped()).spawn().unwrap();
    thread::sleep(Duration::from_millis(10));
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    child
}
