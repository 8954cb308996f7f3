// Runs at the start of every traced Node: marks the calls that end processes or look at them, and the timers, with file
// and line. A mark is access(2) on a path that does not exist; see flakehunter/trace/marks.py.
'use strict';

const fs = require('fs');
const promiseTimers = require('timers/promises');
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

// Timers: one mark when a timer is armed, one when it fires. What the loop has heard of in between has not caused what
// comes next. A timer that is called off never fires.
let timers = 0;
function armed(delay) {
  timers += 1;
  mark('timer', `timeout=${Number(delay || 0) / 1000},id=${timers}`);
  return timers;
}
function fired(id) {
  try {
    access(`/.flakehunter/fired/id=${id}/-`);
  } catch {
    // As above.
  }
}
function replace(object, name, make) {
  const real = object[name];
  const replaced = make(real);
  // util.promisify finds setTimeout's promise form by a getter that asks timers/promises, so it finds the one above.
  for (const key of Reflect.ownKeys(real)) {
    if (key !== 'prototype') Object.defineProperty(replaced, key, Object.getOwnPropertyDescriptor(real, key));
  }
  object[name] = replaced;
}
const withCallback = (real) =>
  function (callback, delay, ...values) {
    if (typeof callback !== 'function') return Reflect.apply(real, this, [callback, delay, ...values]);
    const id = armed(delay);
    const marking = function (...given) {
      fired(id);
      return Reflect.apply(callback, this, given);
    };
    return Reflect.apply(real, this, [marking, delay, ...values]);
  };
const withPromise = (real) =>
  function (delay, ...values) {
    const id = armed(delay);
    const promise = Reflect.apply(real, this, [delay, ...values]);
    // Registered first, so it runs before the program goes on; a timer that was called off rejects, which is no firing.
    promise.then(
      () => fired(id),
      () => {},
    );
    return promise;
  };
replace(promiseTimers, 'setTimeout', withPromise);
replace(globalThis, 'setTimeout', withCallback);
replace(require('timers'), 'setTimeout', withCallback);
syncBuiltinESMExports();
