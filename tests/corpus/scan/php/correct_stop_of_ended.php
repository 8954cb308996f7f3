<?php
// correct
// why: the process was waited for before it is stopped once more

use PHPUnit\Framework\TestCase;

final class StopTest extends TestCase
{
    public function testStopOfOneThatHasEnded(): void
    {
        $runner = new Runner();
        $process = $runner->start(['true']);
        $process->wait();
        $runner->terminate($process);
        $this->assertFalse($process->isRunning());
    }
}
