// Finds programs in PATH before Node starts them: libuv has its child try each folder by an execve(2), and strace stops
// it at all of them. statfs(2) is a call that strace does not stop at. Which program runs, under which name and with
// which error, stays as it is: what cannot be told for certain is left to the child.
'use strict';

const { accessSync, constants, statSync, statfsSync } = require('fs');
const { ChildProcess } = require('child_process');

const MISSING = new Set(['ENOENT', 'ENOTDIR']);
const runnable = new Set();

function canRun(path) {
  if (!runnable.has(path)) {
    if (!statSync(path).isFile()) return false;
    accessSync(path, constants.X_OK);
    runnable.add(path);
  }
  return true;
}

function pathOf(file, { envPairs, uid, gid }) {
  if (typeof file !== 'string' || file === '' || file.includes('/') || uid != null || gid != null) return file;
  const path = envPairs?.find((pair) => pair.startsWith('PATH='));
  for (const folder of path?.slice(5).split(':') ?? []) {
    if (!folder.startsWith('/')) return file; // depends on where the child will be
    const there = `${folder}/${file}`;
    try {
      statfsSync(there);
    } catch (error) {
      if (MISSING.has(error.code)) continue;
      throw error;
    }
    return canRun(there) ? there : file;
  }
  return file;
}

function find(options) {
  const limit = Error.stackTraceLimit;
  Reflect.set(Error, 'stackTraceLimit', 0); // what is not there is an error, whose stack nobody reads
  try {
    return pathOf(options.file, options);
  } catch {
    return options?.file; // a file or folder that may not be read, or options that Node will refuse
  } finally {
    Reflect.set(Error, 'stackTraceLimit', limit);
  }
}

function wrap(object) {
  const real = object.spawn;
  object.spawn = function (options) {
    const file = options?.file;
    const found = find(options);
    if (found === file) return Reflect.apply(real, this, [options]);
    options.file = found;
    try {
      return Reflect.apply(real, this, [options]);
    } finally {
      options.file = file; // errors name it
      if (this instanceof ChildProcess) this.spawnfile = file;
    }
  };
}

if (typeof statfsSync === 'function') {
  wrap(ChildProcess.prototype);
  const silent = process.noDeprecation;
  process.noDeprecation = true; // of process.binding, under --pending-deprecation
  try {
    wrap(process.binding('spawn_sync'));
  } catch {
    // A Node without it starts programs as it always does.
  }
  process.noDeprecation = silent;
}
