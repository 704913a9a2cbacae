/**
 * Icinga Web 2.
 *
 * The cookie `Icingaweb2` is the id of a PHP session with an object `user`. A logout empties the session.
 */

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
    // Packages install the library in another place, so a controller identifies the application.
    const isIcinga = await fileContains(
      folder,
      'application/controllers/AuthenticationController.php',
      'Icinga\\Controllers',
    );
    return isIcinga ? findPhpSessions(folder, given) : null;
  },
};
