import type { SessionApplication } from '../application.ts';
import { asText } from '../configuration/configuration.ts';

/** MediaWiki 1.35 to 1.43: includes/SetupDynamicConfig.php. */
export const mediawiki: SessionApplication = {
  kind: 'mediawiki',
  title: 'MediaWiki',
  options: {
    // $wgCookiePrefix (the name of the database and the prefix of its tables), and `_session`.
    cookieName: null,
    userId: 'metadata.userId',
    userName: 'metadata.userName',
  },

  async find(folder, given) {
    const isWiki = (await folder.has('includes/WebStart.php')) && (await folder.has('LocalSettings.php'));
    if (!isWiki) return null;
    if (given.cookieName) return { options: {} };
    const configuration = await folder.php('LocalSettings.php', {
      variables: { IP: folder.path },
      application: /\/(extensions|skins|includes)\//,
    });
    const value = (name: string) =>
      asText(configuration.variable([name], 'CHAT_SESSION_NAME, to the name of the cookie …_session')) ?? '';
    if (value('wgSessionName') !== '') return { options: { cookieName: value('wgSessionName') } };
    const parts = [value('wgDBname'), value('wgDBprefix')].filter((part) => part !== '');
    // Wikis that share their users share a name, which has rules of its own.
    const prefix = value('wgCookiePrefix') || (value('wgSharedDB') === '' ? parts.join('_') : '');
    // Where the sessions are, the cache of the wiki decides.
    return prefix === ''
      ? { options: {} }
      : { options: { cookieName: `${prefix.replace(/[=,; +."'\\[]/g, '_')}_session` } };
  },
};
