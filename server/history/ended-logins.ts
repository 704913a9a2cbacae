import { raw, sql } from './engine/dialect.ts';
import { findRows, type ReadsOf } from './engine/read.ts';
import type { Nothing, Rule } from './engine/rule.ts';
import { subject } from './engine/subject.ts';
import { table } from './engine/table.ts';
import { rows } from './engine/work.ts';

/** A login by ticket that the site ended. After its last ticket expired, the next `endLogin` deletes it. */
interface StoredEndedLogin {
  /** The digest of the `sid` of its tickets. */
  id: string;
  /** When its last ticket expires, in Unix ms. */
  until: number;
}

export interface EndedLoginWrites {
  /** Ends a login, on all servers. `at`: now, in Unix ms. */
  endLogin: { in: StoredEndedLogin & { at: number }; out: Nothing };
}

export interface EndedLoginReads {
  endedLogins: { in: null; out: StoredEndedLogin[] };
}

export const endedLogins = table<StoredEndedLogin>('chat_ended_logins', ['id'], { id: 'id', until: 'until' });

const endLogin: Rule<EndedLoginWrites['endLogin']> = {
  needs: ({ id }) => [rows(endedLogins, { id })],
  run(work, { id, until, at }, changes) {
    work.find(endedLogins, { id });
    work.put(endedLogins, { id, until });
    changes.push({ type: 'login_ended', id, until });
    work.later(() => sql`DELETE FROM chat_ended_logins WHERE until < ${at}`);
    return {};
  },
};

const reads: ReadsOf<EndedLoginReads> = {
  *endedLogins() {
    return yield* findRows(endedLogins, raw('ORDER BY until'));
  },
};

export const endedLoginSubject = subject<EndedLoginWrites, EndedLoginReads>({
  tables: [endedLogins],
  rules: { endLogin },
  reads,
});
