// flawed: fixed-sleep
// why: whoever calls this goes on as if the port were free, and half a second is all that says so
fun freePort(holder: String) {
    if (holder.isNotEmpty()) {
        ProcessBuilder("kill", "-9", holder).start().waitFor()
        Thread.sleep(500)
    }
}
