// flawed: fixed-sleep
// why: delay after stop, then isAlive
package com.example

import kotlinx.coroutines.delay
import kotlinx.coroutines.test.runTest
import kotlin.test.Test
import kotlin.test.assertFalse

class StopSleepTest {
    @Test
    fun stopEndsTheServer() = runTest {
        val manager = ServerManager()
        val process = manager.launch()
        manager.stop()
        delay(500)
        assertFalse(process.isAlive)
    }
}
