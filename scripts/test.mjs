import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem, runCommand, USAGE } from './command.mjs';
import { root, runtime } from './npm-packages.mjs';
import { prepare } from './prepare.mjs';
import { run } from './processes.mjs';
import { readReport } from './test-report.mjs';
import { soakSteps, testSteps } from './test-steps.mjs';

/** Everything that CI runs; goes on after a failing step, so that one run shows everything that is wrong. */
async function test() {
  const args = process.argv.slice(2);
  const unknown = args.filter((arg) => arg !== '--soak');
  if (unknown.length > 0) throw new Problem(`npm test: unknown: ${unknown.join(' ')} (known: --soak)`, USAGE);
  await prepare('test');

  const reports = mkdtempSync(join(tmpdir(), 'php-session-chat-'));
  process.on('exit', () => rmSync(reports, { recursive: true, force: true }));
  const results = [];
  for (const [first, ...others] of args.includes('--soak') ? soakSteps(reports) : testSteps(reports)) {
    console.log(`\n=== ${[first, ...others].map(({ name }) => name).join(', ')}`);
    const beside = others.map((step) => runUnseen(step, join(reports, step.name)));
    results.push(await runStep(first, 'inherit'));
    for (const unseen of beside) {
      const { output, result } = await unseen;
      console.log(`\n=== ${result.name}, which ran beside\n${output}`);
      results.push(result);
    }
  }
  return summarize(results);
}

/**
 * What two steps print at once nobody can read.
 * @param {import('./test-steps.mjs').Step} step @param {string} path of a file for what it prints
 */
async function runUnseen(step, path) {
  const file = openSync(path, 'a');
  const result = await runStep(step, file);
  closeSync(file);
  return { result, output: readFileSync(path, 'utf8') };
}

/** @param {import('./test-steps.mjs').Step} step @param {'inherit' | number} output a file, or where ours goes */
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
  // A failure that no single test stands for (types, a crash, a missing report) is one all the same.
  const complete = step.report === undefined || report.passed + report.skipped + failures.length > 0;
  if ((!ok || !complete) && failures.length + report.skipped === 0) {
    failures.push({ test: step.name, message: 'no single test failed: see what it printed' });
  }
  console.log(
    `=== ${step.name}: ${failures.length + report.skipped === 0 ? 'ok' : 'FAILED'} in ${seconds} s`,
  );
  return { name: step.name, ...report };
}

/**
 * Last of all what failed and how: who looks at the end of a long run is to see it there.
 * @param {Awaited<ReturnType<typeof runStep>>[]} results @returns {number} the exit code
 */
function summarize(results) {
  const passed = results.reduce((total, step) => total + step.passed, 0);
  const skipped = results.reduce((total, step) => total + step.skipped, 0);
  const failures = results.flatMap((step) => step.failures);
  const bad = results.filter((step) => step.failures.length + step.skipped > 0).map(({ name }) => name);
  for (const { test, message } of failures) {
    console.log(`\nFAILED ${test}\n${message.replace(/^/gm, '    ')}`);
  }
  console.log(bad.length === 0 ? '\nall steps passed' : `\nfailed: ${bad.join(', ')}`);
  if (skipped > 0) console.log(`${skipped} skipped: a skipped test counts as failed`);
  console.log(`${passed} passed, ${failures.length + skipped} failed`);
  return bad.length === 0 ? 0 : 1;
}

await runCommand(test);
