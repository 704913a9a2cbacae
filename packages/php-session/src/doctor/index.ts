// The public interface of php-sessions/doctor. It describes sites, and explains why logins are not recognised.

export type { CookieScope } from '../logins/application.ts';
export { grants } from '../logins/grants.ts';
export { findCookieName } from './cookie.ts';
export { describeSession, type SessionDescription } from './describe-session.ts';
export {
  describeSite,
  findKind,
  type SiteDescription,
  type SiteFiles,
  type SiteProblem,
} from './describe-site.ts';
export { examineLogins, examineSettings, type LoginExamination } from './examine.ts';
export { type Finding, ok, problem, warning } from './finding.ts';
export { findWebRoot } from './web-root.ts';
