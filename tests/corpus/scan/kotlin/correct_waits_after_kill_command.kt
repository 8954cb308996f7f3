// correct
// why: the function ends when the process is gone
fun freePort(holder: ProcessHandle) {
    ProcessBuilder("kill", "-9", holder.pid().toString()).start().waitFor()
    holder.onExit().get()
}
