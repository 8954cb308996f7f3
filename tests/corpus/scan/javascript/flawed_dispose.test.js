// flawed: fixed-sleep
// why: 100 ms after dispose() the pid has to be gone
import { describe, it, expect } from 'vitest';
import { setTimeout as delay } from 'node:timers/promises';
import { Session } from '../src/session.js';

describe('Session', () => {
  it('kills the shell on dispose', async () => {
    const session = await Session.start();
    const { pid } = session;
    session.dispose();
    await delay(100);
    expect(() => process.kill(pid, 0)).toThrow();
  });
});
