import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { usualFiles } from '../settings/file.ts';
import { isLine } from '../wire/blank.ts';
import { type Account, shellWord } from './account.ts';

const folders = ['/etc/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'];

/** The service that reads a file of settings, and the file of its unit; undefined for any other file. */
function serviceFor(settings: string): { service: string; unit: string } | undefined {
  const name = 'php-session-chat';
  if (settings === usualFiles[0]) return { service: name, unit: `${name}.service` };
  const site = /^([\w.-]+)\.conf$/.exec(basename(settings))?.[1];
  if (site === undefined || dirname(settings) !== dirname(usualFiles[0])) return undefined;
  return { service: `${name}@${site}`, unit: `${name}@.service` };
}

/** The facts that a service for a site depends on. */
interface Needs {
  account: Account;
  /** The file of settings. */
  settings: string;
  /** The folder of the site, and that of its sessions if they are files. */
  site: string;
  sessions: string | undefined;
}

/**
 * Commands that start or restart the installed service with these settings. A file beside its unit adds the rights that this
 * site needs.
 * @param machine the root of the machine
 * @returns undefined if there is no service that reads these settings
 */
export function startService(
  { account, settings, site, sessions }: Needs,
  machine = '',
): { service: string; lines: string[] } | undefined {
  const found = serviceFor(settings);
  const text = found && unitIn(machine, found.unit);
  if (found === undefined || text === undefined) return undefined;
  const { service } = found;
  const isSet = (line: string) => text.split('\n').includes(line);
  const within = (folder: string) => [site, sessions].some((path) => path?.startsWith(`${folder}/`));
  const more = [
    // Its group is then that of the account.
    ...(isSet(`User=${account.name}`) ? [] : [`User=${account.name}`, 'Group=']),
    // A second line of its name would be a setting, such as a command that root runs.
    ...(sessions === undefined || !isLine(sessions) || isSet(`ReadWritePaths=-${sessions}`)
      ? []
      : [`ReadWritePaths=-${quoted(sessions)}`]),
    ...(within('/home') || within('/root') ? ['ProtectHome=read-only'] : []),
    ...(within('/tmp') || within('/var/tmp') ? ['PrivateTmp=no'] : []),
  ];
  const beside = `/etc/systemd/system/${service}.service.d`;
  const file = `${beside}/site.conf`;
  const rights: string[] = [];
  if (more.length > 0) {
    rights.push(
      `install -d ${beside}`,
      // In one line, since a shell would take the end of a longer text only at the start of a line.
      `printf '%s\\n' ${['[Service]', ...more].map(shellWord).join(' ')} > ${file}`,
    );
  } else if (existsSync(`${machine}${file}`)) {
    // An earlier run had it made, for a site that needed more.
    rights.push(`rm ${file}`);
  }
  const lines = [
    ...(rights.length === 0 ? [] : [...rights, 'systemctl daemon-reload']),
    `systemctl enable ${service}`,
    // It may be running with other settings: `enable --now` would leave it so.
    `systemctl restart ${service}`,
  ];
  return { service, lines };
}

function unitIn(machine: string, unit: string): string | undefined {
  for (const folder of folders) {
    try {
      return readFileSync(`${machine}${folder}/${unit}`, 'utf8');
    } catch {
      // It is in the next one, or in none.
    }
  }
  return undefined;
}

/** As systemd reads a path: in quotes, with its own signs doubled. */
const quoted = (path: string) =>
  /^[\w./-]+$/.test(path) ? path : `"${path.replace(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`;
