import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './npm-packages.mjs';
import { countPhpUnit, countPlaywright, countVitest } from './test-counts.mjs';

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} command as typed in the project's folder with the npm packages' programs in PATH
 * @property {NodeJS.ProcessEnv} [env]
 * @property {(report: string) => import('./test-counts.mjs').Counts} [count] reads the step's report
 * @property {string} [report] the file that the command writes its report to
 */

/**
 * What CI runs, in order. One after the other: on two cores, side by side, tests that measure time or memory would
 * measure each other. Those of the integration do not, and wait more than they work.
 * @param {string} reports the folder for the reports
 * @returns {Step[]}
 */
export function testSteps(reports) {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const junit = join(reports, 'phpunit.xml');
  const e2e = join(reports, 'e2e.json');
  const strict = '--fail-on-skipped --fail-on-incomplete --fail-on-risky --fail-on-warning';
  return [
    { name: 'types', command: scripts.types },
    { name: 'lint', command: scripts.lint },
    vitestStep('unit', reports),
    { name: 'build', command: scripts.build },
    vitestStep('integration', reports, '--maxWorkers=3'),
    vitestStep('guarantees', reports),
    {
      name: 'phpunit',
      command: `exec phpunit -c test/php/phpunit.xml ${strict} --log-junit ${junit}`,
      report: junit,
      count: countPhpUnit,
    },
    {
      name: 'e2e',
      command: `${scripts['test:e2e']} --reporter=list,json`,
      env: { PLAYWRIGHT_JSON_OUTPUT_FILE: e2e },
      report: e2e,
      count: countPlaywright,
    },
  ];
}

/** @param {string} reports @returns {Step[]} */
export function soakSteps(reports) {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return [{ name: 'build', command: scripts.build }, vitestStep('soak', reports)];
}

/** @param {string} project @param {string} reports @param {string[]} more @returns {Step} */
function vitestStep(project, reports, ...more) {
  const report = join(reports, `${project}.json`);
  return {
    name: project,
    command:
      `exec vitest run -c test/vitest.config.ts --project ${project} ${more.join(' ')} ` +
      `--reporter=default --reporter=json --outputFile.json=${report}`,
    report,
    count: countVitest,
  };
}
