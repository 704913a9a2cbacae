import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { sharedSessionServer } from '../helpers/session-server-here.ts';
import { size } from './size.ts';

/** Without soak, the cases are always the same. FUZZ_SEED repeats a run. */
const cases = size(200_000, 400);
const seed = Number(process.env.FUZZ_SEED ?? size(Date.now() & 0x7fffffff, 20_240_229));
const script = fileURLToPath(new URL('../fixtures/session-references.php', import.meta.url));

const { port } = sharedSessionServer();

test(`PHP reads the other keys unchanged after a put or remove in ${cases} random sessions, seed ${seed}`, async () => {
  const { stdout } = await promisify(execFile)('php', [script, String(port()), String(cases), String(seed)]);
  const { counts, wrong } = JSON.parse(stdout) as { counts: Record<string, number>; wrong: unknown[] };
  expect(wrong).toEqual([]);
  const { skipped = 0, 'refused for nothing': forNothing = 0, ...other } = counts;
  expect(forNothing).toBe(0);
  expect(skipped).toBeLessThan(cases / 10);
  // At most a quarter of the changes are rejected, or two thirds in sessions with a `Serializable` object.
  expect(other['refused without C:']).toBeLessThan((other['done without C:'] ?? 0) / 3);
  expect(other['refused with C:']).toBeLessThan((other['done with C:'] ?? 0) * 2);
});
