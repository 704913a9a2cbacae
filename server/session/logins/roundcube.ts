import type { FoundSessions, SessionApplication, SessionTexts, SiteFolder } from '../application.ts';
import { asText, ConfigurationError } from '../configuration/configuration.ts';
import { localSocket } from '../database-host.ts';

/** Roundcube 1.4 to 1.6: program/lib/Roundcube/rcube_session.php, rcube_db.php (parse_dsn). */
export const roundcube: SessionApplication = {
  kind: 'roundcube',
  title: 'Roundcube',
  options: {
    cookieName: 'roundcube_sessid',
    userId: 'user_id',
    userName: 'username',
    // With PHP's own storage the session of the id before the login keeps the user, but not this key.
    userRequire: 'auth_secret',
  },

  async find(folder: SiteFolder, given: SessionTexts): Promise<FoundSessions | null> {
    const file = 'config/config.inc.php';
    if (!(await folder.has('program/lib/Roundcube/rcube.php')) || !(await folder.has(file))) return null;
    const configuration = await folder.php(file);
    const value = (key: string, instead: string) =>
      asText(configuration.variable(['config', key], instead)) ?? '';
    const cookieName = given.cookieName ?? value('session_name', 'CHAT_SESSION_NAME');
    const named = cookieName === '' ? {} : { cookieName };
    if (given.store) return { options: named };
    const setting = (key: string) => value(key, 'CHAT_SESSION_STORE');
    const storage = setting('session_storage') || 'db';
    if (storage !== 'db')
      throw new ConfigurationError(
        `${configuration.file}: session_storage is ${storage}: set CHAT_SESSION_STORE as docs/sessions.md says`,
      );
    const lifetime = `${Number.parseInt(setting('session_lifetime'), 10) || 10}m`;
    const table = encodeURIComponent(`${setting('db_prefix')}session`);
    const [place, socket] = await placeOf(setting('db_dsnw'), configuration.file);
    const store = `${place}?${socket}table=${table}&id=sess_id&data=vars&last=changed&last_unit=datetime&lifetime=${lifetime}&layers=base64`;
    return { options: { ...named, store } };
  },
};

/** `mysql://USER:PASSWORD@HOST/DATABASE`, also with `unix(PATH)` as the host, and `sqlite:///PATH?mode=0646`. */
async function placeOf(dsn: string, file: string): Promise<[place: string, socket: string]> {
  const [, path] = /^sqlite:(?:\/\/)?(\/[^?]*)/.exec(dsn) ?? [];
  if (path !== undefined)
    return [`sqlite:${path.replace(/^\/+/, '/').split('/').map(encodeURIComponent).join('/')}`, ''];
  const parts =
    /^(mysqli?|pgsql):\/\/([^:]*):(.*)@(?:(?:tcp\()?([A-Za-z0-9.:-]*)\)?|unix\((.*)\))\/([^/?]+)/.exec(dsn);
  if (parts === null)
    throw new ConfigurationError(`${file}: db_dsnw names no database: set CHAT_SESSION_STORE`);
  const [, kind = '', user = '', password = '', host = '', given, database = ''] = parts;
  const login = [user, password].map((text) => encodeURIComponent(decoded(text))).join(':');
  const isMysql = kind.startsWith('mysql');
  const socket =
    given ?? (isMysql && (host === '' || host === 'localhost') ? await localSocket() : undefined);
  const at = socket === undefined ? host || 'localhost' : '';
  return [
    `${isMysql ? 'mysql' : 'postgres'}://${login}@${at}/${database}`,
    socket === undefined ? '' : `socket=${encodeURIComponent(socket)}&`,
  ];
}

/** PHP's `rawurldecode()`: a `%` that nothing follows stays. */
const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};
