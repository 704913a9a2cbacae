import type { Protocol } from './faulty-line.ts';

const verbs =
  /\b(?:SELECT pg_notify|LISTEN|BEGIN|START|COMMIT|ROLLBACK|SET|SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH)\b/;

/** Returns the verb and the table of a statement, or of the first of several that are sent together. */
function statementIn(call: string): string | undefined {
  const verb = verbs.exec(call);
  const table = /\bchat_[a-z_]+/.exec(call.slice(verb?.index));
  return verb === null ? undefined : [verb[0], ...(table ?? [])].join(' ');
}

const int32 = (n: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(n);
  return bytes;
};
const packet = (type: string, ...parts: (string | Buffer)[]) => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
};

/**
 * Makes the last statement of the call fail as after a serialization failure, with a full disk, or with a damaged page.
 */
function postgresRefusing(call: Buffer, nth: number): Buffer | null {
  const state = ['40001', '53100', 'XX001'][nth % 3];
  const statement = `DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '${state}'; END$$`;
  let begin = 0;
  let last: { from: number; simple: boolean } | undefined;
  for (let at = 0; at < call.length; ) {
    if (at + 5 > call.length) return null;
    const type = String.fromCharCode(call[at] as number);
    at += 1 + call.readInt32BE(at + 1);
    if (at > call.length || !'QPBDESCH'.includes(type)) return null;
    if (type !== 'Q' && type !== 'S') continue;
    last = { from: begin, simple: type === 'Q' };
    begin = at;
  }
  if (last === undefined || begin !== call.length) return null;
  const instead = last.simple
    ? packet('Q', statement, '\0')
    : Buffer.concat([
        packet('P', '\0', statement, '\0\0\0'),
        packet('B', '\0\0\0\0\0\0\0\0'),
        packet('D', 'P\0'),
        packet('E', '\0', int32(0)),
        packet('S'),
      ]);
  return Buffer.concat([call.subarray(0, last.from), instead]);
}

/** Makes the statement fail as after a deadlock, with a full disk, or with a damaged table. */
function mariadbRefusing(call: Buffer, nth: number): Buffer | null {
  // Only the first packet of COM_QUERY, COM_STMT_PREPARE or COM_STMT_EXECUTE is replaced.
  if (call[3] !== 0 || ![0x03, 0x16, 0x17].includes(call[4] as number)) return null;
  const number = [1213, 1021, 1034][nth % 3];
  const body = Buffer.from(`\x03SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = ${number}`);
  return Buffer.concat([Buffer.from([body.length, 0, 0, 0]), body]);
}

/** Replaces each command with one that Redis does not know. */
function redisRefusing(call: Buffer): Buffer | null {
  const commands = call.toString('latin1').match(/(?<=^|\n)\*\d+\r\n\$/g) ?? [];
  return commands.length === 0 ? null : Buffer.from('*1\r\n$6\r\nREFUSE\r\n'.repeat(commands.length));
}

const firstMatch = (pattern: RegExp) => (call: string) => pattern.exec(call)?.[0];

export const protocols = {
  postgres: { nameOf: statementIn, refusing: postgresRefusing },
  mariadb: { nameOf: statementIn, refusing: mariadbRefusing },
  redis: { nameOf: firstMatch(/(?<=\$\d+\r\n)[A-Za-z]+/), refusing: redisRefusing },
  memcached: { nameOf: firstMatch(/^[a-z]+/) },
  sessionServer: { nameOf: firstMatch(/^[a-z_]+/) },
} satisfies Record<string, Protocol>;
