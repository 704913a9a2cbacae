/**
 * The report of a test runner.
 * @typedef {{ passed: number, skipped: number, failures: Failure[] }} Report
 * @typedef {{ place: string, test: string, message: string }} Failure a test's file or class, its name, and the
 * beginning of its message
 */

const attribute = String.raw`[\w:]+="[^"]*"\s*`;
const testcase = new RegExp(String.raw`<testcase\s+((?:${attribute})*)(?:/>|>(.*?)</testcase>)`, 'gs');

/** @param {string} xml in JUnit's format, which Vitest, PHPUnit and Playwright write. @returns {Report} */
export function readReport(xml) {
  const report = { passed: 0, skipped: 0, failures: [] };
  for (const [, attributes, body = ''] of xml.matchAll(testcase)) {
    const { place, test } = nameOf(attributes);
    const failure = /<(?:failure|error)\b[^>]*>(.*?)<\/(?:failure|error)>/s.exec(body);
    if (failure !== null) report.failures.push({ place, test, message: beginning(failure[1]) });
    else if (/<skipped\b/.test(body)) report.skipped++;
    else report.passed++;
  }
  return report;
}

/** @param {string} attributes of a testcase */
function nameOf(attributes) {
  const [place, name] = ['classname', 'name'].map(
    (key) => new RegExp(`(?:^|\\s)${key}="([^"]*)"`).exec(attributes)?.[1] ?? '',
  );
  return { place: unescaped(place), test: unescaped(name) };
}

/** @param {string} text of a failure, with its location and details */
function beginning(text) {
  const lines = unescaped(text.replace(/<!\[CDATA\[|\]\]>/g, '')).split('\n');
  return lines
    .filter((line) => line.trim() !== '')
    .slice(0, 6)
    .join('\n');
}

/** @param {string} text */
function unescaped(text) {
  const characters = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(lt|gt|quot|apos|amp));/gi, (_, decimal, hex, name) =>
    name === undefined
      ? String.fromCodePoint(Number.parseInt(decimal ?? hex, decimal === undefined ? 16 : 10))
      : characters[name],
  );
}
