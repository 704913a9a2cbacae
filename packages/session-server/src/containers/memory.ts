import type { Container, ContainerOptions, Saved } from './container.ts';

/** Bytes of one entry beside its data: measured, and rounded up. */
const entryBytes = 512;

/** `memory:`: in this process only, so a restart loses everything. Holds at most the bytes that it is given. */
export function memoryContainer(_path: string, { memory }: ContainerOptions): Container {
  const sessions = new Map<string, Saved>();
  let used = 0;
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
      const after = used - sizeOf(sessions.get(id)) + sizeOf(session);
      if (after > memory)
        throw new Error(
          'a session was not saved, the memory for sessions is full: raise SESSION_SERVER_MEMORY',
        );
      used = after;
      sessions.set(id, { ...session });
    },
    async touch(id, revision, expiresAt) {
      const session = sessions.get(id);
      if (session?.revision === revision) session.expiresAt = expiresAt;
    },
    async destroy(id) {
      used -= sizeOf(sessions.get(id));
      return sessions.delete(id);
    },
    async *expire(now) {
      for (const [id, session] of sessions) if (session.expiresAt <= now) yield id;
    },
    async close() {},
  };
}
