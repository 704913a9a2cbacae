import { percent } from '../command-line.ts';
import { secondsLeft } from '../sessions.ts';
import { Values } from '../values.ts';
import { type Commands, isSessionId, numberUpTo, openSession, Refused, sessionId } from './command.ts';

/** The abilities that `hello` lists. */
const abilities = 'auth,encoding,watch,lock_timeout,lifetime,ttl,touch,peek,php,ping,quit';

/** This many wrong tokens close the connection. */
const maxFailedTokens = 3;

const day = 86_400_000;
const tenYears = 315_360_000;

/** Commands that the old protocol does not have: an old server answers each with `err unknown command`. */
export const extensionCommands: Commands = {
  hello: {
    failure: 'Unknown version.',
    beforeAuth: true,
    run(client, { first, second }) {
      if (first !== '1' || (second !== undefined && second !== 'php')) throw new Refused();
      if (second === 'php') client.php = true;
      return `1 ${abilities}`;
    },
  },
  auth: {
    failure: 'Not authorized.',
    beforeAuth: true,
    run(client, { first, second }) {
      const { isToken } = client.services;
      if (isToken === null) return undefined;
      client.authorized = second === undefined && isToken(first);
      if (client.authorized) return undefined;
      if (++client.failedTokens >= maxFailedTokens) client.quit = true;
      throw new Refused();
    },
  },
  encoding: {
    failure: 'Unknown encoding.',
    run(client, { first }) {
      if (first !== 'percent') throw new Refused();
      client.encoding = percent;
      return undefined;
    },
  },
  lock_timeout: {
    failure: 'Could not set timeout.',
    run(client, { first }) {
      client.lockTimeout = numberUpTo(day, first);
      return undefined;
    },
  },
  lifetime: {
    failure: 'Could not set lifetime.',
    session: 'open',
    run(client, { first }) {
      const session = openSession(client);
      if (first === '') return String(session.lifetime);
      if (!session.writable) throw new Refused();
      session.lifetime = numberUpTo(tenYears, first);
      return String(session.lifetime);
    },
  },
  ttl: {
    failure: 'Could not get session data.',
    async run(client, { first }) {
      const { sessions } = client.services;
      if (first === '') return String(await sessions.remaining(openSession(client)));
      // Like `peek`, it takes no lock and does not restart the lifetime.
      const saved = isSessionId(first) ? await sessions.read(first) : null;
      if (saved === null) throw new Refused('No such session.');
      return String(secondsLeft(saved));
    },
  },
  touch: {
    failure: 'Could not touch session.',
    session: 'open',
    async run(client) {
      const session = openSession(client);
      if (session.lockLost) throw new Refused();
      if (!(await client.services.sessions.touch(session))) throw new Refused('No such session.');
      return undefined;
    },
  },
  peek: {
    // Differs from `No such session.`: if the container fails, the session may still exist.
    failure: 'Could not get session data.',
    whileSubscribed: true,
    async run(client, { first }) {
      const saved = isSessionId(first) ? await client.services.sessions.read(first) : null;
      if (saved === null) throw new Refused('No such session.');
      return client.encodeSerialized(Values.read(saved.data).toString());
    },
  },
  watch: {
    failure: 'Could not watch session.',
    whileSubscribed: true,
    async run(client, { first }) {
      if (client.session !== null) throw new Refused('Close the session first.');
      const id = sessionId(first);
      const revision = await client.subscriptions.subscribe(id, () => client.services.sessions.read(id));
      if (revision === undefined) throw new Refused('Too many watches.');
      return revision === null ? 'gone' : `live ${revision}`;
    },
  },
  unwatch: {
    failure: 'Could not watch session.',
    whileSubscribed: true,
    run(client, { first }) {
      client.subscriptions.unsubscribe(sessionId(first));
      return undefined;
    },
  },
  ping: { failure: '', beforeAuth: true, whileSubscribed: true, run: () => undefined },
  quit: {
    failure: '',
    beforeAuth: true,
    whileSubscribed: true,
    run(client) {
      client.quit = true;
      return undefined;
    },
  },
};
