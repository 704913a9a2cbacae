import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { notePassed, passedBefore } from '../../scripts/passed-steps.mjs';

const root = join(import.meta.dirname, '../..');

test('a step counts as passed only while the files that it made are unchanged', () => {
  const folder = mkdtempSync(join(tmpdir(), 'passed-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const made = join(folder, 'made');
  const step = { name: 'a', command: '', makes: [relative(root, made)] };
  const file = join(folder, 'result');
  expect(passedBefore(step, file)).toBeUndefined();
  writeMade('first');
  notePassed(step, file, 7);
  expect(passedBefore(step, file)).toBe(7);
  writeMade('other');
  expect(passedBefore(step, file)).toBeUndefined();
  writeMade('first');
  expect(passedBefore(step, file)).toBe(7);
  rmSync(made, { recursive: true });
  expect(passedBefore(step, file)).toBeUndefined();

  function writeMade(text: string): void {
    mkdirSync(made, { recursive: true });
    writeFileSync(join(made, 'jar'), text);
  }
});
