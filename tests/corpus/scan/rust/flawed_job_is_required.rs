// flawed: assign-after-exit
// why: a child that has ended by now makes the start fail
use std::os::windows::io::AsRawHandle;
use std::process::Command;

fn start(path: &str, job: &Job) -> Result<std::process::Child, StartError> {
    let child = Command::new(path).spawn()?;
    job.assign_process(child.as_raw_handle() as isize)?;
    Ok(child)
}
