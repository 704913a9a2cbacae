import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem, runCommand, USAGE } from './command.mjs';
import { installNpmPackages, root, runtime } from './npm-packages.mjs';
import { prepareNpm } from './prepare.mjs';
import { run } from './processes.mjs';
import { readReport } from './test-report.mjs';
import { checkSteps, soakSteps, testSteps } from './test-steps.mjs';

/** Everything that CI runs. It continues after a failing step, so that one run shows everything that is wrong. */
async function test() {
  const args = process.argv.slice(2);
  const unknown = args.filter((arg) => !['--check', '--soak'].includes(arg));
  if (unknown.length > 0)
    throw new Problem(`npm test: unknown: ${unknown.join(' ')} (known: --check, --soak)`, USAGE);
  const check = args.includes('--check');
  const soak = args.includes('--soak');
  const complete = check ? await installNpmPackages() : (await prepareNpm(soak ? 'soak' : 'test')).complete;

  const reports = mkdtempSync(join(tmpdir(), 'php-session-chat-'));
  process.on('exit', () => rmSync(reports, { recursive: true, force: true }));
  if (!soak) useMemory();
  const results = [];
  const stepsOf = check ? checkSteps : soak ? soakSteps : testSteps;
  for (const [first, ...others] of stepsOf(reports)) {
    console.log(`\n=== ${[first, ...others].map(({ name }) => name).join(', ')}`);
    const ready = async (/** @type {import('./test-steps.mjs').Step} */ { npmOnly }) => npmOnly || complete;
    const [shown, ...unseen] = await Promise.all([
      ready(first).then(() => runStep(first, 'inherit')),
      ...others.map(async (step) => {
        await ready(step);
        return runUnseen(step, join(reports, step.name));
      }),
    ]);
    const row = [shown];
    for (const { output, result } of unseen) {
      console.log(`\n=== ${result.name} (ran in parallel)\n${output}`);
      row.push(result);
    }
    // The soak run looks for rare failures, so it repeats nothing.
    if (soak || check) results.push(...row);
    else for (const [n, step] of [first, ...others].entries()) results.push(await runAgain(step, row[n]));
  }
  return summarize(results);
}

/**
 * Lets the tests put their files into memory, where there is a folder for it with enough room: a run creates and deletes
 * some hundred thousand, and on a disk that is a fifth of the CPU and most of the waiting. The soak run uses the disk.
 */
function useMemory() {
  const memory = '/dev/shm';
  const mounted = existsSync('/proc/mounts') ? readFileSync('/proc/mounts', 'utf8') : '';
  const options = new RegExp(`^\\S+ ${memory} tmpfs (\\S+)`, 'm').exec(mounted)?.[1];
  if (options === undefined || options.split(',').includes('noexec')) return;
  const { bavail, bsize } = statfsSync(memory);
  if (bavail * bsize < 4 * 2 ** 30) return;
  process.env.TMPDIR = mkdtempSync(join(memory, 'php-session-chat-'));
  // Servers run as other users.
  chmodSync(process.env.TMPDIR, 0o1777);
  process.on('exit', () => rmSync(process.env.TMPDIR, { recursive: true, force: true }));
}

/**
 * Runs the files of a step's failed tests once more, alone: of 5,000 tests with real services one may fail because a
 * machine stood still. The summary names each test that passed only the second time. If more tests failed, or something
 * that is not a test, there is a cause.
 * @param {import('./test-steps.mjs').Step} step @param {Result} result @returns {Promise<Result>}
 */
async function runAgain(step, result) {
  const { failures } = result;
  const places = [...new Set(failures.map(({ place }) => place))];
  if (step.again === undefined || failures.length === 0 || failures.length > 3) return result;
  if (!places.every((place) => /^[\w./-]+$/.test(place))) return result;
  console.log(`\n=== ${step.name} once more: ${places.join(', ')}`);
  rmSync(step.report);
  const second = await runStep({ ...step, command: step.again(places) }, 'inherit');
  // If a setup fails, its suite counts as a failed test, and the tests in it are skipped.
  const again = failures.every(({ place, test }) => {
    const suite = test === place ? `${place} ` : `${place} ${test} > `;
    return second.tests.some((one) => one === `${place} ${test}` || one.startsWith(suite));
  });
  const isExplained = result.skipped.every((place) => places.includes(place));
  if (!again || !isExplained || second.failures.length + second.skipped.length > 0) return result;
  const passed = result.passed + failures.length + result.skipped.length;
  return { ...result, passed, failures: [], skipped: [], secondTime: failures };
}

/**
 * Writes the output to a file, because the output of two parallel steps is unreadable.
 * @param {import('./test-steps.mjs').Step} step @param {string} path of the file for the output
 */
async function runUnseen(step, path) {
  const file = openSync(path, 'a');
  const result = await runStep(step, file);
  closeSync(file);
  return { result, output: readFileSync(path, 'utf8') };
}

/**
 * The results of a step's tests, by the step's name.
 * @typedef {{ name: string, secondTime: import('./test-report.mjs').Failure[] } & import('./test-report.mjs').Report}
 * Result
 * @param {import('./test-steps.mjs').Step} step @param {'inherit' | number} output a file, or our own output
 * @returns {Promise<Result>}
 */
async function runStep(step, output) {
  const { env } = runtime();
  const start = performance.now();
  const ok = await run('sh', ['-c', step.command], {
    cwd: root,
    env: { ...env, ...step.env },
    stdio: ['ignore', output, output],
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const written = step.report !== undefined && existsSync(step.report);
  const report = readReport(written ? readFileSync(step.report, 'utf8') : '');
  const { failures } = report;
  // A failure without a failed test (types, a crash, a missing report) counts as one.
  const complete = step.report === undefined || report.passed + report.skipped.length + failures.length > 0;
  if ((!ok || !complete) && failures.length + report.skipped.length === 0) {
    failures.push({ place: '', test: step.name, message: 'no single test failed: see what it printed' });
  }
  console.log(
    `=== ${step.name}: ${failures.length + report.skipped.length === 0 ? 'ok' : 'FAILED'} in ${seconds} s`,
  );
  return { name: step.name, secondTime: [], ...report };
}

/**
 * Prints the failures at the very end, where people look after a long run.
 * @param {Result[]} results @returns {number} the exit code
 */
function summarize(results) {
  const passed = results.reduce((total, step) => total + step.passed, 0);
  const skipped = results.reduce((total, step) => total + step.skipped.length, 0);
  const failures = results.flatMap((step) => step.failures);
  const secondTime = results.flatMap((step) => step.secondTime);
  const bad = results
    .filter((step) => step.failures.length + step.skipped.length > 0)
    .map(({ name }) => name);
  print('PASSED THE SECOND TIME ONLY', secondTime);
  print('FAILED', failures);
  console.log(bad.length === 0 ? '\nall steps passed' : `\nfailed: ${bad.join(', ')}`);
  if (skipped > 0) console.log(`${skipped} skipped: a skipped test counts as failed`);
  if (secondTime.length > 0) console.log(`${secondTime.length} passed the second time only: look at them`);
  console.log(`${passed} passed, ${failures.length + skipped} failed`);
  return bad.length === 0 ? 0 : 1;
}

/** @param {string} verdict @param {import('./test-report.mjs').Failure[]} failures */
function print(verdict, failures) {
  for (const { place, test, message } of failures) {
    const name = place === '' ? test : `${place} › ${test}`;
    console.log(`\n${verdict} ${name}\n${message.replace(/^/gm, '    ')}`);
  }
}

await runCommand(test);
