<?php
// flawed: check-before-exit
// why: proc_get_status() straight after proc_terminate() finds the child running
use PHPUnit\Framework\TestCase;

final class RunnerTest extends TestCase
{
    public function testTerminate(): void
    {
        $process = proc_open(['sleep', '30'], [], $pipes);
        proc_terminate($process);
        $status = proc_get_status($process);
        $this->assertFalse($status['running']);
    }
}
