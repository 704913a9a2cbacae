import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem, runCommand, USAGE } from './command.mjs';
import { root, runtime } from './npm-packages.mjs';
import { prepare } from './prepare.mjs';
import { run } from './processes.mjs';
import { soakSteps, testSteps } from './test-steps.mjs';

/** Everything that CI runs; goes on after a failing step, so that one run tells all there is to mend. */
async function test() {
  const args = process.argv.slice(2);
  const unknown = args.filter((arg) => arg !== '--soak');
  if (unknown.length > 0) throw new Problem(`npm test: unknown: ${unknown.join(' ')} (known: --soak)`, USAGE);
  await prepare('test');

  const reports = mkdtempSync(join(tmpdir(), 'php-session-chat-'));
  process.on('exit', () => rmSync(reports, { recursive: true, force: true }));
  const results = [];
  for (const step of args.includes('--soak') ? soakSteps(reports) : testSteps(reports)) {
    results.push(await runStep(step));
  }
  return summarize(results);
}

/** @param {import('./test-steps.mjs').Step} step */
async function runStep(step) {
  console.log(`\n=== ${step.name}`);
  const { env } = runtime();
  const start = performance.now();
  const ok = await run('sh', ['-c', step.command], {
    cwd: root,
    env: { ...env, ...step.env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const counts = { passed: 0, failed: 0, skipped: 0, ...readCounts(step) };
  // A failure that no single test stands for (types, a crash, a missing report) is one all the same.
  const complete = step.count === undefined || counts.passed + counts.failed + counts.skipped > 0;
  if ((!ok || !complete) && counts.failed + counts.skipped === 0) counts.failed = 1;
  const passed = ok && counts.failed + counts.skipped === 0;
  console.log(`=== ${step.name}: ${passed ? 'ok' : 'FAILED'} in ${seconds} s`);
  return { name: step.name, passed, counts };
}

/** @param {import('./test-steps.mjs').Step} step */
function readCounts({ report, count }) {
  if (report === undefined || count === undefined || !existsSync(report)) return undefined;
  return count(readFileSync(report, 'utf8'));
}

/** @param {Awaited<ReturnType<typeof runStep>>[]} results @returns {number} the exit code */
function summarize(results) {
  const sum = (kind) => results.reduce((total, { counts }) => total + counts[kind], 0);
  const bad = results.filter(({ passed }) => !passed).map(({ name }) => name);
  const skipped = sum('skipped');
  console.log(bad.length === 0 ? '\nall steps passed' : `\nfailed: ${bad.join(', ')}`);
  if (skipped > 0) console.log(`${skipped} skipped: a skipped test counts as failed`);
  console.log(`${sum('passed')} passed, ${sum('failed') + skipped} failed`);
  return bad.length === 0 ? 0 : 1;
}

await runCommand(test);
