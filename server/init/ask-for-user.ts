import { describeSession, findCookieName, type SiteDescription } from 'php-sessions/doctor';
import { howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { lineForScreen } from '../text/blank.ts';
import type { Options } from './command-line.ts';
import type { Terminal } from './terminal.ts';

interface UnknownSite {
  sessions: NonNullable<SiteDescription['sessions']>;
  /** The store of the sessions, for display. */
  title: string;
  /** Whether the settings already name admins. */
  hasAdmins: boolean;
}

/**
 * Asks the owner of an unknown site for the cookie of a login, finds the user in its session, and offers to make that
 * user an admin.
 * @param asServer runs work with the rights of the server
 * @returns the settings
 */
export async function askForUser(
  { yes }: Options,
  { sessions, title, hasAdmins }: UnknownSite,
  asServer: <T>(work: () => Promise<T>) => Promise<T>,
  terminal: Terminal,
): Promise<Record<string, string>> {
  const unknownUser = () =>
    new CommandProblem(
      exit.configuration,
      `the path to the user in a session is unknown: ${yes ? 'run this without --yes and give' : 'give'} the cookie of a login, or set CHAT_USER_ID and CHAT_USER_NAME (docs/sites/php.md, "Paths")`,
    );
  if (yes) throw unknownUser();
  const name = await findCookieName(sessions);
  terminal.say(`
The chat does not know this application, so it must learn where the session contains the user.
Log in to the site with your browser, open its developer tools (F12), Application or Storage, Cookies,
and copy the value of ${name}. It is not shown here, and neither are the values of the session.
`);
  const copied = await terminal.askHidden(`? Value of the cookie ${name} (hidden): `);
  if (copied === null || copied === '') throw unknownUser();
  const session = await asServer(() => describeSession(sessions, copied));
  if ('problem' in session) {
    const place = session.isMissing
      ? ` Searched in: ${lineForScreen(title)}. If phpinfo() of the site shows another session.save_path or session.name, run CHAT_SESSION_STORE=file:///PATH CHAT_SESSION_NAME=NAME ${howToRun('init')} …`
      : '';
    throw new CommandProblem(
      exit.configuration,
      `${session.problem}${session.advice ? `\n  → ${session.advice}${place}` : ''}`,
    );
  }
  const width = Math.max(...session.keys.map(({ path }) => path.length));
  terminal.say('The keys of your session:\n');
  for (const { path, kind } of session.keys)
    terminal.say(`    ${lineForScreen(path.padEnd(width))}  ${kind}`);
  const ask = async (question: string, fallback: string) => {
    const answer = await terminal.ask(`? ${question}${fallback === '' ? '' : ` [${fallback}]`}: `);
    if (answer === null) throw unknownUser();
    return answer === '-' ? '' : answer || fallback;
  };
  const proposed = {
    id: session.ids[0] ?? '',
    name: session.names[0] ?? session.ids[0] ?? '',
    roles: session.roles[0] ?? '',
  };
  terminal.say('');
  let isRight = false;
  if (proposed.id !== '') {
    terminal.say(
      `The id of the user seems to be ${proposed.id}, the name ${proposed.name}, the roles ${proposed.roles || 'nowhere'}.`,
    );
    const answer = await terminal.ask('? Is that right? [Y/n] ');
    if (answer === null) throw unknownUser();
    isRight = /^(y|yes|)$/i.test(answer);
  }
  const paths = isRight
    ? proposed
    : {
        id: await ask('Path to the id of the user', proposed.id),
        name: await ask('Path to the name', proposed.name),
        roles: await ask('Path to the roles (admin, moderator), - for none', proposed.roles),
      };
  const { id, roles } = paths;
  const namePath = paths.name || id;
  const user = session.findUser({ id, name: namePath, roles });
  if ('problem' in user)
    throw new CommandProblem(
      exit.configuration,
      `these paths do not lead to a logged-in user: ${user.problem}`,
    );
  // CHAT_ADMINS cannot contain an ID with a comma, because commas separate its IDs.
  const isDecided = hasAdmins || user.roles?.includes('admin') || user.id.includes(',');
  const answer = isDecided
    ? null
    : await terminal.ask(
        `? Should the user ${lineForScreen(user.id)} of this cookie be an admin of the chat? [y/N] `,
      );
  return {
    CHAT_USER_ID: id,
    CHAT_USER_NAME: namePath,
    ...(roles === '' ? {} : { CHAT_USER_ROLES: roles }),
    ...(/^(y|yes)$/i.test(answer ?? '') ? { CHAT_ADMINS: user.id } : {}),
  };
}
