import { raw } from './engine/dialect.ts';
import { expiryOf, type Forget, forgetting } from './engine/expired-rows.ts';
import { findRows, type ReadsOf } from './engine/read.ts';
import type { Nothing, Rule } from './engine/rule.ts';
import { subject } from './engine/subject.ts';
import { table } from './engine/table.ts';
import { rows } from './engine/work.ts';

/** A login by ticket that the site ended. */
interface StoredEndedLogin {
  /** The digest of the `sid` of its tickets. */
  id: string;
  /** When its last ticket expires, in Unix ms. */
  until: number;
}

export interface EndedLoginWrites {
  /** Ends a login, on all servers. */
  endLogin: { in: StoredEndedLogin; out: Nothing };
  /** Deletes logins whose last ticket expired before this time. */
  forgetEndedLogins: Forget;
}

export interface EndedLoginReads {
  endedLogins: { in: null; out: StoredEndedLogin[] };
}

export const endedLogins = table<StoredEndedLogin>('chat_ended_logins', ['id'], { id: 'id', until: 'until' });

const endLogin: Rule<EndedLoginWrites['endLogin']> = {
  needs: ({ id }) => [rows(endedLogins, { id })],
  run(work, { id, until }, changes) {
    work.find(endedLogins, { id });
    work.put(endedLogins, { id, until });
    changes.push({ type: 'login_ended', id, until });
    return {};
  },
};

const forgetEndedLogins = forgetting(expiryOf(endedLogins, 'until'));

const reads: ReadsOf<EndedLoginReads> = {
  *endedLogins() {
    return yield* findRows(endedLogins, raw('ORDER BY until'));
  },
};

export const endedLoginSubject = subject<EndedLoginWrites, EndedLoginReads>({
  tables: [endedLogins],
  rules: { endLogin, forgetEndedLogins },
  reads,
});
