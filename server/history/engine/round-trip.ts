import { randomUUID } from 'node:crypto';
import { type DatabaseConnection, raw, type ServerDialect, SqlError, sql } from './dialect.ts';

/**
 * Texts that a wrong character set, a wrong escape character or a small packet changes. They have four-byte characters,
 * a combining sequence, C1 controls and the characters that SQL escapes. NUL is missing, because no text contains it.
 */
const samples = ['hi 😀', 'e\u0301\u200d\u0085\u009f', '\\\'"%_\n\t\\', '😀'.repeat(10_000)];

/**
 * Checks that the tables store and return texts unchanged, with a row that is rolled back. This also fails if the
 * database rejects writes.
 * @throws SqlError
 */
export async function checkRoundTrip(connection: DatabaseConnection, dialect: ServerDialect): Promise<void> {
  await connection.query(raw('BEGIN'));
  try {
    // A small table with a text of bytes and a long text.
    const rows = samples.map((text, n) => [`${randomUUID()} ${n} 😀é`, text, n]);
    await connection.query(dialect.insert('chat_vapid_keys', ['id', 'sealed', 'at'], rows));
    for (const [id, text] of rows) {
      const [row] = await connection.query(
        sql`SELECT id, sealed FROM chat_vapid_keys WHERE id = ${id as string}`,
      );
      if (row?.id === id && row?.sealed === text) continue;
      throw new SqlError(
        'refused',
        `${dialect.name}: texts come back changed, such as ${JSON.stringify(String(text).slice(0, 8))}: the tables, a trigger or a proxy in front of the database converts them to another character set`,
      );
    }
  } finally {
    await connection.query(raw('ROLLBACK')).catch(() => connection.destroy());
  }
}
