import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { openSessions } from '../../../server/session/index.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { startMariadb } from '../../helpers/mariadb.ts';
import { startTcpProxy } from '../../helpers/tcp-proxy.ts';

const db = await startMariadb();
afterAll(() => db.remove());

const at = `mysql://${db.login}@127.0.0.1:${db.port}/site`;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
/** Time enough for a machine that is busy. */
function store(options: string) {
  const opened = parseStoreUrl(`${at}?${options}&timeout=3000ms`).open();
  closing.push(() => opened.close());
  return opened;
}

describe('text in the character set of PHP’s connection', () => {
  test('UTF-8 over a connection that says so, and over one in latin1', async () => {
    await db.query(
      'CREATE TABLE texts (id VARCHAR(64), old TEXT CHARACTER SET latin1, new TEXT CHARACTER SET utf8mb4)',
    );
    const written = 'name|s:4:"Zoë";';
    execFileSync('php', [
      '-r',
      `foreach (['utf8mb4', 'latin1'] as $charset) {
        $pdo = new PDO('mysql:unix_socket=${db.folder}/socket;dbname=site;charset=' . $charset, 'root', '');
        $insert = $pdo->prepare('INSERT INTO texts VALUES (?, ?, ?)');
        $insert->execute([$charset, '${written}', '${written}']);
      }`,
    ]);
    for (const charset of ['utf8mb4', 'latin1']) {
      for (const column of ['old', 'new']) {
        const sessions = store(`table=texts&id=id&data=${column}&charset=${charset}`);
        expect(String(await sessions.get(charset))).toBe(written);
      }
    }
  });

  test('read in another one a session may be another user’s: text beyond ASCII only where it is said', async () => {
    await db.query('CREATE TABLE others (id VARCHAR(64), data TEXT CHARACTER SET utf8mb4)');
    // To PHP in latin1 this is 160 bytes, 80 of them letters; read as UTF-8 these letters alone are 160.
    const bio = 'é'.repeat(40) + '";user_id|i:1;x|s:58:"'.padEnd(80, 'z');
    execFileSync('php', [
      '-r',
      `$pdo = new PDO('mysql:unix_socket=${db.folder}/socket;dbname=site;charset=latin1', 'root', '');
      $bio = '${bio}';
      $data = 'user_id|i:7;bio|' . serialize($bio);
      $pdo->prepare('INSERT INTO others VALUES (?, ?)')->execute(['one', $data]);`,
    ]);
    const userOf = async (charset: string) => {
      const sessions = openSessions({ store: `${at}?table=others&id=id&data=data${charset}&timeout=3000ms` });
      closing.push(() => sessions.close());
      const answer = await sessions.readSession('PHPSESSID=one');
      return 'user' in answer ? answer.user.id : answer.code;
    };
    expect(await userOf('')).toBe('session_store_unavailable');
    expect(await userOf('&charset=latin1')).toBe('7');
    // Said by mistake, and what must not be taken for granted.
    expect(await userOf('&charset=utf8mb4')).toBe('1');
  });

  test('without it: ASCII, bytes, and a failure that says what to do', async () => {
    await db.query('CREATE TABLE doubts (id VARCHAR(64), text TEXT CHARACTER SET utf8mb4, bytes BLOB)');
    await db.query("INSERT INTO doubts VALUES ('plain', 'Zoe', 'Zoe'), ('named', 'Zoë', 'Zoë')");
    const text = store('table=doubts&id=id&data=text');
    const answers = await Promise.allSettled(['plain', 'named'].map((id) => text.get(id)));
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await expect(text.get('named')).rejects.toThrow(/add charset=utf8mb4 or charset=latin1/);
    expect(String(await store('table=doubts&id=id&data=text&charset=utf8mb4').get('named'))).toBe('Zoë');
    expect(String(await store('table=doubts&id=id&data=bytes').get('named'))).toBe('Zoë');
  });
});

test('a server with a limit for every SELECT: no session is left out', async () => {
  await db.query('CREATE TABLE limited (id VARCHAR(64), data BLOB)');
  await db.query("INSERT INTO limited VALUES ('a', 'A'), ('b', 'B'), ('c', 'C')");
  await db.query('SET GLOBAL sql_select_limit = 1');
  closing.push(() => db.query('SET GLOBAL sql_select_limit = DEFAULT'));
  const sessions = store('table=limited&id=id&data=data');
  const answers = await Promise.all(['a', 'b', 'c'].map((id) => sessions.get(id)));
  expect(answers.map(String)).toEqual(['A', 'B', 'C']);
});

test('an answer without rows, where there have to be some: a failure, and no missing session', async () => {
  await db.query('CREATE TABLE spoilt (id VARCHAR(64), data BLOB)');
  // The first packet of a result with three columns, and in its place one that says OK.
  const [columns, ok] = [Buffer.from('0100000103', 'hex'), Buffer.from('0700000100000002000000', 'hex')];
  const proxy = await startTcpProxy(db.port, (piece, client) =>
    client.write(piece.subarray(0, 5).equals(columns) ? ok : piece),
  );
  closing.push(() => proxy.close());
  const url = `${at.replace(`:${db.port}/`, `:${proxy.port}/`)}?table=spoilt&id=id&data=data&timeout=3000ms`;
  const sessions = parseStoreUrl(url).open();
  closing.push(() => sessions.close());
  await expect(sessions.get('one')).rejects.toThrow(/something that was not asked/);
});
