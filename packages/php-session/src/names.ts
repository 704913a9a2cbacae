/** The options that describe a PHP session and its user. */
export type SessionOption =
  | 'store'
  | 'cookieName'
  | 'cookie'
  | 'charset'
  | 'userId'
  | 'userName'
  | 'userRequire'
  | 'userGroups'
  | 'userRoles'
  | 'userBanned'
  | 'userMail'
  | 'userNobody'
  | 'userTable'
  | 'admins'
  | 'moderators'
  | 'teamRoles';

/** All options, including the options for a site's folder. */
export type OptionName =
  | SessionOption
  | 'site'
  | 'siteDatabase'
  | 'siteEnv'
  | 'siteBlog'
  | 'siteAdmins'
  | 'siteModerators'
  | 'siteChecks';

/** A program's names of this package's options and commands. Messages show these names in their advice. */
export interface Names {
  option(name: OptionName): string;
  /** How to print the rights that the database user needs. */
  grants: string;
  /** The list of proxies whose `X-Forwarded-For` counts. */
  trustedProxies: string;
  /** The list of addresses of the pages, which `Credentials.isPageHost` compares. */
  pageOrigins: string;
}

const ownNames: Names = {
  option: (name) => name,
  grants: '`grants()`',
  trustedProxies: 'the trusted proxies of this server',
  pageOrigins: 'the list behind isPageHost',
};

let names = ownNames;

/** Sets names for all messages of this process, and resets all others. Call it before opening sessions. */
export function useNames(given: Partial<Names> = {}): void {
  const defined = Object.entries(given).filter(([, name]) => name !== undefined);
  names = { ...ownNames, ...Object.fromEntries(defined) };
}

export const option = (name: OptionName): string => names.option(name) ?? name;
export const grantsCommand = (): string => names.grants;
export const trustedProxies = (): string => names.trustedProxies;
export const pageOrigins = (): string => names.pageOrigins;
