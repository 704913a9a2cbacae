import { randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { test } from 'vitest';
import { sessionClient } from '../helpers/session-client.ts';
import { startSessionServer } from '../helpers/session-server.ts';
import { size } from './size.ts';

const kills = size(50, 1);
const writers = 8;
/** Large enough that a write can be interrupted. */
const bytes = 100_000;

/** Each value is one repeated letter with its number, so that a torn session is detected. */
const written = (n: number) => `${n}:${String.fromCharCode(97 + (n % 26)).repeat(bytes)}`;

const containers = [
  ['file', 'sessions'],
  ['sqlite', 'sessions.db'],
] as const;
test.concurrent.for(containers.slice(0, size(2, 1)))(
  '%s: kill -9 in the middle of saving leaves the old session or the new one',
  async ([scheme, path], { expect }) => {
    const folder = mkdtempSync(join(tmpdir(), 'session-durability-'));
    const env = { SESSION_SERVER_CONTAINER: `${scheme}:${join(folder, path)}` };
    /** The last values that each writer sent, and the last that were acknowledged. */
    const asked = Array<number>(writers).fill(0);
    const kept = Array<number>(writers).fill(0);
    try {
      for (let kill = 0; kill < kills; kill++) {
        const server = await startSessionServer(env);
        const working = Array.from({ length: writers }, async (_, writer) => {
          const client = await sessionClient(server);
          for (;;) {
            const n = (asked[writer] as number) + 1;
            for (const line of [`open writer${writer}`, `put v ${written(n)}`]) {
              if ((await client.ask(line)) !== 'ok') throw new Error(`${line.slice(0, 20)} was refused`);
            }
            asked[writer] = n;
            if ((await client.ask('close')) === 'ok') kept[writer] = n;
          }
        });
        const ended = Promise.allSettled(working);
        // After each writer has saved at least once, at a random moment.
        const before = [...kept];
        await expect.poll(() => kept.every((n, i) => n > (before[i] as number))).toBe(true);
        await after(randomInt(60));
        await server.stop('SIGKILL');
        for (const result of await ended) {
          expect(String((result as PromiseRejectedResult).reason)).toMatch(/the connection has ended/);
        }

        const survivor = await startSessionServer(env);
        const client = await sessionClient(survivor);
        for (let writer = 0; writer < writers; writer++) {
          expect(await client.ask(`open writer${writer} r`)).toBe('ok');
          const value = (await client.ask('get v')).slice('ok '.length);
          const n = Number.parseInt(value, 10);
          expect(value === written(n), `writer ${writer} is torn at ${n}`).toBe(true);
          expect(n).toBeGreaterThanOrEqual(kept[writer] as number);
          expect(n).toBeLessThanOrEqual(asked[writer] as number);
          asked[writer] = n;
          kept[writer] = n;
        }
        expect(await survivor.stop()).toBe(0);
        if (scheme === 'file') {
          const files = Array.from({ length: writers }, (_, writer) => `writer${writer}.txt`);
          expect(readdirSync(join(folder, path)).sort()).toEqual(['.lock', ...files]);
        }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
