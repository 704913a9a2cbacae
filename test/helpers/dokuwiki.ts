import { createHash } from 'node:crypto';
import { copyFileSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, ownPort, startChild } from './child.ts';
import { reachable } from './memcached.ts';
import type { PhpSettings } from './php-request.ts';

export interface DokuWiki extends Child {
  readonly port: number;
  /** Opens the login page as a visitor. @returns the cookies that it sets */
  visit(): Promise<string>;
  /** Logs that visitor in as `ann` over HTTP, as the form does. @returns all cookies */
  login(visitor: string): Promise<string>;
  /** Logs out over HTTP, as the link does, and waits for the response. */
  logout(cookies: string): Promise<void>;
}

const code = '/usr/share/dokuwiki';
/** Debian's folder of the default configuration. */
const defaults = '/etc/dokuwiki';
const dataFolders = 'attic cache index locks log media media_attic media_meta meta pages tmp'.split(' ');

/** Starts DokuWiki from Debian on PHP's own web server, with its pages and users in a folder of this test. */
export async function startDokuWiki(phpSettings: PhpSettings): Promise<DokuWiki> {
  const folder = mkdtempSync(join(tmpdir(), 'dokuwiki-'));
  const conf = join(folder, 'conf');
  mkdirSync(conf);
  for (const name of dataFolders) mkdirSync(join(folder, 'data', name), { recursive: true });
  for (const name of readdirSync(defaults)) {
    if (lstatSync(join(defaults, name)).isFile()) copyFileSync(join(defaults, name), join(conf, name));
  }
  const password = createHash('md5').update('secret').digest('hex');
  writeFileSync(join(conf, 'local.php'), `<?php $conf['savedir'] = '${folder}/data'; $conf['useacl'] = 1;`);
  writeFileSync(join(conf, 'users.auth.php'), `ann:${password}:Ann Zoë:ann@example.org:user\n`);
  writeFileSync(join(conf, 'acl.auth.php'), '* @ALL 8\n');
  writeFileSync(join(folder, 'conf.php'), `<?php define('DOKU_CONF', '${conf}/');`);

  const port = await ownPort();
  const settings = { auto_prepend_file: join(folder, 'conf.php'), ...phpSettings };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-d', `${name}="${value}"`]);
  const child = startChild('php', [...options, '-S', `127.0.0.1:${port}`, '-t', code]);
  child.process.on('close', () => rmSync(folder, { recursive: true, force: true }));
  await reachable(port, child);

  const page = `http://127.0.0.1:${port}/doku.php`;
  return Object.assign(child, {
    port,
    async visit() {
      return cookiesAfter('', await fetch(`${page}?do=login`));
    },
    async login(visitor: string) {
      const answer = await fetch(page, {
        method: 'POST',
        redirect: 'manual',
        headers: { cookie: visitor },
        // A visitor's form has an empty token.
        body: new URLSearchParams({ do: 'login', id: 'start', u: 'ann', p: 'secret', sectok: '' }),
      });
      if (answer.status !== 302) throw new Error(`login: HTTP ${answer.status}\n${child.output()}`);
      return cookiesAfter(visitor, answer);
    },
    async logout(cookies: string) {
      const headers = { cookie: cookies };
      const text = await (await fetch(page, { headers })).text();
      const link = /do=logout&amp;sectok=(\w+)/.exec(text);
      if (link === null) throw new Error('the page has no link to log out');
      const answer = await fetch(`${page}?do=logout&sectok=${link[1]}`, { headers, redirect: 'manual' });
      if (answer.status !== 302) throw new Error(`logout: HTTP ${answer.status}`);
    },
  });
}

/** Returns the cookies that a browser would send after this response. */
function cookiesAfter(before: string, answer: Response): string {
  const set = answer.headers.getSetCookie().map((line) => line.split(';')[0] ?? '');
  const pairs = [...(before === '' ? [] : before.split('; ')), ...set].map((pair) => pair.split('=', 2));
  return Array.from(new Map(pairs as [string, string][]), (pair) => pair.join('=')).join('; ');
}
