// flawed: check-before-exit
// why: isAlive straight after destroyForcibly()
package demo

import kotlin.test.Test
import kotlin.test.assertFalse

class RunnerTest {
    @Test
    fun `destroy ends the process`() {
        val process = ProcessBuilder("sleep", "30").start()
        process.destroyForcibly()
        assertFalse(process.isAlive)
    }
}
