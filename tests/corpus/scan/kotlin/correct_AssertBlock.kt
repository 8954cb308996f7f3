// correct
// why: waits for the end before the second block
class KillTest {
    @Test
    fun gone() {
        val process = ProcessBuilder("sleep", "60").start()
        assertTrue { process.isAlive }
        process.destroyForcibly().waitFor()
        assertFalse { process.isAlive }
    }
}
