import { CommandProblem, exit } from '../program/problem.ts';
import { readConfig } from '../settings/config.ts';
import type { Options } from './command-line.ts';
import type { Terminal } from './terminal.ts';

/**
 * Asks who answers questions of visitors, until the answer can be used.
 * @param hasRoles whether logins have roles of the site
 * @returns the settings, none after an empty answer
 * @throws CommandProblem at the end of the input, if the last answer cannot be used
 */
export async function askForTeam(
  { yes, site }: Pick<Options, 'yes' | 'site'>,
  hasRoles: boolean,
  terminal: Terminal,
): Promise<{ CHAT_TEAM?: string }> {
  let wrong: CommandProblem | undefined;
  while (!yes) {
    const answer = await terminal.ask(
      '? Who answers questions of visitors? IDs of users, or roles such as role:moderator, separated by commas [nobody]: ',
    );
    if (answer === null && wrong !== undefined) throw wrong;
    if (!answer) break;
    try {
      checkTeam({ CHAT_SITE: site, CHAT_TEAM: answer }, hasRoles);
      return { CHAT_TEAM: answer };
    } catch (error) {
      if (!(error instanceof CommandProblem)) throw error;
      wrong = error;
      terminal.problem(`✗ ${error.message}`);
    }
  }
  return {};
}

function checkTeam(given: { CHAT_SITE: string | undefined; CHAT_TEAM: string }, hasRoles: boolean): void {
  const { logins } = readConfig(given);
  if (!hasRoles && 'site' in logins && logins.site.team !== undefined)
    throw new CommandProblem(
      exit.configuration,
      'the sessions have no roles of the site: name the team by IDs, role:admin or role:moderator, or set CHAT_USER_ROLES (docs/operate/questions.md)',
    );
}
