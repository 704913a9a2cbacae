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

/** Returns a loopback port that was free at the time of the call. */
export async function freePort() {
  const probe = createServer();
  await once(probe.listen(0, '127.0.0.1'), 'listening');
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
