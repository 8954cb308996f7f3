<?php
// correct
// why: the look is repeated until a deadline
final class StopTest extends \PHPUnit\Framework\TestCase
{
    private function waitUntilStopped($process): void
    {
        $deadline = microtime(true) + 10;
        while (proc_get_status($process)['running']) {
            if (microtime(true) > $deadline) {
                $this->fail('still running');
            }
            usleep(20000);
        }
    }

    public function testStop(): void
    {
        $process = proc_open(['sleep', '30'], [], $pipes);
        proc_terminate($process, SIGKILL);
        $this->waitUntilStopped($process);
        $this->assertFalse(proc_get_status($process)['running']);
    }
}
