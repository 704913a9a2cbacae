import { StoreError } from '../../store.ts';
import type { SessionServer } from './address.ts';

/**
 * What a reply says, null being one that was too long; undefined when it is no reply to that question.
 * @throws an error that concerns this question only
 */
export type ReadReply<T> = (line: Buffer | null) => T | undefined;

/** What the errors of a session server mean to whoever runs the site. Others are not told: they could hold anything. */
const refusals: Record<string, string> = {
  'err Not authorized.': 'wants a token: auth_file= names the file that holds it',
  'err unknown command': 'is one of old: the chat reads from the session server of this project only',
  'err Too many connections.': 'has no room for more connections',
  'err Out of memory.': 'has no memory left for this connection',
};

/**
 * The first commands of a connection, and how their replies are read.
 * @param then the last of them, which is answered with `ok` alone
 */
export function greeting(
  { token, name }: SessionServer,
  then: string,
): { command: string; read: ReadReply<true> }[] {
  const read: ReadReply<true> = (line) => {
    const reply = line?.toString('latin1');
    if (reply === 'ok') return true;
    const meaning = reply === undefined ? undefined : refusals[reply];
    if (meaning !== undefined) throw new StoreError(`${name} ${meaning}`);
    return undefined;
  };
  const last = { command: then, read };
  if (token === undefined) return [last];
  const readAuth: ReadReply<true> = (line) => {
    if (line?.toString('latin1') === 'err Not authorized.')
      throw new StoreError(`${name} refuses the token of auth_file=`);
    return read(line);
  };
  return [{ command: `auth ${token}`, read: readAuth }, last];
}
