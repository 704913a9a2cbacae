import type { UserPaths } from '../identity.ts';
import { type Path, pathText } from '../path.ts';
import { type Finding, wrong } from './finding.ts';

/** Symfony's, under the key `_security.last_username`. */
const typedByVisitors = /(^|\.)last_username$/;

/** Whether a path leads to what a visitor typed into the login form, with any password. */
export const leadsToTyped = (path: Path): boolean => typedByVisitors.test(String(path.at(-1)));

/** The paths to a user that lead there. */
export function typedPaths({ id, name }: UserPaths): Finding[] {
  return Object.entries({ CHAT_USER_ID: id, CHAT_USER_NAME: name }).flatMap(([setting, path]) =>
    leadsToTyped(path)
      ? wrong(
          `${setting}=${pathText(path)} is whatever a visitor typed into the login form, with any password.`,
          'Never use it: anybody could be anyone. See docs/sessions.md, "Known applications", symfony.',
        )
      : [],
  );
}
