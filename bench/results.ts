/**
 * Puts a run into RESULTS.md: as the block in the section of this benchmark, in place of the one before, or in a
 * section at the end. Text that people have written there stays.
 */
export function insertRun(results: string, name: string, run: string): string {
  const block = `\`\`\`text\n${run.trimEnd()}\n\`\`\`\n`;
  const heading = `## \`npm run bench ${name}\`\n`;
  const begin = results.indexOf(heading);
  if (begin < 0) return `${results.trimEnd()}\n\n${heading}\n${block}`;
  const next = results.indexOf('\n## `npm run bench', begin);
  const end = next < 0 ? results.length : next + 1;
  const section = results.slice(begin, end);
  const old = /^```text\n[\s\S]*?^```\n/m;
  const changed = old.test(section) ? section.replace(old, () => block) : `${section.trimEnd()}\n\n${block}`;
  const rest = results.slice(end);
  return `${results.slice(0, begin)}${changed.trimEnd()}\n${rest === '' ? '' : `\n${rest}`}`;
}
