import type { SessionApplication } from '../application.ts';

export const mediawiki: SessionApplication = {
  kind: 'mediawiki',
  title: 'MediaWiki',
  options: {
    // $wgCookiePrefix (the name of the database and the prefix of its tables), and `_session`.
    cookieName: null,
    userId: 'metadata.userId',
    userName: 'metadata.userName',
  },
};
