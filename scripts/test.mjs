import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem, runCommand, USAGE } from './command.mjs';
import useMemory from './memory-folder.mjs';
import { installNpmPackages, root, runtime } from './npm-packages.mjs';
import { notePassed, passedBefore, resultFile } from './passed-steps.mjs';
import { prepareNpm } from './prepare.mjs';
import { run } from './processes.mjs';
import { readReport } from './test-report.mjs';
import { capacity, checkSteps, soakSteps, testSteps } from './test-steps.mjs';

/** Runs all steps of CI. Continues after a failed step, so that a run shows all failures. */
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
  // Chat servers examine files with this priority. Beside tests of a higher one, they would take minutes.
  setPriority(10);
  const stepsOf = check ? checkSteps : soak ? soakSteps : testSteps;
  return summarize(await runSteps(stepsOf(reports), { complete, reports, remembers: !soak && !check }));
}

/**
 * Starts each step when its needs are there and enough processes are free: first the steps that most others need, then
 * in the order of the list.
 * Prints the output of a step when it ends, because mixed output of parallel steps is unreadable.
 * @param {import('./test-steps.mjs').Step[]} steps
 * @param {{ complete: Promise<boolean> | boolean, reports: string, remembers: boolean }} options `complete`: resolves
 * when the Debian packages are installed; `remembers`: whether steps that passed are not repeated until a source changes
 * @returns {Promise<Result[]>} in the order of the list
 */
async function runSteps(steps, { complete, reports, remembers }) {
  const dependents = ({ name }) => steps.filter(({ needs = [] }) => needs.includes(name)).length;
  const waiting = new Set(steps.toSorted((a, b) => dependents(b) - dependents(a)));
  /** @type {Map<string, Result>} */
  const results = new Map();
  const passedFile = new Map(steps.map((step) => [step, remembers ? resultFile(step) : undefined]));
  for (const [step, file] of passedFile) {
    const passed = passedBefore(step, file);
    if (passed === undefined) continue;
    console.log(`=== ${step.name}: unchanged since it passed`);
    results.set(step.name, { ...nothing, name: step.name, passed });
    waiting.delete(step);
  }
  /** @type {Map<string, Promise<void>>} */
  const running = new Map();
  let free = capacity;
  const packages = Promise.resolve(complete).then(() => {
    results.set('debian', { ...nothing, name: 'debian' });
  });
  const start = async (/** @type {import('./test-steps.mjs').Step} */ step) => {
    const output = join(reports, step.name);
    console.log(`=== ${step.name} starts`);
    const result = await runStep(step, output);
    console.log(`\n=== ${step.name}\n${readFileSync(output, 'utf8')}`);
    if (!isBad(result)) notePassed(step, passedFile.get(step), result.passed);
    results.set(step.name, result);
    running.delete(step.name);
    free += step.slots ?? 1;
  };
  while (waiting.size + running.size > 0) {
    for (const step of waiting) {
      const needed = (step.needs ?? []).map((name) => results.get(name));
      const failed = needed.find((result) => result !== undefined && isBad(result));
      if (failed !== undefined) {
        const failure = {
          place: '',
          test: step.name,
          message: `not run, because ${failed.name} failed`,
        };
        results.set(step.name, { ...nothing, name: step.name, failures: [failure] });
        waiting.delete(step);
      } else if (needed.every((result) => result !== undefined) && (step.slots ?? 1) <= free) {
        free -= step.slots ?? 1;
        waiting.delete(step);
        running.set(step.name, start(step));
      }
    }
    await Promise.race([...running.values(), ...(results.has('debian') ? [] : [packages])]);
  }
  return steps.map(({ name }) => /** @type {Result} */ (results.get(name)));
}

/**
 * The results of the tests of a step.
 * @typedef {{ name: string } & import('./test-report.mjs').Report} Result
 * @param {import('./test-steps.mjs').Step} step @param {string} output the file that the output is written to
 * @returns {Promise<Result>}
 */
async function runStep(step, output) {
  const { env } = runtime();
  const file = openSync(output, 'w');
  const start = performance.now();
  const ok = await run('nice', ['-n', `${step.niceness ?? 0}`, 'sh', '-c', step.command], {
    cwd: root,
    env: { ...env, ...step.env },
    stdio: ['ignore', file, file],
  });
  closeSync(file);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const written = step.report !== undefined && existsSync(step.report);
  const report = readReport(written ? readFileSync(step.report, 'utf8') : '');
  const { failures } = report;
  // If a step fails without a failed test, the step counts as one. Examples are a type error and a crash.
  const complete = step.report === undefined || report.passed + report.skipped + failures.length > 0;
  if ((!ok || !complete) && failures.length + report.skipped === 0) {
    failures.push({ place: '', test: step.name, message: 'failed without a failed test: see its output' });
  }
  const result = { ...nothing, name: step.name, ...report };
  console.log(`=== ${step.name}: ${isBad(result) ? 'FAILED' : 'ok'} in ${seconds} s`);
  return result;
}

/** @type {Result} */
const nothing = { name: '', passed: 0, skipped: 0, failures: [] };

/** A skipped test counts as failed. @param {Result} result */
const isBad = ({ failures, skipped }) => failures.length + skipped > 0;

/**
 * Prints the failures at the end, where they are visible after a long run.
 * @param {Result[]} results @returns {number} the exit code
 */
function summarize(results) {
  const passed = results.reduce((total, step) => total + step.passed, 0);
  const skipped = results.reduce((total, step) => total + step.skipped, 0);
  const failures = results.flatMap((step) => step.failures);
  const bad = results.filter(isBad).map(({ name }) => name);
  for (const { place, test, message } of failures) {
    const name = place === '' ? test : `${place} › ${test}`;
    console.log(`\nFAILED ${name}\n${message.replace(/^/gm, '    ')}`);
  }
  console.log(bad.length === 0 ? '\nall steps passed' : `\nfailed: ${bad.join(', ')}`);
  if (skipped > 0) console.log(`${skipped} skipped, which counts as failed`);
  console.log(`${passed} passed, ${failures.length + skipped} failed`);
  return bad.length === 0 ? 0 : 1;
}

await runCommand(test);
