// flawed: check-before-exit
// why: kotlin.test's assertion takes the look as a block
class KillTest {
    @Test
    fun gone() {
        val process = ProcessBuilder("sleep", "60").start()
        process.destroyForcibly()
        assertFalse { process.isAlive }
    }
}
