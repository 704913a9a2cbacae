import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem, UNAVAILABLE } from './command.mjs';
import { root } from './npm-packages.mjs';
import { accepts, startService } from './service.mjs';

const installed = '/usr/lib/postgresql';
const user = 'chat';

/**
 * Starts a separate PostgreSQL with the data of `dataFolder`. It listens only on a socket in a subfolder of `folder`,
 * which other accounts cannot enter.
 * @param {string} folder
 */
export async function startPostgres(folder) {
  const owner = process.getuid?.() === 0 ? accountOf('postgres') : undefined; // PostgreSQL does not run as root
  const sockets = join(folder, 'postgres');
  mkdirSync(sockets, { mode: 0o700 });
  if (owner !== undefined) {
    chownSync(folder, owner.uid, owner.gid);
    chownSync(sockets, owner.uid, owner.gid);
  }
  const data = dataFolder(owner);
  if (!existsSync(join(data, 'PG_VERSION'))) {
    const made = spawnSync(
      program('initdb', data),
      ['-D', data, '-U', user, '-E', 'UTF8', '--locale=C', '--auth-local=trust', '--auth-host=reject'],
      { cwd: data, encoding: 'utf8', ...owner },
    );
    if (made.status !== 0) throw new Problem(`initdb could not create ${data}:\n\n${made.stderr}`);
  }
  const settings = ['listen_addresses=', `unix_socket_directories=${sockets}`, 'shared_buffers=16MB'];
  const args = ['-D', data, ...settings.flatMap((one) => ['-c', one])];
  const service = startService('PostgreSQL', program('postgres', data), args, process.env, owner);
  const socket = join(sockets, '.s.PGSQL.5432');
  await service.ready(() => accepts(socket));
  return { service, url: `postgres://${user}@/postgres?socket=${socket}` };
}

/**
 * Returns `data/postgres`, or a temporary folder if the account of PostgreSQL cannot enter the checkout.
 * @param {Account | undefined} owner
 */
function dataFolder(owner) {
  const data = join(root, 'data', 'postgres');
  mkdirSync(join(root, 'data'), { recursive: true });
  if (!existsSync(data)) mkdirSync(data, { mode: 0o700 });
  if (owner === undefined) return data;
  chownSync(data, owner.uid, owner.gid);
  if (spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', data], { cwd: '/', ...owner }).status === 0) return data;
  const temporary = mkdtempSync(join(tmpdir(), 'php-session-chat-'));
  chownSync(temporary, owner.uid, owner.gid);
  process.once('exit', () => rmSync(temporary, { recursive: true, force: true }));
  console.log(`The account postgres cannot enter ${root}, so messages are lost when the demonstration ends.`);
  return temporary;
}

/** @typedef {{ uid: number, gid: number }} Account */

/** @param {string} name @returns {Account} */
function accountOf(name) {
  const id = (flag) => Number(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout);
  const [uid, gid] = [id('-u'), id('-g')];
  if (uid > 0 && gid > 0) return { uid, gid };
  throw new Problem(`PostgreSQL does not run as root, and the account ${name} does not exist.`, UNAVAILABLE);
}

/**
 * Returns the program of the version that created the data, otherwise of the newest version.
 * @param {string} name
 * @param {string} data
 */
function program(name, data) {
  const file = join(data, 'PG_VERSION');
  const versions = readdirSync(installed).sort((a, b) => Number(b) - Number(a));
  const version = existsSync(file) ? readFileSync(file, 'utf8').trim() : versions[0];
  return join(installed, version ?? '', 'bin', name);
}
