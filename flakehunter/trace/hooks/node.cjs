// Runs at the start of every traced Node: marks the calls that end processes or look at them, and the timers, with file
// and line. A mark is access(2) on a path that does not exist; see flakehunter/trace/marks.py.
'use strict';

const fs = require('fs');
const timers = require('timers/promises');
const { syncBuiltinESMExports } = require('module');
const { ChildProcess } = require('child_process');

const access = fs.accessSync;
const FRAME = /\(?(?:file:\/\/)?(\/[^()]*?):(\d+):\d+\)?$/;
let signals = 0;

function mark(what, fields) {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 20;
  const holder = {};
  Error.captureStackTrace(holder, mark);
  const stack = String(holder.stack);
  Error.stackTraceLimit = limit;
  const own = [];
  for (const line of stack.split('\n').slice(1)) {
    const found = FRAME.exec(line.trim());
    if (!found || line.includes('node:') || found[1] === __filename || found[1].includes('/node_modules/')) continue;
    own.push(`${found[1].replaceAll('%', '%25').replaceAll('|', '%7C')}:${found[2]}`);
    if (own.length === 6) break;
  }
  if (own.length === 0) return;
  try {
    access(`/.flakehunter/${what}/${fields}/${own.join('|')}`);
  } catch {
    // There is no such file: that is how it is meant.
  }
}

function wrap(object, name, before) {
  const real = object[name];
  const wrapped = function (...values) {
    try {
      before(...values);
    } catch {
      // A mark that cannot be made must not change what the program does.
    }
    return Reflect.apply(real, this, values);
  };
  // util.promisify finds setTimeout's promise form by a symbol property.
  for (const key of Reflect.ownKeys(real)) {
    if (key !== 'prototype') Object.defineProperty(wrapped, key, Object.getOwnPropertyDescriptor(real, key));
  }
  object[name] = wrapped;
}

const signalled = (signal) => {
  if (signal !== 0) signals += 1;
  mark('kill', '');
};
const looksAtProcess = (path) => /^\/proc\/\d/.test(String(path));

wrap(process, 'kill', (_pid, signal) => signalled(signal));
wrap(ChildProcess.prototype, 'kill', (signal) => signalled(signal));
wrap(fs, 'openSync', (path, flags) => {
  if (looksAtProcess(path) || String(flags).includes('x')) mark('open', '');
});
for (const name of ['readFileSync', 'existsSync', 'statSync', 'accessSync', 'unlinkSync']) {
  wrap(fs, name, (path) => {
    if (looksAtProcess(path) || (signals > 0 && typeof path === 'string')) mark('open', '');
  });
}
const armed = (delay) => mark('timer', `timeout=${Number(delay || 0) / 1000}`);
wrap(globalThis, 'setTimeout', (_callback, delay) => armed(delay));
wrap(timers, 'setTimeout', (delay) => armed(delay));
wrap(require('timers'), 'setTimeout', (_callback, delay) => armed(delay));
syncBuiltinESMExports();
