import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface CodeIgniterSite {
  folder: string;
  /** Writes its configuration, with another name of the session cookie. */
  write(cookieName: string): void;
  remove(): void;
}

/** The folder of a CodeIgniter with sessions of its own in files. */
export function codeIgniterSite(cookieName: string): CodeIgniterSite {
  const folder = mkdtempSync(join(tmpdir(), 'codeigniter-'));
  mkdirSync(join(folder, 'app/Config'), { recursive: true });
  mkdirSync(join(folder, 'writable/session'), { recursive: true });
  writeFileSync(join(folder, 'spark'), '');
  const write = (name: string) =>
    writeFileSync(
      join(folder, 'app/Config/Session.php'),
      `<?php namespace Config; class Session extends BaseConfig { public string $driver = FileHandler::class; public string $cookieName = '${name}'; public string $savePath = WRITEPATH . 'session'; }`,
    );
  write(cookieName);
  return { folder, write, remove: () => rmSync(folder, { recursive: true }) };
}
