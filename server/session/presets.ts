/** Settings by their names. With null every site has its own, so that it has to be given. */
export type Preset = Readonly<Partial<Record<PresetSetting, string | null>>>;

type PresetSetting =
  | 'CHAT_SESSION_NAME'
  | 'CHAT_USER_ID'
  | 'CHAT_USER_NAME'
  | 'CHAT_USER_REQUIRE'
  | 'CHAT_USER_NOBODY';

/**
 * What known applications call their cookie, and where their user lies, in the versions of Debian 12 (Laravel 8,
 * Symfony 5.4) and as they are installed. An application that keeps no name has its id in its place.
 */
export const presets = {
  cacti: {
    CHAT_SESSION_NAME: 'Cacti',
    CHAT_USER_ID: 'sess_user_id',
    CHAT_USER_NAME: 'sess_user_id',
    // The guest account that cacti.sql makes: with guest access all visitors are that.
    CHAT_USER_NOBODY: '3',
  },
  dokuwiki: {
    CHAT_SESSION_NAME: 'DokuWiki',
    // `DW` and the MD5 of the wiki's path and port: DOKU_COOKIE in inc/init.php. It writes no other such key.
    CHAT_USER_ID: 'DW*.auth.user',
    CHAT_USER_NAME: 'DW*.auth.info.name',
  },
  icingaweb2: {
    CHAT_SESSION_NAME: 'Icingaweb2',
    CHAT_USER_ID: 'user.localUsername',
    CHAT_USER_NAME: 'user.localUsername',
  },
  laravel: {
    CHAT_SESSION_NAME: 'laravel_session',
    // The guard `web`, and the SHA-1 of Illuminate\Auth\SessionGuard: getName() there.
    CHAT_USER_ID: 'login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d',
    CHAT_USER_NAME: 'login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d',
  },
  mediawiki: {
    // $wgCookiePrefix, which is the name of the database and the prefix of its tables, and `_session`.
    CHAT_SESSION_NAME: null,
    CHAT_USER_ID: 'metadata.userId',
    CHAT_USER_NAME: 'metadata.userName',
  },
  phpmyadmin: {
    CHAT_SESSION_NAME: 'phpMyAdmin',
    CHAT_USER_ID: 'relation.1.user',
    CHAT_USER_NAME: 'relation.1.user',
  },
  postfixadmin: {
    CHAT_SESSION_NAME: 'postfixadmin_session',
    CHAT_USER_ID: 'sessid.username',
    CHAT_USER_NAME: 'sessid.username',
  },
  roundcube: {
    CHAT_SESSION_NAME: 'roundcube_sessid',
    CHAT_USER_ID: 'user_id',
    CHAT_USER_NAME: 'username',
    // With PHP's own storage the record of the id before the login keeps the user, but not this.
    CHAT_USER_REQUIRE: 'auth_secret',
  },
  shaarli: {
    CHAT_SESSION_NAME: 'shaarli',
    CHAT_USER_ID: 'username',
    CHAT_USER_NAME: 'username',
  },
  simplesamlphp: {
    CHAT_SESSION_NAME: 'SimpleSAML',
    CHAT_USER_ID: 'SimpleSAMLphp_SESSION!.authData.default-sp.Attributes.uid.0',
    CHAT_USER_NAME: 'SimpleSAMLphp_SESSION!.authData.default-sp.Attributes.displayName.0',
  },
  symfony: {
    CHAT_SESSION_NAME: 'PHPSESSID',
    // The firewall `main`. Never `_security.last_username` beside it, which is what strangers have typed.
    CHAT_USER_ID: '_sf2_attributes._security_main!.2.0.username',
    CHAT_USER_NAME: '_sf2_attributes._security_main!.2.0.username',
  },
  ttrss: {
    CHAT_SESSION_NAME: 'ttrss_sid',
    CHAT_USER_ID: 'uid',
    CHAT_USER_NAME: 'name',
  },
} as const satisfies Record<string, Preset>;

/** @param name '' for none */
export function presetOf(name: string): Preset {
  return Object.hasOwn(presets, name) ? presets[name as keyof typeof presets] : {};
}
