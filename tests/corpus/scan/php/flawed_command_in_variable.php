<?php
// flawed: check-before-exit
// why: the command that kills stands in a variable, what pgrep prints has to be nothing
use PHPUnit\Framework\TestCase;

class StopTest extends TestCase
{
    public function testStop(): void
    {
        $pid = trim(file_get_contents('/tmp/job.pid'));
        $found = shell_exec('pgrep -f job.php');
        $this->assertNotEmpty($found);
        $command = sprintf('kill -%s %s', SIGTERM, $pid);
        exec($command);
        $found = shell_exec('pgrep -f job.php');
        $this->assertNull($found);
    }
}
