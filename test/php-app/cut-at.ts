import { connect, createServer } from 'node:net';
import { onTestFinished } from 'vitest';
import { ownPort } from '../helpers/child.ts';

/**
 * Starts a proxy for a store that cuts a connection when the client sends `command`, at most `times` times.
 * @returns its port
 */
export async function cutAt(
  command: RegExp,
  target: number,
  times = Number.POSITIVE_INFINITY,
): Promise<number> {
  let left = times;
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    client.on('error', () => {}).on('close', () => upstream.destroy());
    upstream.on('error', () => {}).pipe(client);
    client.on('data', (bytes) => {
      if (left > 0 && command.test(bytes.toString('latin1'))) {
        left--;
        client.destroy();
      } else upstream.write(bytes);
    });
  });
  const port = await ownPort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return port;
}
