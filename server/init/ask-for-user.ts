import { CommandProblem, exit } from '../command/problem.ts';
import { describeSession } from '../doctor/describe.ts';
import { lineForScreen } from '../session/blank.ts';
import { howToRun } from '../session/how-to-run.ts';
import type { SessionSettings } from '../session/logins/php-sessions.ts';
import { type Account, asAccount } from './account.ts';
import type { Options } from './command-line.ts';
import type { Found } from './found.ts';
import type { Terminal } from './terminal.ts';

/** For a site that is not known: the owner shows one login. */
export async function askForUser(
  { yes }: Options,
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
This site is none that is known, so the chat has to learn where its users are in the session.
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
  if (paths.id !== '') {
    terminal.say(
      `The id of the user seems to be ${paths.id}, the name ${paths.name}, the roles ${paths.roles || 'nowhere'}.`,
    );
    const answer = await terminal.ask('? Is that right? [Y/n] ');
    if (answer === null) throw missing();
    if (/^(y|yes|)$/i.test(answer)) return pathSettings(paths);
  }
  paths = {
    id: await ask('Path to the id of the user', paths.id),
    name: await ask('Path to the name', paths.name),
    roles: await ask('Path to the roles (admin, moderator), - for none', paths.roles),
  };
  const problem = session.problemWith(paths.id, paths.name || paths.id);
  if (problem !== null)
    throw new CommandProblem(exit.configuration, `by these paths nobody is logged in: ${problem}`);
  return pathSettings(paths);
}

const pathSettings = ({
  id,
  name,
  roles,
}: {
  id: string;
  name: string;
  roles: string;
}): Record<string, string> => ({
  CHAT_USER_ID: id,
  CHAT_USER_NAME: name || id,
  ...(roles === '' ? {} : { CHAT_USER_ROLES: roles }),
});
