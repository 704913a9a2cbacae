import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Creates a folder for one test, removed after everything that the test started has stopped. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'chat-php-app-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
