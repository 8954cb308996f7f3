// correct
// why: the call refuses its arguments; nobody is signalled and nobody looked at
const assert = require('node:assert');

for (const value of ['SIGTERM', null]) {
  assert.throws(() => process.kill(value), { code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError' });
}
assert.throws(() => process.kill(0, 987), { code: 'EINVAL', name: 'Error' });
