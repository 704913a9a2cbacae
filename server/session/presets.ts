/** Options by their names. Null: each site has its own value, which must be given. */
export type Preset = Readonly<Partial<Record<PresetOption, string | null>>>;

type PresetOption = 'cookieName' | 'userId' | 'userName' | 'userRequire' | 'userNobody';

/**
 * The cookies of known applications, and the paths to their users, in the versions of Debian 12 (Laravel 8,
 * Symfony 5.4) as they are installed. An application that keeps no name in the session has the id for it.
 */
export const presets = {
  cacti: {
    cookieName: 'Cacti',
    userId: 'sess_user_id',
    userName: 'sess_user_id',
    // The guest account that cacti.sql creates: with guest access all visitors have it.
    userNobody: '3',
  },
  dokuwiki: {
    cookieName: 'DokuWiki',
    // `DW` and the MD5 of the wiki's path and port: DOKU_COOKIE in inc/init.php. No other key begins so.
    userId: 'DW*.auth.user',
    userName: 'DW*.auth.info.name',
  },
  icingaweb2: {
    cookieName: 'Icingaweb2',
    userId: 'user.localUsername',
    userName: 'user.localUsername',
  },
  laravel: {
    cookieName: 'laravel_session',
    // The guard `web`, and the SHA-1 of Illuminate\Auth\SessionGuard: getName() there.
    userId: 'login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d',
    userName: 'login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d',
  },
  mediawiki: {
    // $wgCookiePrefix (the name of the database and the prefix of its tables), and `_session`.
    cookieName: null,
    userId: 'metadata.userId',
    userName: 'metadata.userName',
  },
  phpmyadmin: {
    cookieName: 'phpMyAdmin',
    userId: 'relation.1.user',
    userName: 'relation.1.user',
  },
  postfixadmin: {
    cookieName: 'postfixadmin_session',
    userId: 'sessid.username',
    userName: 'sessid.username',
  },
  roundcube: {
    cookieName: 'roundcube_sessid',
    userId: 'user_id',
    userName: 'username',
    // With PHP's own storage the session of the id before the login keeps the user, but not this key.
    userRequire: 'auth_secret',
  },
  shaarli: {
    cookieName: 'shaarli',
    userId: 'username',
    userName: 'username',
  },
  simplesamlphp: {
    cookieName: 'SimpleSAML',
    userId: 'SimpleSAMLphp_SESSION!.authData.default-sp.Attributes.uid.0',
    userName: 'SimpleSAMLphp_SESSION!.authData.default-sp.Attributes.displayName.0',
  },
  symfony: {
    cookieName: 'PHPSESSID',
    // The firewall `main`. Never use `_security.last_username` beside it: it is what a visitor typed.
    userId: '_sf2_attributes._security_main!.2.0.username',
    userName: '_sf2_attributes._security_main!.2.0.username',
  },
  ttrss: {
    cookieName: 'ttrss_sid',
    userId: 'uid',
    userName: 'name',
  },
} as const satisfies Record<string, Preset>;

/** @throws TypeError for an unknown name */
export function presetOf(name: string): Preset {
  if (Object.hasOwn(presets, name)) return presets[name as keyof typeof presets];
  throw new TypeError(`${JSON.stringify(name)} is not one of ${Object.keys(presets).join(', ')}`);
}
