import { existsSync, readFileSync } from 'node:fs';
import { usualFiles } from '../settings/file.ts';
import { type Account, shellWord } from './account.ts';

const folders = ['/etc/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'];
const unit = 'php-session-chat.service';

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
 * Commands that start the service which a package, or its owner, has installed, or start it again with these settings. A file
 * beside the unit gives the service the rights that this site needs and that the unit does not give.
 * @param machine the root of the machine
 * @returns undefined if there is no service, or it reads other settings
 */
export function serviceLines(
  { account, settings, site, sessions }: Needs,
  machine = '',
): string[] | undefined {
  const text = unitIn(machine);
  if (text === undefined || settings !== usualFiles[0]) return undefined;
  const isSet = (line: string) => text.split('\n').includes(line);
  const within = (folder: string) => [site, sessions].some((path) => path?.startsWith(`${folder}/`));
  const more = [
    // Its group is then that of the account.
    ...(isSet(`User=${account.name}`) ? [] : [`User=${account.name}`, 'Group=']),
    ...(sessions === undefined || isSet(`ReadWritePaths=-${sessions}`)
      ? []
      : [`ReadWritePaths=-${quoted(sessions)}`]),
    ...(within('/home') || within('/root') ? ['ProtectHome=read-only'] : []),
    ...(within('/tmp') || within('/var/tmp') ? ['PrivateTmp=no'] : []),
  ];
  const beside = `/etc/systemd/system/${unit}.d`;
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
  return [
    ...(rights.length === 0 ? [] : [...rights, 'systemctl daemon-reload']),
    'systemctl enable php-session-chat',
    // It may be running with other settings: `enable --now` would leave it so.
    'systemctl restart php-session-chat',
  ];
}

function unitIn(machine: string): string | undefined {
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
