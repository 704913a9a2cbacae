import { CommandError, type Commands, requireSession, requireSessionId } from './command.ts';

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
      // A client that opens its own session again keeps the lock. The previous session ends even if the open fails, so that
      // the client does not write to it by mistake.
      const own =
        before?.lock?.isHeld === true && before.id === first && (second === 'rw' || second === 'w')
          ? before.lock
          : null;
      if (own !== null) client.session = null;
      else client.endSession();
      if (!['r', 'w', 'rw'].includes(second)) throw new CommandError();
      const id = requireSessionId(first);
      if (own !== null) client.session = await sessions.reopen(own);
      else if (second === 'r') client.session = await sessions.openToRead(id);
      else client.session = await sessions.openToWrite(id, client.lockTimeoutMs, client.disconnected);
      // The client may have disconnected, or the server may be stopping, before the lock was granted.
      if (client.disconnected.aborted) client.endSession();
      if (client.session === null) throw new CommandError();
      return undefined;
    },
  },
  commit: {
    failure: 'Could not commit session.',
    session: 'write',
    async run(client) {
      const session = requireSession(client);
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
      const session = requireSession(client);
      await client.services.sessions.regenerate(session);
      return session.id;
    },
  },
  destroy: {
    failure: 'Could not destroy session.',
    session: 'write',
    async run(client) {
      await client.services.sessions.destroy(requireSession(client));
      client.session = null;
      return undefined;
    },
  },
  close: {
    failure: 'Could not close session',
    session: 'open',
    async run(client) {
      const session = requireSession(client);
      try {
        if (session.hasLostLock) throw new CommandError();
        if (session.isWritable) await client.services.sessions.save(session);
      } finally {
        client.endSession();
      }
      return undefined;
    },
  },
};
