/**
 * How many tests passed, failed and were skipped, from the reports of three test runners.
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 */

/** @param {string} report @returns {Counts} */
export function countVitest(report) {
  const result = JSON.parse(report);
  // A file that cannot even be loaded has no tests to fail.
  const broken = result.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + broken.length,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

/** @param {string} report JUnit's XML; its first testsuite element sums up all others. @returns {Counts} */
export function countPhpUnit(report) {
  const summary = /<testsuite\s[^>]*>/.exec(report)?.[0] ?? '';
  const number = (name) => Number(new RegExp(`\\s${name}="(\\d+)"`).exec(summary)?.[1] ?? 0);
  const failed = number('errors') + number('failures') + number('warnings');
  const skipped = number('skipped');
  return { passed: number('tests') - failed - skipped, failed, skipped };
}

/** @param {string} report @returns {Counts} */
export function countPlaywright(report) {
  const { stats } = JSON.parse(report);
  return {
    passed: stats.expected,
    // One that passed only at a second attempt has failed once.
    failed: stats.unexpected + stats.flaky,
    skipped: stats.skipped,
  };
}
