import type { Client } from '../client.ts';
import { plain } from '../command-line.ts';
import { Values } from '../values.ts';
import { CommandError, type Commands, requireSession } from './command.ts';

/**
 * Returns a value as a string.
 * @returns null if PHP does not convert the value to a string
 * @throws CommandError if the key does not exist
 */
function requireValue(client: Client, key: string): string | null {
  const value = client.session?.values.get(client.encoding.decode(key));
  if (value === undefined) throw new CommandError('Key does not exist');
  return value;
}

export const valueCommands: Commands = {
  get: {
    failure: 'Key does not exist',
    session: 'open',
    run(client, { first }) {
      const value = requireValue(client, first);
      if (value === null) throw new CommandError('Value is not a string');
      try {
        // PHP's session handler stores all data under the empty key.
        return first === '' ? client.encodeSessionData(value) : client.encode(value);
      } catch (error) {
        throw new CommandError('Value cannot be sent', { cause: error });
      }
    },
  },
  exists: {
    failure: 'Key does not exist',
    run(client, { first }) {
      requireValue(client, first);
      return undefined;
    },
  },
  put: {
    failure: 'Could not store value',
    session: 'write',
    run(client, { first, second = '' }) {
      const { values } = requireSession(client);
      const key = client.encoding.decode(first);
      const value = client.encoding.decode(second);
      const { maxSessionBytes } = client.services.sessions.limits;
      const before = values.get(key)?.length ?? 0;
      if (values.size + key.length + value.length - before > maxSessionBytes) throw new CommandError();
      if (!values.put(key, value)) throw new CommandError();
      return undefined;
    },
  },
  remove: {
    failure: 'Key does not exist',
    run(client, { first }) {
      requireValue(client, first);
      const session = requireSession(client);
      if (!session.isWritable || !session.values.remove(client.encoding.decode(first))) {
        throw new CommandError('Could not remove value');
      }
      return undefined;
    },
  },
  keys: {
    failure: 'Could not retrieve keys.',
    run(client) {
      const keys = client.session?.values.keys ?? [];
      // In the plain encoding, a bar in a key is sent unencoded, as in the old protocol.
      return keys.map((key) => client.encode(key)).join('|');
    },
  },
  get_all: {
    failure: 'Could not get session data.',
    session: 'open',
    run(client) {
      return client.encodeSerialized(requireSession(client).values.toString());
    },
  },
  put_all: {
    failure: 'Could not store session data.',
    session: 'write',
    run(client, { first, second }) {
      const session = requireSession(client);
      const encoded = second === undefined ? first : `${first} ${second}`;
      const text = client.encoding.decode(encoded);
      // The plain encoding loses blanks before the value. Percent writes them as %20.
      const data = client.encoding === plain ? text.trimStart() : text;
      if (data.length > client.services.sessions.limits.maxSessionBytes) throw new CommandError();
      session.values = Values.parse(data);
      return undefined;
    },
  },
};
