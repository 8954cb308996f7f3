// A worker of a pool: names the tool that it started, and ends when it is told to. The tool ends when its input does.
import { spawn } from 'node:child_process';

const tool = spawn('cat', [], { stdio: ['pipe', 'ignore', 'inherit'] });
process.send(tool.pid);
process.on('disconnect', () => process.exit());
