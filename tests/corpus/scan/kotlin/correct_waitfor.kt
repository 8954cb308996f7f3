// correct
// why: waitFor() returns after the exit
package demo

import java.util.concurrent.TimeUnit
import kotlin.test.Test
import kotlin.test.assertFalse
import kotlin.test.assertTrue

class RunnerTest {
    @Test
    fun `destroy ends the process`() {
        val process = ProcessBuilder("sleep", "30").start()
        process.destroyForcibly()
        assertTrue(process.waitFor(20, TimeUnit.SECONDS))
        assertFalse(process.isAlive)
    }
}
