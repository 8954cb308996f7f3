// flawed: resource-still-held
// why: both lists of arguments name the profile that the first browser may still hold
package download

class Browser(private val executable: String, private val profileFolder: String) {
    fun open(url: String): Process {
        val headless = mutableListOf(executable, "--headless", "--user-data-dir=${profileFolder}", url)
        var process = ProcessBuilder(headless).redirectErrorStream(true).start()
        if (finished(process)) return process
        process.destroyForcibly()
        Thread.sleep(500)
        val windowed = mutableListOf(executable, "--window-size=1,1", "--user-data-dir=${profileFolder}", url)
        process = ProcessBuilder(windowed).redirectErrorStream(true).start()
        return process
    }

    private fun finished(process: Process): Boolean = process.inputStream.bufferedReader().readLine() != null
}
