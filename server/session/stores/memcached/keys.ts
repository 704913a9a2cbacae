import { connect } from 'node:net';
import { decodePercent } from '../../encodings.ts';
import { mostKeys, StoreError } from '../../store.ts';
import { deadline } from '../deadline.ts';

/** More than the longest line, which has a key of 250 bytes with three characters for each byte. */
const maxLineBytes = 4096;

/**
 * Some of the keys of one memcached that end so. It goes through all items, so this is for the doctor alone.
 * @throws StoreError if the server cannot list them, or has not done so in so many milliseconds
 */
export function keysEndingWith(
  { host, port }: { host: string; port: number },
  end: string,
  timeout: number,
): Promise<string[]> {
  const name = `memcached at ${host}:${port}`;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const found: string[] = [];
    const done = (error?: StoreError) => {
      answered();
      socket.destroy();
      if (error === undefined) resolve(found);
      else reject(error);
    };
    const answered = deadline(timeout, () =>
      done(new StoreError(`${name} has not listed its keys within ${timeout} ms`)),
    );
    let rest = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const [, encoded] = /^key=(\S+) /.exec(line) ?? [];
        const key = encoded === undefined ? undefined : decodePercent(Buffer.from(encoded, 'latin1'));
        if (key?.toString('latin1').endsWith(end)) found.push(key.toString('latin1'));
        if (/^END\r?$/.test(line) || found.length === mostKeys) return done();
        if (encoded === undefined) return done(new StoreError(`${name} does not list its keys`));
      }
      if (rest.length > maxLineBytes) done(new StoreError(`${name} sent something that is not a reply`));
    });
    socket.on('error', (error: NodeJS.ErrnoException) => done(StoreError.unreachable(name, error)));
    socket.on('close', () => done(new StoreError(`${name} closed the connection`)));
    socket.write('lru_crawler metadump all\r\n');
  });
}
