import type { Client } from '../client.ts';
import { plain } from '../command-line.ts';
import { Values } from '../values.ts';
import { type Commands, openSession, Refused } from './command.ts';

/** The value of a key that exists; null if PHP does not convert it to a string. */
function existing(client: Client, key: string): string | null {
  const value = client.session?.values.get(client.encoding.decode(key));
  if (value === undefined) throw new Refused('Key does not exist');
  return value;
}

/** The commands that read and change the values of the open session. */
export const valueCommands: Commands = {
  get: {
    failure: 'Key does not exist',
    session: 'open',
    run(client, { first }) {
      const value = existing(client, first);
      if (value === null) throw new Refused('Value is not a string');
      try {
        // PHP's session handler keeps everything under the empty key.
        return first === '' ? client.encodeSessionData(value) : client.encode(value);
      } catch (error) {
        throw new Refused('Value cannot be sent', { cause: error });
      }
    },
  },
  exists: {
    failure: 'Key does not exist',
    run(client, { first }) {
      existing(client, first);
      return undefined;
    },
  },
  put: {
    failure: 'Could not store value',
    session: 'write',
    run(client, { first, second = '' }) {
      const { values } = openSession(client);
      const key = client.encoding.decode(first);
      const value = client.encoding.decode(second);
      const { size } = client.services.sessions.limits;
      const before = values.get(key)?.length ?? 0;
      if (values.size + key.length + value.length - before > size) throw new Refused();
      if (!values.put(key, value)) throw new Refused();
      return undefined;
    },
  },
  remove: {
    failure: 'Key does not exist',
    run(client, { first }) {
      existing(client, first);
      const session = openSession(client);
      if (!session.writable || !session.values.remove(client.encoding.decode(first))) {
        throw new Refused('Could not remove value');
      }
      return undefined;
    },
  },
  keys: {
    failure: 'Could not retrieve keys.',
    run(client) {
      const keys = client.session?.values.keys ?? [];
      // As in the old protocol, a bar in a key is sent as it is, unless the encoding is percent.
      return keys.map((key) => client.encode(key)).join('|');
    },
  },
  get_all: {
    failure: 'Could not get session data.',
    session: 'open',
    run(client) {
      return client.encodeSerialized(openSession(client).values.toString());
    },
  },
  put_all: {
    failure: 'Could not store session data.',
    session: 'write',
    run(client, { first, second }) {
      const session = openSession(client);
      const sent = second === undefined ? first : `${first} ${second}`;
      const text = client.encoding.decode(sent);
      // The plain encoding loses blanks before the value; in percent they are written as %20.
      const data = client.encoding === plain ? text.trimStart() : text;
      if (data.length > client.services.sessions.limits.size) throw new Refused();
      session.values = Values.parse(data);
      return undefined;
    },
  },
};
