import { percent } from '../command-line.ts';
import { secondsUntilExpiry } from '../sessions.ts';
import { Values } from '../values.ts';
import {
  CommandError,
  type Commands,
  isSessionId,
  parseNumber,
  requireSession,
  requireSessionId,
} from './command.ts';

/** The abilities that `hello` lists. */
const abilities = 'auth,encoding,watch,lock_timeout,lifetime,ttl,touch,peek,php,ping,quit';

/** After this number of wrong tokens, the connection is closed. */
const maxFailedTokens = 3;

const dayMs = 86_400_000;
const tenYearsSeconds = 315_360_000;

/** Commands that HTTP_SessionServer answers with `err unknown command`. */
export const extensionCommands: Commands = {
  hello: {
    failure: 'Unknown version.',
    beforeAuth: true,
    run(client, { first, second }) {
      if (first !== '1' || (second !== undefined && second !== 'php')) throw new CommandError();
      if (second === 'php') client.helpPhp = true;
      return `1 ${abilities}`;
    },
  },
  auth: {
    failure: 'Not authorized.',
    beforeAuth: true,
    run(client, { first, second }) {
      const { isToken } = client.services;
      if (isToken === null) return undefined;
      client.isAuthorized = second === undefined && isToken(first);
      if (client.isAuthorized) return undefined;
      if (++client.failedTokens >= maxFailedTokens) client.mustClose = true;
      throw new CommandError();
    },
  },
  encoding: {
    failure: 'Unknown encoding.',
    run(client, { first }) {
      if (first !== 'percent') throw new CommandError();
      client.encoding = percent;
      return undefined;
    },
  },
  lock_timeout: {
    failure: 'Could not set timeout.',
    run(client, { first }) {
      client.lockTimeoutMs = parseNumber(first, dayMs);
      return undefined;
    },
  },
  lifetime: {
    failure: 'Could not set lifetime.',
    session: 'open',
    run(client, { first }) {
      const session = requireSession(client);
      if (first === '') return String(session.lifetimeSeconds);
      if (!session.isWritable) throw new CommandError();
      session.lifetimeSeconds = parseNumber(first, tenYearsSeconds);
      return String(session.lifetimeSeconds);
    },
  },
  ttl: {
    failure: 'Could not get session data.',
    async run(client, { first }) {
      const { sessions } = client.services;
      if (first === '') return String(await sessions.remainingSeconds(requireSession(client)));
      // Like `peek`, takes no lock and does not restart the lifetime.
      const saved = isSessionId(first) ? await sessions.read(first) : null;
      if (saved === null) throw new CommandError('No such session.');
      return String(secondsUntilExpiry(saved));
    },
  },
  touch: {
    failure: 'Could not touch session.',
    session: 'open',
    async run(client) {
      const session = requireSession(client);
      if (session.hasLostLock) throw new CommandError();
      if (!(await client.services.sessions.touch(session))) throw new CommandError('No such session.');
      return undefined;
    },
  },
  peek: {
    // Not `No such session.`, because the session may exist if the container fails.
    failure: 'Could not get session data.',
    whileSubscribed: true,
    async run(client, { first }) {
      const saved = isSessionId(first) ? await client.services.sessions.read(first) : null;
      if (saved === null) throw new CommandError('No such session.');
      return client.encodeSerialized(Values.read(saved.data).toString());
    },
  },
  watch: {
    failure: 'Could not watch session.',
    whileSubscribed: true,
    async run(client, { first }) {
      if (client.session !== null) throw new CommandError('Close the session first.');
      const id = requireSessionId(first);
      const revision = await client.subscriptions.subscribe(id, () => client.services.sessions.read(id));
      if (revision === undefined) throw new CommandError('Too many watches.');
      return revision === null ? 'gone' : `live ${revision}`;
    },
  },
  unwatch: {
    failure: 'Could not watch session.',
    whileSubscribed: true,
    run(client, { first }) {
      client.subscriptions.unsubscribe(requireSessionId(first));
      return undefined;
    },
  },
  ping: { failure: '', beforeAuth: true, whileSubscribed: true, run: () => undefined },
  quit: {
    failure: '',
    beforeAuth: true,
    whileSubscribed: true,
    run(client) {
      client.mustClose = true;
      return undefined;
    },
  },
};
