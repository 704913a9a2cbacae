import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { CONFIG, Problem } from './command.mjs';

/** @param {string} variable @param {number} fallback */
export function portFrom(variable, fallback) {
  const given = process.env[variable];
  if (given === undefined || given === '') return fallback;
  const port = Number(given);
  if (/^\d+$/.test(given) && port >= 1 && port <= 65_535) return port;
  throw new Problem(`${variable}: ${JSON.stringify(given)} is not a port, 1 to 65535`, CONFIG);
}

/**
 * Fails unless the port is free on both loopback addresses, because a server on ::1 would receive the browser's
 * requests to `localhost`.
 * @param {string} variable @param {number} port @param {string} what @param {string} command
 */
export async function requireFree(variable, port, what, command) {
  for (const address of ['127.0.0.1', '::1']) {
    const code = await tryPort(port, address);
    if (code === undefined || code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') continue;
    const why = code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be used (${code})`;
    throw new Problem(
      `Port ${port}, for ${what}, ${why}.\n` +
        `End that program, or choose another port: ${variable}=${port + 1} ${command}`,
    );
  }
}

/** @param {number} port @param {string} address @returns {Promise<string | undefined>} the error's code */
async function tryPort(port, address) {
  const probe = createServer();
  try {
    await once(probe.listen(port, address), 'listening');
    await new Promise((resolve) => probe.close(resolve));
    return undefined;
  } catch (error) {
    return error.code;
  }
}

/**
 * Linux uses none of these ports for outgoing connections or for listeners without a fixed port. Chromium blocks port
 * 10,080, and a Redis cluster also takes the port 10,000 above its own.
 */
const [firstPort, endOfPorts] = [10_081, 20_081];

/**
 * Returns a loopback port without a listener. On Linux it is reserved until this process ends, so no other call returns
 * it, even while nothing listens there. The reservation is an abstract Unix socket whose name contains the port. The
 * tests in PHP use the same names.
 * @returns {Promise<number>}
 */
export async function freePort() {
  for (;;) {
    const port = randomInt(firstPort, endOfPorts);
    if (process.platform === 'linux' && !(await reserve(`\0php-session-chat-test-port-${port}`))) continue;
    if ((await tryPort(port, '127.0.0.1')) === undefined) return port;
  }
}

/** @param {string} name @returns {Promise<boolean>} false if the name is reserved already */
async function reserve(name) {
  try {
    await once(createServer().unref().listen(name), 'listening');
    return true;
  } catch {
    return false;
  }
}
