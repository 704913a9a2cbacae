import type { Container, ContainerOptions, Saved } from './container.ts';

/** Measured overhead of an entry, rounded up. */
const entryBytes = 512;

/** `memory:` keeps sessions until the process ends. */
export function memoryContainer(_path: string, { maxMemoryBytes }: ContainerOptions): Container {
  const sessions = new Map<string, Saved>();
  let usedBytes = 0;
  const sizeOf = (session: Saved | undefined) =>
    session === undefined ? 0 : session.data.length + entryBytes;
  return {
    get count() {
      return sessions.size;
    },
    async open(id) {
      const session = sessions.get(id);
      return session === undefined ? null : { ...session };
    },
    async commit(id, session) {
      const after = usedBytes - sizeOf(sessions.get(id)) + sizeOf(session);
      if (after > maxMemoryBytes)
        throw new Error(
          'a session was not saved, because the memory for sessions is full: raise SESSION_SERVER_MEMORY',
        );
      usedBytes = after;
      sessions.set(id, { ...session });
    },
    async touch(id, revision, expiresAt) {
      const session = sessions.get(id);
      if (session?.revision === revision) session.expiresAt = expiresAt;
    },
    async destroy(id) {
      usedBytes -= sizeOf(sessions.get(id));
      return sessions.delete(id);
    },
    async *expire(now) {
      for (const [id, session] of sessions) if (session.expiresAt <= now) yield id;
    },
    async close() {},
  };
}
