// The public interface of php-sessions/doctor: why a site's logins are not recognised, and what the site is.

export type { CookieScope, SiteDatabase, SiteDescription } from '../logins/application.ts';
export { ConfigurationError, findSite, NoSiteError, openTables, sitesNear } from '../logins/applications.ts';
export { grants } from '../logins/grants.ts';
export type { SessionSettings } from '../logins/php-sessions.ts';
export { connected, type OpenSite, pageFolders, type SitePlace } from '../logins/site.ts';
export { pathText } from '../path.ts';
export { wrongCookieName } from './cookie-name.ts';
export { type DescribedSession, describeSession } from './describe.ts';
export { cookieHeader, type Examination, examine } from './examine.ts';
export { type Finding, printable, warning, well, wrong } from './finding.ts';
export { examineSite, mailAddresses, siteCookie, unreadableAccounts } from './site.ts';
export { typedPaths } from './typed.ts';
