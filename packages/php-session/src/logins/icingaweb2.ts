import type { SessionApplication } from './application.ts';
import { fileContains, findPhpSessions } from './own-sessions.ts';

export const icingaweb2: SessionApplication = {
  kind: 'icingaweb2',
  title: 'Icinga Web 2',
  options: {
    cookieName: 'Icingaweb2',
    userId: 'user.localUsername',
    userName: 'user.localUsername',
  },
  typed: true,

  async find(folder, given) {
    // Its packages put the library elsewhere.
    const isIcinga = await fileContains(
      folder,
      'application/controllers/AuthenticationController.php',
      'Icinga\\Controllers',
    );
    return isIcinga ? findPhpSessions(folder, given) : null;
  },
};
