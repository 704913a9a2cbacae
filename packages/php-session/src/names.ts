/** The options that describe a PHP session and its user. */
export type SessionOption =
  | 'store'
  | 'cookieName'
  | 'cookie'
  | 'charset'
  | 'userId'
  | 'userName'
  | 'userRequire'
  | 'userRooms'
  | 'userRoles'
  | 'userBanned'
  | 'userMail'
  | 'userNobody'
  | 'userTable'
  | 'admins'
  | 'moderators';

/** All options, with those of a site's folder. */
export type OptionName =
  | SessionOption
  | 'site'
  | 'siteDatabase'
  | 'siteEnv'
  | 'siteBlog'
  | 'siteAdmins'
  | 'siteModerators'
  | 'siteChecks';

/** What a program calls this package's options and commands. Messages tell its users what to change in these words. */
export interface Names {
  option(name: OptionName): string;
  /** How to print the rights that the database user needs. */
  grants: string;
}

let names: Names = { option: (name) => name, grants: '`grants()`' };

/** Sets the names for all messages of this process. Call it before opening sessions. */
export function useNames(own: Names): void {
  names = own;
}

export const option = (name: OptionName): string => names.option(name);
export const grantsCommand = (): string => names.grants;
