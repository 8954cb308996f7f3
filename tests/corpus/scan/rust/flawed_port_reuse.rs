// flawed: resource-still-held
// why: binds the port of a killed server
use std::net::{TcpListener, TcpStream};
use std::process::Command;

#[test]
fn port_is_released() {
    let port = 45871;
    let mut server = Command::new(env!("CARGO_BIN_EXE_server")).arg(port.to_string()).spawn().unwrap();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    server.kill().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    drop(listener);
}
