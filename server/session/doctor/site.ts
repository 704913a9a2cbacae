import { openSite } from '../applications.ts';
import { ConfigurationError } from '../configuration/configuration.ts';
import type { SitePlace } from '../site.ts';
import { type Finding, printable, well, wrong } from './finding.ts';

/**
 * Checks the configuration of a site and its database, and follows one login.
 * @param cookie the `Cookie` header of a user who is logged in; without one only the site is checked
 */
export async function* examineSite(place: SitePlace, cookie: string | undefined): AsyncGenerator<Finding> {
  try {
    const { title, logins } = await openSite(place);
    try {
      yield well(`${place.folder} is the folder of ${title}, and its configuration can be read.`);
      const fault = await logins.fault();
      if (fault !== null) return yield wrong(`The database of the site: ${fault.message}.`);
      yield well('The database of the site answers.');
      if (cookie === undefined) return;
      const answer = await logins.identify({ cookies: cookie.trim().replace(/^cookie:\s*/i, '') });
      if ('code' in answer)
        return yield wrong(`Nobody is logged in with these cookies: ${answer.reason}.`, answer.hint);
      const { id, name, roles = [], banned } = answer.user;
      const more = [...roles, ...(banned ? ['kept out of the chat'] : [])];
      const suffix = more.length === 0 ? '' : `, ${more.join(', ')}`;
      yield well(`The user ${printable(id)} is logged in, whom others see as ${printable(name)}${suffix}.`);
    } finally {
      logins.close();
    }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    yield wrong(error.message);
  }
}
