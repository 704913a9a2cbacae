import { existsSync, readFileSync } from 'node:fs';
import { type Account, shellWord } from '../doctor/account.ts';
import { findService } from '../settings/file.ts';
import { isLine } from '../text/blank.ts';

const folders = ['/etc/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'];

/** The facts that the service of a site depends on. */
interface ServiceNeeds {
  account: Account;
  /** The file of settings. */
  settings: string;
  /** The folder of the site. */
  site: string;
  /** The folder of the sessions, if they are files. */
  sessions: string | undefined;
}

/**
 * Returns the commands that start or restart the installed service with these settings. A drop-in of its unit adds the
 * rights that this site needs.
 * @param machine the root of the machine
 * @returns undefined if no installed service reads these settings
 */
export function startService(
  { account, settings, site, sessions }: ServiceNeeds,
  machine = '',
): { service: string; lines: string[] } | undefined {
  const { service, unit } = findService(settings) ?? {};
  const text = unit && readUnit(machine, unit);
  if (service === undefined || text === undefined) return undefined;
  const isSet = (line: string) => text.split('\n').includes(line);
  const isWithin = (folder: string) => [site, sessions].some((path) => path?.startsWith(`${folder}/`));
  const directives = [
    // With an empty group, systemd uses the group of the account.
    ...(isSet(`User=${account.name}`) ? [] : [`User=${account.name}`, 'Group=']),
    // Without this check, a line break in the path could add a directive, such as a command that root runs.
    ...(sessions === undefined || !isLine(sessions) || isSet(`ReadWritePaths=-${sessions}`)
      ? []
      : [`ReadWritePaths=-${quote(sessions)}`]),
    ...(isWithin('/home') || isWithin('/root') ? ['ProtectHome=read-only'] : []),
    ...(isWithin('/tmp') || isWithin('/var/tmp') ? ['PrivateTmp=no'] : []),
  ];
  const dropIns = `/etc/systemd/system/${service}.service.d`;
  const file = `${dropIns}/site.conf`;
  const rights: string[] = [];
  if (directives.length > 0) {
    rights.push(
      `install -d ${dropIns}`,
      // In one line, because the output is indented, and a here-document must end at the start of a line.
      `printf '%s\\n' ${['[Service]', ...directives].map(shellWord).join(' ')} > ${file}`,
    );
  } else if (existsSync(`${machine}${file}`)) {
    // Removes the drop-in of an earlier site.
    rights.push(`rm ${file}`);
  }
  const lines = [
    ...(rights.length === 0 ? [] : [...rights, 'systemctl daemon-reload']),
    `systemctl enable ${service}`,
    // `enable --now` would not restart a service that runs with other settings.
    `systemctl restart ${service}`,
  ];
  return { service, lines };
}

function readUnit(machine: string, unit: string): string | undefined {
  for (const folder of folders) {
    try {
      return readFileSync(`${machine}${folder}/${unit}`, 'utf8');
    } catch {
      // The unit is not in this folder.
    }
  }
  return undefined;
}

/** Quotes a path for systemd. */
const quote = (path: string) =>
  /^[\w./-]+$/.test(path) ? path : `"${path.replace(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`;
