// flawed: check-before-exit
// why: destroy() and isAlive without waiting
package com.example

import kotlin.test.Test
import kotlin.test.assertFalse

class LauncherTest {
    @Test
    fun `destroy ends the process`() {
        val process = ProcessBuilder("sleep", "60").start()
        process.destroy()
        assertFalse(process.isAlive, "process is still alive")
    }
}
