// correct
// why: what the job answers is thrown away, a child that has ended fails nothing
use std::os::windows::io::AsRawHandle;
use std::process::Command;

fn start(path: &str, job: &Job) -> std::io::Result<std::process::Child> {
    let child = Command::new(path).spawn()?;
    let _ = job.assign_process(child.as_raw_handle() as isize);
    Ok(child)
}
