<?php
// flawed: check-before-exit
// why: signal() and isRunning() in the next line

use PHPUnit\Framework\TestCase;
use Symfony\Component\Process\Process;

class ProcessStopTest extends TestCase
{
    public function testSignalEndsTheProcess(): void
    {
        $process = new Process(['sleep', '60']);
        $process->start();
        $process->signal(SIGKILL);
        $this->assertFalse($process->isRunning());
    }
}
