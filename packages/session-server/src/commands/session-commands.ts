import { type Commands, openSession, Refused, sessionId } from './command.ts';

/** The commands that open, save and end a session. */
export const sessionCommands: Commands = {
  new: {
    failure: 'Could not open session.',
    async run(client) {
      client.endSession();
      client.session = await client.services.sessions.create();
      return client.session?.id;
    },
  },
  open: {
    failure: 'Could not open session.',
    async run(client, { first, second = 'rw' }) {
      const { sessions } = client.services;
      const before = client.session;
      // If this open fails, the session before it is ended anyway, so that no client writes to it by mistake.
      const own =
        before?.lock?.held === true && before.id === first && (second === 'rw' || second === 'w')
          ? before.lock
          : null;
      if (own !== null) client.session = null;
      else client.endSession();
      if (!['r', 'w', 'rw'].includes(second)) throw new Refused();
      const id = sessionId(first);
      if (own !== null) client.session = await sessions.reopen(own);
      else if (second === 'r') client.session = await sessions.openToRead(id);
      else client.session = await sessions.openToWrite(id, client.lockTimeout, client.gone);
      // The lock was granted after the connection had gone or the server had begun to stop.
      if (client.gone.aborted) client.endSession();
      if (client.session === null) throw new Refused();
      return undefined;
    },
  },
  commit: {
    failure: 'Could not commit session.',
    session: 'write',
    async run(client) {
      const session = openSession(client);
      await client.services.sessions.save(session);
      session.lock?.release();
      session.lock = null;
      return undefined;
    },
  },
  regenerate_id: {
    failure: 'Could not regenerate session id.',
    session: 'write',
    async run(client) {
      const session = openSession(client);
      await client.services.sessions.regenerate(session);
      return session.id;
    },
  },
  destroy: {
    failure: 'Could not destroy session.',
    session: 'write',
    async run(client) {
      await client.services.sessions.destroy(openSession(client));
      client.session = null;
      return undefined;
    },
  },
  close: {
    failure: 'Could not close session',
    session: 'open',
    async run(client) {
      const session = openSession(client);
      try {
        if (session.lockLost) throw new Refused();
        if (session.writable) await client.services.sessions.save(session);
      } finally {
        client.endSession();
      }
      return undefined;
    },
  },
};
