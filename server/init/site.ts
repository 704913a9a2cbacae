import { statSync } from 'node:fs';
import type { FolderSettings } from 'php-sessions';
import {
  describeSite,
  examineLogins,
  type Finding,
  grants,
  type SiteDescription,
  type SiteFiles,
} from 'php-sessions/doctor';
import { type Account, asAccount, findAccount } from '../doctor/account.ts';
import { withoutRenewal } from '../program/findings.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { lineForScreen } from '../text/blank.ts';

/**
 * Reads the site in a folder.
 * @param explainForbidden returns the problem if this account may not read some of these files
 * @throws CommandProblem
 */
export async function readSite(
  settings: FolderSettings,
  explainForbidden: (files: SiteFiles) => Promise<string | null>,
): Promise<SiteDescription> {
  const site = await describeSite(settings);
  if (!('problem' in site)) return site;
  if (site.lacksRights) {
    const problem = await rightsProblem(settings);
    if (problem !== null) throw problem;
  }
  const advice = site.nearby === undefined ? '' : `\n  → ${lineForScreen(site.nearby)}: give that folder`;
  const forbidden = site.code === 'configuration' ? await explainForbidden(site.files) : null;
  throw new CommandProblem(
    site.code === 'unavailable' ? exit.unavailable : exit.configuration,
    forbidden ?? `${lineForScreen(site.problem)}${advice}`,
  );
}

/**
 * Tests the logins of a site with the rights that the server will have.
 * @throws CommandProblem if the chat could not work
 */
export async function testSite(
  { settings }: SiteDescription,
  account: Account,
  say: (finding: Finding) => void,
): Promise<void> {
  const problems: Finding[] = [];
  await asAccount(account, async () => {
    let isFirst = true;
    for await (const finding of examineLogins(settings, { withoutRenewal })) {
      // The first finding repeats the description that `init` already printed.
      if (!isFirst || finding.level !== 'ok') say(finding);
      isFirst = false;
      if (finding.level === 'problem') problems.push(finding);
    }
  });
  if (problems.length === 0) return;
  throw (
    (problems.some(({ lacksRights }) => lacksRights) ? await rightsProblem(settings) : null) ??
    new CommandProblem(
      exit.unavailable,
      'with these settings the chat would not work, so they were not written: fix the problems above, then run this again',
    )
  );
}

/** Returns the SQL for the user of CHAT_SITE_DATABASE as a problem. Null if the SQL is unknown. */
async function rightsProblem(settings: FolderSettings): Promise<CommandProblem | null> {
  const lines = await grants(settings);
  if ('problem' in lines) return null;
  const rights = lines.filter((line) => !/^(--|CREATE (USER|ROLE) )/.test(line));
  return new CommandProblem(
    exit.configuration,
    `the user of CHAT_SITE_DATABASE may not read all that the chat needs. Run this as an administrator of the database, with that user instead of “chat”:\n\n${rights.map((line) => `    ${line}`).join('\n')}`,
  );
}

/** Returns the account of PHP from the site's configuration, or the owner of the session folder unless it is root. */
export function findPhpAccount({ account, sessionFolder }: SiteDescription): string | undefined {
  if (account !== undefined || sessionFolder === undefined) return account;
  try {
    const { uid } = statSync(sessionFolder);
    return uid === 0 ? undefined : findAccount(uid)?.name;
  } catch {
    return undefined;
  }
}
