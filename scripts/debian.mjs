import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Problem, UNAVAILABLE } from './command.mjs';
import { run } from './processes.mjs';
import { runQuietly } from './quiet.mjs';

const install = ['install', '-y', '--no-install-recommends'];
const policyPath = '/usr/sbin/policy-rc.d';
const policyMark =
  '# Created by php-session-chat while it installs packages, so that their services do not start.';

/**
 * Returns the installation command for a user with sudo.
 * @param {string[]} names
 */
export const installLine = (names) =>
  `sudo apt-get update && sudo apt-get ${install.join(' ')} ${names.join(' ')}`;

/**
 * The services that Debian starts after the installation of these packages.
 * @type {Record<string, string>}
 */
const serviceOf = {
  memcached: 'memcached.service',
  'redis-server': 'redis-server.service',
  'mariadb-server': 'mariadb.service',
  postgresql: 'postgresql.service',
  'nginx-light': 'nginx.service',
  haproxy: 'haproxy.service',
  nutcracker: 'nutcracker.service',
  postfix: 'postfix.service',
  'dovecot-imapd': 'dovecot.service',
};

/**
 * Installs packages as root, and prevents the start of their services, such as memcached.
 * @param {string[]} names
 */
export async function installDebianPackages(names) {
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  // Waits for another apt, such as unattended upgrades.
  const apt = ['-o', 'DPkg::Lock::Timeout=300'];
  const allowServices = forbidServices();
  let update;
  let result;
  try {
    // Completes an interrupted installation, if there is one.
    await runQuietly('dpkg', ['--configure', '-a'], options);
    // Ignores failures, because a broken third-party list must not prevent the installation.
    update = await runQuietly('apt-get', [...apt, 'update'], options);
    result = await runQuietly('apt-get', [...apt, ...install, ...names], options);
  } finally {
    allowServices();
  }
  if (!result.ok) {
    const output = `${update.ok ? '' : update.output}${result.output}`;
    throw new Problem(`apt-get could not install ${names.join(' ')}:\n\n${output}`, UNAVAILABLE);
  }
  // Also prevents the start of the services at boot.
  const services = names.map((name) => serviceOf[name]).filter((service) => service !== undefined);
  if (services.length > 0 && existsSync('/run/systemd/system')) {
    await run('systemctl', ['disable', ...services], { stdio: 'ignore' });
  }
}

/**
 * Creates a policy-rc.d, which Debian calls before it starts a service. No-op if the machine already has one. It
 * rejects all services, because other packages also bring services (Chromium's packages bring D-Bus). If this process
 * is killed before it removes the file, the file removes itself on the next call.
 */
function forbidServices() {
  if (existsSync(policyPath) && !policyIsOurs()) return () => {};
  const text = `#!/bin/sh
${policyMark}
[ -d /proc/${process.pid} ] && exit 101
rm -f "$0"
exit 0
`;
  writeFileSync(policyPath, text, { mode: 0o755 });
  const remove = () => {
    if (existsSync(policyPath) && policyIsOurs()) rmSync(policyPath);
  };
  // After an interruption, this process may end before the code that waits for apt-get continues.
  process.once('exit', remove);
  return remove;
}

const policyIsOurs = () => readFileSync(policyPath, 'utf8').includes(policyMark);
