import type { SessionApplication } from '../application.ts';
import { asText } from '../configuration/configuration.ts';
import { ownSessions, says } from './own-sessions.ts';

export const phpmyadmin: SessionApplication = {
  kind: 'phpmyadmin',
  title: 'phpMyAdmin',
  options: {
    cookieName: 'phpMyAdmin',
    userId: 'relation.1.user',
    userName: 'relation.1.user',
  },

  async find(folder, given) {
    const isThis = async (file: string) => says(folder, file, 'PhpMyAdmin');
    if (!(await isThis('libraries/classes/Session.php')) && !(await isThis('src/Session.php'))) return null;
    const file = 'config.inc.php';
    if (given.store || !(await folder.has(file))) return ownSessions(folder, given);
    const configuration = await folder.php(file);
    const savePath = asText(configuration.variable(['cfg', 'SessionSavePath'], 'CHAT_SESSION_STORE')) ?? '';
    return ownSessions(folder, given, { savePath, file: configuration.file });
  },
};
