// Runs at the start of every traced Node: marks the calls that end processes or look at them, and the timers, with file
// and line. A mark is access(2) on a path that does not exist; see flakehunter/trace/marks.py.
'use strict';

const fs = require('fs');
const promiseTimers = require('timers/promises');
const { syncBuiltinESMExports } = require('module');
const { ChildProcess } = require('child_process');
require('./programs.cjs');

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

// Where tests begin and end (windows.py). Their hooks belong to them: body and test begin together.
function boundary(what, id, place, outcome = '') {
  try {
    access(`/.flakehunter/${what}/id=${encodeURIComponent(id)}${outcome}/${place}`);
  } catch {
    // As above.
  }
}
function begins(id, place) {
  boundary('test', id, place);
  boundary('body', id, place);
}

// A worker of vitest keeps what it runs in `current` of an object that it defines as a global, once for each file. A
// reporter hears of it later, in another process.
const defineProperty = Object.defineProperty;
function watchVitest(state) {
  let { current } = state;
  let running;
  const over = () => {
    const result = running.task.result?.state;
    const outcome = result === 'fail' ? ',outcome=failed' : result === 'pass' ? ',outcome=passed' : '';
    boundary('tested', running.id, running.place, outcome);
    running = undefined;
  };
  const moved = (task) => {
    if (running && running.task !== task) over();
    if (task?.type !== 'test' || running) return;
    const names = [];
    for (let one = task; one && one !== task.file; one = one.suite) names.unshift(one.name);
    const place = task.location ? `${encodeURI(task.file.filepath)}:${task.location.line}` : '-';
    running = { task, id: [task.file.name, ...names].join(' > '), place };
    begins(running.id, place);
  };
  defineProperty(state, 'current', {
    configurable: true,
    enumerable: true,
    get: () => current,
    set(task) {
      current = task;
      try {
        moved(task);
      } catch {
        // What vitest keeps there is its own affair, and may change.
      }
    },
  });
}
if (process.env.VITEST) {
  Object.defineProperty = function (object, key, descriptor) {
    if (key === '__vitest_worker__' && descriptor?.value) watchVitest(descriptor.value);
    return defineProperty(object, key, descriptor);
  };
}

// `node --test` runs each file in a process of its own and says so in the environment.
if (process.env.NODE_TEST_CONTEXT) {
  const { beforeEach, afterEach } = require('node:test');
  const file = require('path').relative(process.cwd(), process.argv[1] || '');
  const idOf = (context) => `${file} > ${context.fullName || context.name}`;
  beforeEach((context) => begins(idOf(context), '-'));
  afterEach((context) => {
    const outcome = context.passed === undefined ? '' : context.passed ? ',outcome=passed' : ',outcome=failed';
    boundary('tested', idOf(context), '-', outcome);
  });
}
