import type { SessionSettings } from 'php-sessions/doctor';
import { describeSession } from 'php-sessions/doctor';
import { howToRun } from '../command/how-to-run.ts';
import { CommandProblem, exit } from '../command/problem.ts';
import { lineForScreen } from '../wire/blank.ts';
import { type Account, asAccount } from './account.ts';
import type { Options } from './command-line.ts';
import type { Found } from './found.ts';
import type { Terminal } from './terminal.ts';

/**
 * Asks the owner of an unknown site for the cookie of a login, finds the user in its session, and offers to make that
 * user an admin.
 * @param given the settings of the environment
 */
export async function askForUser(
  { yes }: Options,
  given: Readonly<Record<string, string>>,
  found: Found,
  account: Account,
  terminal: Terminal,
): Promise<Record<string, string>> {
  const settings = found.sessions as SessionSettings;
  const missing = () =>
    new CommandProblem(
      exit.configuration,
      `it is not known where the user is in a session: ${yes ? 'run this without --yes and show' : 'show'} one login, or set CHAT_USER_ID and CHAT_USER_NAME (docs/sessions.md, "Paths")`,
    );
  if (yes) throw missing();
  const { name } = settings.cookie;
  terminal.say(`
The chat does not know this application, so it has to learn where the session holds the user.
Log in to the site with your browser, open its developer tools (F12), Application or Storage, Cookies,
and copy the value of ${name}. It is not shown here, and neither are the values of the session.
`);
  const copied = await terminal.askHidden(`? Value of the cookie ${name} (hidden): `);
  if (copied === null || copied === '') throw missing();
  const session = await asAccount(account, () => describeSession(settings, copied));
  if ('problem' in session) {
    const looked = session.isMissing
      ? ` Looked at: ${lineForScreen(found.logins)}. If phpinfo() of the site shows another session.save_path or session.name, run CHAT_SESSION_STORE=file:///PATH CHAT_SESSION_NAME=NAME ${howToRun('init')} …`
      : '';
    throw new CommandProblem(
      exit.configuration,
      `${session.problem}${session.advice ? `\n  → ${session.advice}${looked}` : ''}`,
    );
  }
  const width = Math.max(...session.keys.map(({ path }) => path.length));
  terminal.say('The keys of your session:\n');
  for (const { path, kind } of session.keys)
    terminal.say(`    ${lineForScreen(path.padEnd(width))}  ${kind}`);
  const ask = async (question: string, proposed: string) => {
    const answer = await terminal.ask(`? ${question}${proposed === '' ? '' : ` [${proposed}]`}: `);
    if (answer === null) throw missing();
    return answer === '-' ? '' : answer || proposed;
  };
  let paths = {
    id: session.ids[0] ?? '',
    name: session.names[0] ?? session.ids[0] ?? '',
    roles: session.roles[0] ?? '',
  };
  terminal.say('');
  let isRight = false;
  if (paths.id !== '') {
    terminal.say(
      `The id of the user seems to be ${paths.id}, the name ${paths.name}, the roles ${paths.roles || 'nowhere'}.`,
    );
    const answer = await terminal.ask('? Is that right? [Y/n] ');
    if (answer === null) throw missing();
    isRight = /^(y|yes|)$/i.test(answer);
  }
  if (!isRight) {
    paths = {
      id: await ask('Path to the id of the user', paths.id),
      name: await ask('Path to the name', paths.name),
      roles: await ask('Path to the roles (admin, moderator), - for none', paths.roles),
    };
  }
  const { id, roles } = paths;
  const namePath = paths.name || id;
  const user = session.userAt(id, namePath, roles);
  if ('problem' in user)
    throw new CommandProblem(exit.configuration, `by these paths nobody is logged in: ${user.problem}`);
  // The setting is a list with commas.
  const isSettled = user.roles?.includes('admin') || given.CHAT_ADMINS !== undefined || user.id.includes(',');
  const answer = isSettled
    ? null
    : await terminal.ask(
        `? Should user ${lineForScreen(user.id)}, whose cookie this is, be an admin of the chat? [y/N] `,
      );
  return {
    CHAT_USER_ID: id,
    CHAT_USER_NAME: namePath,
    ...(roles === '' ? {} : { CHAT_USER_ROLES: roles }),
    ...(/^(y|yes)$/i.test(answer ?? '') ? { CHAT_ADMINS: user.id } : {}),
  };
}
