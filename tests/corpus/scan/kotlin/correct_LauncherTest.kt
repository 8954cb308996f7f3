// correct
// why: onExit().get() is waited for
package com.example

import java.util.concurrent.TimeUnit
import kotlin.test.Test
import kotlin.test.assertFalse

class LauncherOkTest {
    @Test
    fun `destroy ends the process`() {
        val process = ProcessBuilder("sleep", "60").start()
        process.destroy()
        process.onExit().get(30, TimeUnit.SECONDS)
        assertFalse(process.isAlive)
    }
}
