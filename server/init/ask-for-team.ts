import { CommandProblem, exit } from '../program/problem.ts';
import { readConfig } from '../settings/config.ts';
import type { Options } from './command-line.ts';
import type { Terminal } from './terminal.ts';

/**
 * Asks who answers questions of visitors.
 * @param hasRoles whether logins have roles of the site
 * @returns the settings, none after an empty answer
 */
export async function askForTeam(
  { yes, site }: Pick<Options, 'yes' | 'site'>,
  hasRoles: boolean,
  terminal: Terminal,
): Promise<{ CHAT_TEAM?: string }> {
  const answer = yes
    ? ''
    : await terminal.ask(
        '? Who answers questions of visitors? IDs of users, or roles such as role:moderator, separated by commas [nobody]: ',
      );
  if (!answer) return {};
  const { logins } = readConfig({ CHAT_SITE: site, CHAT_TEAM: answer });
  if (!hasRoles && 'site' in logins && logins.site.team !== undefined)
    throw new CommandProblem(
      exit.configuration,
      'the sessions have no roles of the site: name the team by IDs, role:admin or role:moderator, or set CHAT_USER_ROLES (docs/operate/questions.md)',
    );
  return { CHAT_TEAM: answer };
}
