import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Creates the folder of a CodeIgniter that keeps its own sessions in files. */
export function codeIgniterSite(cookieName: string): { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'codeigniter-'));
  mkdirSync(join(folder, 'app/Config'), { recursive: true });
  mkdirSync(join(folder, 'writable/session'), { recursive: true });
  writeFileSync(join(folder, 'spark'), '');
  writeFileSync(
    join(folder, 'app/Config/Session.php'),
    `<?php namespace Config; class Session extends BaseConfig { public string $driver = FileHandler::class; public string $cookieName = '${cookieName}'; public string $savePath = WRITEPATH . 'session'; }`,
  );
  return { folder, remove: () => rmSync(folder, { recursive: true }) };
}
